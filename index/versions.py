"""Index versions: which pipeline made the chunks, the pointer to the one that search reads, and the way back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from index.analyser import ANALYSER, OF_CHUNK, OF_DOCUMENT
from index.chunks import CHUNKER
from index.extraction import EXTRACTOR
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.errors import TandemError
from tandem.models.client import ModelClient

QUERIES = load_queries("index", "versions.sql")
KEPT_DAYS = 14
"""How long the version before stays as the way back, unless it is pruned by hand."""
DENSE_WEIGHT, LEXICAL_WEIGHT, FEEDBACK_WEIGHT = 0.85, 0.15, 0.3


class VersionError(TandemError):
    """The index version cannot be used."""

    remedy = "`tandem index list` shows the versions, and what each of them holds."


@dataclass(frozen=True)
class IndexVersion:
    """`is_built`: looks index into it. `is_held`: a person chose it. `missing` documents cannot be found in it."""

    id: int
    pipeline: Mapping[str, object]
    is_current: bool
    is_held: bool
    is_built: bool
    chunks: int
    documents: int
    missing: int
    created_at: datetime
    left_at: datetime | None


async def describe_pipeline(model: ModelClient) -> dict[str, object]:
    """Everything that a chunk's row depends on besides its document's bytes. Raises ModelUnavailable."""
    return {
        "extractor": EXTRACTOR,
        "chunker": CHUNKER,
        "analyser": ANALYSER,
        "bm25": {"chunk": asdict(OF_CHUNK), "document": asdict(OF_DOCUMENT)},
        "embedder": (await model.describe()).embedding_model,
        "weights": {"dense": DENSE_WEIGHT, "lexical": LEXICAL_WEIGHT, "feedback": FEEDBACK_WEIGHT},
    }


async def find_version(database: Database, pipeline: Mapping[str, object]) -> int:
    """Returns the version of this pipeline, made if there is none yet; the very first becomes the current one."""
    parameters = {"pipeline": json.dumps(pipeline)}
    async with database.transaction() as connection:
        await connection.execute(QUERIES["add_version"], parameters)
        [row] = await (await connection.execute(QUERIES["find_version"], parameters)).fetchall()
    return int(row["id"])


async def promote_version(database: Database, version_id: int) -> bool:
    """Makes the version current once every document that can be indexed is in it; says whether it did.

    The version before stays as the way back, unless a person chose it: then search stays there.
    """
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        await connection.execute(QUERIES["release_version"], {"version_id": version_id})
        if (await connection.execute(QUERIES["is_complete"], {"version_id": version_id})).rowcount == 0:
            return False
        await _move_search(connection, version_id, is_held=False)
    return True


async def list_versions(database: Database) -> list[IndexVersion]:
    """Oldest first."""
    return [IndexVersion(**row) for row in await database.fetch_all(QUERIES["list_versions"])]


async def switch_version(database: Database, version_id: int, *, switched_by: str) -> IndexVersion:
    """Has search read this version at once, and returns it.

    A version other than the one that looks build now is held: looks go on building theirs, and search stays.
    Raises VersionError when there is no such version, or nothing is left of it.
    """
    known = {version.id: version for version in await list_versions(database)}
    version = known.get(version_id)
    if version is None:
        raise VersionError(f"There is no index version {version_id}.")
    if not version.documents and any(other.documents for other in known.values()):
        raise VersionError(f"Index version {version_id} holds no documents: it was pruned, or never built.")
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock_versions"])
        await _move_search(connection, version_id, is_held=not version.is_built)
        await _note(connection, switched_by, "switch index", f"version {version_id}")
    return version


async def prune_versions(database: Database, *, pruned_by: str, kept_days: int = 0) -> list[int]:
    """Drops what search does not read and looks do not build, and returns the versions' ids.

    The version that search left last is kept for `kept_days` after that.
    """
    old = [row["id"] for row in await database.fetch_all(QUERIES["list_old_versions"], {"kept_days": kept_days})]
    if not old:
        return []
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock_sources"])
        for statement in ("drop_chunks", "drop_terms", "drop_frequencies", "drop_sizes", "forget_documents"):
            await connection.execute(QUERIES[statement], {"version_ids": old})
        await _note(connection, pruned_by, "prune index", ", ".join(f"version {version_id}" for version_id in old))
    return old


async def _move_search(connection: Connection, version_id: int, *, is_held: bool) -> None:
    await connection.execute(QUERIES["leave_version"], {"version_id": version_id})
    await connection.execute(QUERIES["enter_version"], {"version_id": version_id, "is_held": is_held})


async def _note(connection: Connection, actor: str, action: str, subject: str) -> None:
    await connection.execute(QUERIES["note"], {"actor": actor, "action": action, "subject": subject})
