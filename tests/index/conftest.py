"""An index of a test's own, and a folder of small documents."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from index.audience import EVERYONE, Viewer
from index.jobs import LookProgress, enqueue_look, read_look, run_next_job
from index.search import SearchResult, search
from index.sources import Source, add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

ANYONE = Viewer("test")


@dataclass(frozen=True)
class Room:
    """The index with everything that its functions are passed."""

    settings: Settings
    database: Database
    model: ModelClient

    async def add(self, folder: Path, name: str = "docs", audience: str = EVERYONE, workspace: str = "*") -> Source:
        return await add_source(
            self.database, folder, name=name, audience=audience, workspace=workspace, added_by="test"
        )

    async def look(self, source: Source, *, by: str = "test", accept_removals: bool = False) -> LookProgress:
        """Asks for a look and does every job that is due."""
        look = await enqueue_look(
            self.database, self.settings, source, requested_by=by, accept_removals=accept_removals
        )
        await self.drain()
        return await read_look(self.database, look)

    async def drain(self) -> int:
        done = 0
        while await run_next_job(self.database, self.model, self.settings, worker="test"):
            done += 1
        return done

    async def search(self, query: str, viewer: Viewer = ANYONE, k: int = 10) -> SearchResult:
        return await search(self.database, self.model, query, viewer, k)

    async def texts(self) -> dict[str, list[str]]:
        """Every document's passages, in order."""
        rows = await self.fetch(
            "SELECT path, text FROM documents d JOIN chunks c ON c.document_id = d.id ORDER BY path, position"
        )
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["path"], []).append(row["text"])
        return found

    async def fetch(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return await self.database.fetch_all(query.encode(), parameters)

    async def check_counts(self) -> None:
        """Asserts that what is counted of terms, documents and chunks, by who may see them, is what is there."""
        rows = await self.fetch("SELECT version_id, workspace, audience, terms FROM document_terms")
        places = [(row["version_id"], row["workspace"], row["audience"]) for row in rows]
        terms = Counter(
            (*place, term) for place, row in zip(places, rows, strict=True) for term in row["terms"].indices()
        )
        kept = await self.fetch(
            "SELECT version_id, workspace, audience, term, documents FROM term_frequencies WHERE documents <> 0"
        )
        assert {tuple(row.values())[:-1]: row["documents"] for row in kept} == terms
        assert await self.fetch("SELECT * FROM index_sizes WHERE chunks <> 0 ORDER BY 1, 2, 3") == await self.fetch(
            "SELECT version_id, workspace, audience, count(DISTINCT document_id) AS documents, count(*) AS chunks"
            " FROM chunks GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )
        pairs = "SELECT DISTINCT document_id, version_id FROM {} ORDER BY 1, 2"
        assert await self.fetch(pairs.format("chunks")) == await self.fetch(pairs.format("document_terms"))


@pytest.fixture
async def room(model_settings: Settings, database: Database) -> AsyncIterator[Room]:
    async with ModelClient.open(model_settings) as model:
        yield Room(model_settings, database, model)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents about different things."""
    path = tmp_path / "docs"
    (path / "people").mkdir(parents=True)
    (path / "leave.md").write_text(
        "---\ntitle: Leave\n---\n# Leave\n\nEverybody has thirty days of vacation a year.\n\n"
        "## Parental leave\n\nParents take up to twelve weeks after a birth.\n\n"
        "## Sick leave\n\nCall your supervisor by nine.\n"
    )
    (path / "people" / "travel.md").write_text("# Travel\n\nBook the train, not the plane, for trips under 400 km.\n")
    (path / "printers.txt").write_text("The printer on the third floor needs a badge. Its queue is called HERON.\n")
    return path
