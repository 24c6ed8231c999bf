"""Reviews: what is due, who is to be told, and what a person decides: still valid, look again, retired, restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from psycopg.rows import DictRow

from index.jobs import enqueue_look
from index.sources import find_source
from index.swap import swap_chunks
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.errors import SourceError
from tandem.settings import Settings

QUERIES = load_queries("index", "reviews.sql")
UNTOLD = 50
Ruling = Literal["confirm", "reindex", "retire", "restore"]
RULINGS: tuple[Ruling, ...] = get_args(Ruling)
_ACTIONS: dict[Ruling, str] = {
    "confirm": "confirm document",
    "reindex": "re-index document",
    "retire": "retire document",
    "restore": "restore document",
}


@dataclass(frozen=True)
class Untold:
    """A notice whose owner has not been told yet."""

    id: int
    made_at: datetime
    owner: str


@dataclass(frozen=True)
class Notice:
    """What a notice is about, as it stands now. Without a `document_id` that is the source as a whole.

    `state` is the document's, or `source`. `review_by` is when it is due next, None if it no longer is ever. `owner` is
    who owns it now, which need not be whom the notice went to.
    """

    id: int
    owner: str | None
    due_at: datetime
    document_id: int | None
    source: str
    path: str | None
    title: str | None
    state: str
    review_by: datetime | None


async def list_untold(database: Database, prefix: str, workspaces: Sequence[str]) -> list[Untold]:
    """Notices to give to owners whose name begins so, of sources in these workspaces; makes those that became due."""
    parameters = {"prefix": prefix, "workspaces": list(workspaces), "limit": UNTOLD}
    await database.execute(QUERIES["make_notices"], parameters)
    return [Untold(**row) for row in await database.fetch_all(QUERIES["list_untold"], parameters)]


async def mark_told(database: Database, notice_id: int) -> None:
    await database.execute(QUERIES["mark_told"], {"id": notice_id})


async def read_notice(database: Database, notice_id: int) -> Notice | None:
    """None once the document or its source is gone."""
    row = await database.fetch_one(QUERIES["read_notice"], {"id": notice_id})
    if row is None:
        return None
    return Notice(
        id=row["id"],
        owner=row["current_owner"],
        due_at=row["due_at"],
        document_id=row["document_id"],
        source=row["source"],
        path=row["path"],
        title=row["title"],
        state=row["state"],
        review_by=row["review_by"],
    )


async def find_document(database: Database, source: str, path: str) -> int:
    """The document's id. Raises SourceError when the source has none of that path."""
    row = await database.fetch_one(QUERIES["find_document"], {"source": source, "path": path})
    if row is None:
        raise SourceError(
            f"The source {source} has no document {path}.", remedy=f"`tandem source show {source}` lists them."
        )
    return int(row["id"])


async def rule_on_source(database: Database, settings: Settings, name: str, ruling: Ruling, *, by: str) -> bool:
    """Confirms a source as a whole if it is due, or asks for a look at it; says whether it did.

    Raises SourceError when it is gone.
    """
    source = await find_source(database, name)
    if ruling == "reindex":
        await enqueue_look(database, settings, source, requested_by=by)
        return True
    if ruling != "confirm":
        return False
    async with database.transaction() as connection:
        parameters = {"source_id": source.id, "days": settings.review_days}
        confirmed = (await connection.execute(QUERIES["confirm_source"], parameters)).rowcount > 0
        if confirmed:
            await _note(connection, by, "confirm source", name)
    return confirmed


async def rule_on_document(
    database: Database, settings: Settings, document_id: int, ruling: Ruling, *, by: str
) -> bool:
    """Carries out what a person decides of a document; False when it is gone. A ruling may be repeated.

    `confirm` moves its review on by the settings' days. `retire` takes it out of the index in one transaction, and
    keeps it out, whatever its source lists, until `restore`. `reindex` and `restore` ask for a look at its source.
    """
    async with database.transaction() as connection:
        row = await (await connection.execute(QUERIES["lock_source_of"], {"document_id": document_id})).fetchone()
        if row is None:
            return False
        source = row["name"]
        if ruling == "retire":
            await connection.execute(QUERIES["cancel_jobs_of"], {"document_id": document_id})
        document = await (await connection.execute(QUERIES["lock_document"], {"document_id": document_id})).fetchone()
        if document is None:
            return False
        if not await _decide(connection, settings, document, ruling):
            return True
        await _note(connection, by, _ACTIONS[ruling], f"{source}: {document['path']}")
    if ruling in ("reindex", "restore"):
        await enqueue_look(database, settings, await find_source(database, source), requested_by=by)
    return True


async def _decide(connection: Connection, settings: Settings, document: DictRow, ruling: Ruling) -> bool:
    """Whether that changed anything."""
    parameters = {"document_id": document["id"], "days": settings.review_days}
    match ruling:
        case "confirm":
            return bool((await connection.execute(QUERIES["confirm_document"], parameters)).rowcount)
        case "reindex":
            await connection.execute(QUERIES["reread_document"], parameters)
        case "restore":
            return bool((await connection.execute(QUERIES["restore_document"], parameters)).rowcount)
        case "retire":
            if document["state"] == "retired":
                return False
            await swap_chunks(connection, document["id"], None, [])
            await connection.execute(QUERIES["retire_document"], parameters)
    return True


async def _note(connection: Connection, actor: str, action: str, subject: str) -> None:
    await connection.execute(QUERIES["note"], {"actor": actor, "action": action, "subject": subject})
