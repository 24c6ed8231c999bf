"""A start of `tandem chat` waits for what it was asked to index, and not for ever for what it knows."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from index.jobs import run_next_job
from index.search import search
from tandem.cancelling import end_tasks
from tandem.cli import chat
from tandem.cli.workplace import terminal_viewer
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings


@asynccontextmanager
async def working(database: Database, settings: Settings) -> AsyncIterator[None]:
    async def work() -> None:
        async with ModelClient.open(settings) as model:
            while True:
                if not await run_next_job(database, model, settings, worker="test"):
                    await asyncio.sleep(0.05)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        await end_tasks(task)


async def index(settings: Settings, docs: Path) -> str:
    """What is shown meanwhile."""
    shown = io.StringIO()
    await chat._index_folder(settings, docs, Console(file=shown, width=200))
    return shown.getvalue()


async def test_a_later_start_waits_for_what_changed(
    database: Database, model_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "docs" / "leave.md"
    page.parent.mkdir()
    for text in ("# Leave\n\nThirty days a year.\n", "# Leave\n\nForty days a year.\n"):
        page.write_text(text)
        async with working(database, model_settings):
            assert "Indexed 1 documents, 0 failed." in await index(model_settings, page.parent)
        async with ModelClient.open(model_settings) as model:
            found = await search(database, model, "How much leave is there?", terminal_viewer(None), k=3)
        assert [hit.text.strip() for hit in found.hits] == [text.strip()]
    monkeypatch.setattr(chat, "PATIENCE_S", 0.2)
    assert "answers are from what was indexed before" in await index(model_settings, page.parent)
