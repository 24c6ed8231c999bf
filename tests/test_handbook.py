"""A real handbook of 250 pages: questions cite the right page, and a changed paragraph costs two chunks at most.

Needs the public data beside the repository (../shared/data/handbook, CC0); is skipped where it is not.
"""

import gzip
import json
import lzma
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graph.agent import Agent
from graph.answers import Answer, Done, Question
from index.audience import Viewer
from index.jobs import LookProgress, enqueue_look, read_look, run_next_job
from index.search import search
from index.sources import Source, add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

DATA = Path(__file__).parents[2] / "shared" / "data" / "handbook"
QUESTIONS = [json.loads(line) for line in Path(__file__).with_name("handbook_questions.jsonl").read_text().splitlines()]
VIEWER = Viewer("terminal")
CITED = 9  # of ten
FOUND = 0.96  # of all, among the first three

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the handbook is not at {DATA}")


class Handbook(NamedTuple):
    database: Database
    model: ModelClient
    settings: Settings
    source: Source
    folder: Path

    async def look(self) -> LookProgress:
        look = await enqueue_look(self.database, self.settings, self.source, requested_by="test")
        while await run_next_job(self.database, self.model, self.settings, worker="test"):
            pass
        return await read_look(self.database, look)

    async def finds(self, row: dict[str, Any]) -> bool:
        result = await search(self.database, self.model, row["question"], VIEWER, k=3)
        return any(_is_right(hit.uri, row) for hit in result.hits)


def write_handbook(folder: Path) -> None:
    """Replays the events: the folder as it was at the last date."""
    with lzma.open(DATA / "blobs.jsonl.xz", "rt") as lines:
        texts = {row["blob"]: row["text"] for row in map(json.loads, lines)}
    pages: dict[str, str] = {}
    with gzip.open(DATA / "events.jsonl.gz", "rt") as lines:
        for event in map(json.loads, lines):
            if event["status"] == "D":
                pages.pop(event["path"], None)
            else:
                pages[event["path"]] = texts[event["blob"]]
    for path, text in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
async def handbook(tmp_path: Path, database: Database, model_settings: Settings) -> AsyncIterator[Handbook]:
    folder = tmp_path / "handbook"
    write_handbook(folder)
    source = await add_source(database, folder, name=None, added_by="test")
    async with ModelClient.open(model_settings) as model:
        yield Handbook(database, model, model_settings, source, folder)


async def test_questions_cite_the_right_page_and_a_changed_paragraph_costs_two_chunks(handbook: Handbook) -> None:
    first = await handbook.look()
    assert first.state == "done"
    assert first.documents.added > 240

    found = [await handbook.finds(row) for row in QUESTIONS]
    assert sum(found) >= FOUND * len(QUESTIONS)

    async with Agent.open(handbook.settings, handbook.database, handbook.model) as agent:
        answers = [await _ask(agent, row["question"]) for row in QUESTIONS[::3]]
        cited = [
            any(_is_right(citation.uri, row) for citation in answer.citations)
            for answer, row in zip(answers, QUESTIONS[::3], strict=True)
        ]
        assert sum(cited) >= CITED

        page = handbook.folder / "pages/getting-started/piv.md"
        page.write_text(page.read_text().replace("new badges every Wednesday", "new badges every second Thursday"))
        again = await handbook.look()
        assert again.documents.changed == 1
        assert 1 <= again.chunks.embedded <= 2
        [citation] = (await _ask(agent, "How often are new GSA badges processed?")).citations
        assert "every second Thursday" in citation.quote


def _is_right(uri: str, row: dict[str, Any]) -> bool:
    return any(uri.endswith(page) for page in row["pages"])


async def _ask(agent: Agent, text: str) -> Answer:
    asked = Question(id=text, text=text, conversation=text, viewer=VIEWER)
    [answer] = [event.answer async for event in agent.answer(asked) if isinstance(event, Done)]
    return answer
