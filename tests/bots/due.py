"""A real source with a document that is due for review, for the surfaces' tests."""

from pathlib import Path

from index.jobs import enqueue_look, run_next_job
from index.sources import add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings


async def index_due_page(
    database: Database, settings: Settings, folder: Path, owner: str, *, title: str = "Leave", workspace: str = "*"
) -> None:
    """Indexes one page, due since 2020-01-01, seen by the audience `hr` alone. The settings need a model server."""
    _write_page(folder, f"title: {title}\nowner: {owner}\nreview_by: 2020-01-01")
    source = await add_source(database, folder, name="rules", audience="hr", workspace=workspace, added_by="test")
    await enqueue_look(database, settings, source, requested_by="test")
    async with ModelClient.open(settings) as model:
        while await run_next_job(database, model, settings, worker="test"):
            pass


def _write_page(folder: Path, head: str) -> None:
    folder.mkdir()
    (folder / "leave.md").write_text(f"---\n{head}\n---\nThirty days of vacation.\n")


async def states(database: Database) -> list[tuple[str, bool]]:
    """Each document's state, and whether somebody has said that it still holds."""
    query = b"SELECT state, confirmed_until > now() AS confirmed FROM documents ORDER BY path"
    return [(row["state"], bool(row["confirmed"])) for row in await database.fetch_all(query)]


async def told(database: Database) -> list[bool]:
    """Of each notice, whether its owner was told."""
    rows = await database.fetch_all(b"SELECT told_at IS NOT NULL AS told FROM review_notices ORDER BY id")
    return [row["told"] for row in rows]
