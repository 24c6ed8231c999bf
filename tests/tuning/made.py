"""Examples as a careful team would bring them: different questions, several origins, nothing that forbids training."""

import json
from datetime import UTC, datetime
from pathlib import Path

from tandem.db.pool import Database
from tandem.models.snapshot import SeenDocument
from tandem.tuning.examples import Example, Task
from tandem.tuning.files import converse

TICKETS = Path(__file__).parents[2] / "examples" / "tickets" / "examples.jsonl"


def make_example(
    identity: int,
    question: str,
    answer: str,
    *,
    task: Task = "language",
    origin: str | None = None,
    licence: str = "own",
    place: str | None = None,
    documents: tuple[SeenDocument, ...] = (),
) -> Example:
    return Example(
        id=identity,
        project="house",
        task=task,
        messages=converse(question, answer),
        place=place or f"made:{identity}",
        origin=origin or f"page {identity % 13}",
        licence=licence,
        author="Ann",
        documents=documents,
        state="approved",
        added_at=datetime(2026, 5, 1, tzinfo=UTC),
    )


def read_tickets() -> list[Example]:
    """The packaged example project, whose lines are all different."""
    rows = [json.loads(line) for line in TICKETS.read_text().splitlines()]
    return [
        make_example(
            number, row["messages"][1]["content"], row["messages"][2]["content"], task="labels", origin=row["origin"]
        )
        for number, row in enumerate(rows, 1)
    ]


async def index_page(database: Database, licence: str | None = None, audience: str = "everyone") -> int:
    """As an indexed page stands in the ledger."""
    await database.execute(
        b"INSERT INTO sources (name, kind, location, workspace, audience, added_by, licence)"
        b" VALUES ('house', 'folder', '/house', '*', %(audience)s, 'ann', %(licence)s)",
        {"licence": licence, "audience": audience},
    )
    row = await database.fetch_one(
        b"INSERT INTO documents"
        b" (source_id, path, workspace, audience, title, uri, state, content_hash, changed_at, indexed_at)"
        b" SELECT id, 'badges.md', '*', audience, 'Badges', 'file:///badges.md', 'indexed', '\\xab', '2026-05-01',"
        b" now() FROM sources RETURNING id"
    )
    assert row is not None
    return int(row["id"])
