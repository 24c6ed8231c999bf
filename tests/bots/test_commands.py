"""What the commands say while they run and when they end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bots.commands import reindex, show_sources
from bots.surface import Event
from index.audience import Viewer
from index.jobs import enqueue_look, read_look, run_next_job
from index.sources import add_source, list_sources
from tandem.db.pool import Database
from tandem.errors import SourceError
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tests.bots.scripted import Lines

HR = Viewer("T1", frozenset({"hr"}))
STAFF = Viewer("T1")


def command(text: str = "", viewer: Viewer = STAFF) -> Event:
    return Event("test:1", "test", "reindex", "thread", viewer, "U1", text)


async def add_folders(database: Database, tmp_path: Path, names: Sequence[str], audience: str = "everyone") -> None:
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "page.md").write_text(f"# {name}\n\nThis page is about {name}.\n")
        await add_source(database, folder, name=name, audience=audience, added_by="test")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.commands.LOOK_EVERY_S", 0.01)


async def test_without_sources_there_is_nothing_to_reindex(database: Database, settings: Settings) -> None:
    message = await reindex(command(), Lines(), database, settings)
    assert message.markdown.startswith("There is nothing to re-index yet.")


async def test_all_visible_sources_are_looked_at_and_told_of(
    database: Database, model_settings: Settings, tmp_path: Path
) -> None:
    await add_folders(database, tmp_path, ["b", "a"])
    await add_folders(database, tmp_path, ["secret"], audience="hr")
    lines = Lines()
    watching = asyncio.create_task(reindex(command(), lines, database, model_settings))
    while not lines.shown:
        await asyncio.sleep(0.01)
    async with ModelClient.open(model_settings) as model:
        while not watching.done():
            await run_next_job(database, model, model_settings, worker="test")
            await asyncio.sleep(0.05)
    message = await watching
    assert lines.shown[0] == "0 of 2 sources done · `a`: queued"
    assert any(line.startswith("1 of 2 sources done · ") for line in lines.shown)
    assert [line.partition(" ")[0] for line in message.markdown.splitlines()] == ["`a`:", "`b`:"]
    assert message.markdown.count("1 added") == 2


async def test_a_source_that_the_viewer_may_not_see_is_unknown_to_them(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    await add_folders(database, tmp_path, ["secret"], audience="hr")
    await add_folders(database, tmp_path, ["wiki"])
    with pytest.raises(SourceError) as error:
        await reindex(command("secret"), Lines(), database, settings)
    assert error.value.remedy == "The ones I know are `wiki`."
    assert "secret" not in (await show_sources(command(), database)).markdown
    assert "secret" in (await show_sources(command(viewer=HR), database)).markdown


async def test_a_look_is_cancelled_by_word_for_one_source_or_for_all_that_are_visible(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    await add_folders(database, tmp_path, ["a", "b"])
    await add_folders(database, tmp_path, ["secret"], audience="hr")
    looks = {}
    for source in await list_sources(database):
        looks[source.name] = await enqueue_look(database, settings, source, requested_by="test")
    message = await reindex(command("cancel A"), Lines(), database, settings)
    assert message.markdown == "`a`: cancelled after 0 of 0 documents. What is indexed stays."
    assert (await reindex(command("cancel"), Lines(), database, settings)).markdown.startswith("`b`: cancelled")
    assert (await read_look(database, looks["secret"])).state == "queued"
    assert "Nothing is being re-indexed" in (await reindex(command("cancel"), Lines(), database, settings)).markdown
    with pytest.raises(SourceError, match="no source `secret` here"):
        await reindex(command("cancel secret"), Lines(), database, settings)


async def test_who_watches_a_look_that_is_cancelled_is_told_so(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    await add_folders(database, tmp_path, ["wiki"])
    lines = Lines()
    watching = asyncio.create_task(reindex(command(), lines, database, settings))
    while not lines.shown:
        await asyncio.sleep(0.01)
    await reindex(command("cancel wiki"), Lines(), database, settings)
    assert (await watching).markdown.startswith("`wiki`: cancelled")


async def test_a_source_that_is_named_like_the_word_is_still_looked_at(
    database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_folders(database, tmp_path, ["cancel"])
    monkeypatch.setattr("bots.commands.UNTAKEN_S", 0.0)
    assert (await reindex(command("cancel"), Lines(), database, settings)).markdown.startswith("`cancel`: queued")
    ended = await reindex(command("cancel cancel"), Lines(), database, settings)
    assert ended.markdown.startswith("`cancel`: cancelled")


async def test_a_name_may_be_written_in_any_case(
    database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_folders(database, tmp_path, ["Wiki"])
    monkeypatch.setattr("bots.commands.UNTAKEN_S", 0.0)
    message = await reindex(command("wiki"), Lines(), database, settings)
    assert message.markdown.startswith("`Wiki`: queued")


async def test_without_a_worker_it_says_so_first_and_ends_at_last(
    database: Database, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_folders(database, tmp_path, ["wiki"])
    monkeypatch.setattr("bots.commands.QUEUED_HINT_S", 0.1)
    monkeypatch.setattr("bots.commands.UNTAKEN_S", 0.5)
    lines = Lines()
    message = await reindex(command(), lines, database, settings)
    assert lines.shown == [
        "`wiki`: queued",
        "`wiki`: queued (no worker has taken it up yet; is `tandem worker` running?)",
    ]
    assert "No worker has taken it up; start one with `tandem worker`." in message.markdown
