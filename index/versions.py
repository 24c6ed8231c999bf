"""Index versions: which pipeline the chunks were made by, and the pointer to the one that search reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from index.analyser import ANALYSER, OF_CHUNK, OF_DOCUMENT
from index.chunks import CHUNKER
from index.extraction import EXTRACTOR
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.models.client import ModelClient

QUERIES = load_queries("index", "versions.sql")
STATEMENTS_OF_PROMOTION = (
    "promote_version",
    "drop_other_chunks",
    "drop_other_terms",
    "drop_other_frequencies",
    "drop_other_counts",
    "empty_other_versions",
)
DENSE_WEIGHT, LEXICAL_WEIGHT, FEEDBACK_WEIGHT = 0.85, 0.15, 0.3


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


async def promote_version(connection: Connection, version_id: int) -> bool:
    """Makes the version current once every document that can be indexed is in it, and drops the others' chunks."""
    retired = await connection.execute(QUERIES["retire_version"], {"version_id": version_id})
    if retired.rowcount == 0:
        return False
    for statement in (
        "promote_version",
        "drop_other_chunks",
        "drop_other_terms",
        "drop_other_frequencies",
        "drop_other_counts",
        "empty_other_versions",
    ):
        await connection.execute(QUERIES[statement], {"version_id": version_id})
    return True
