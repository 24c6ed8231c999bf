"""Arms answer with the parts that serve people, and leave nothing behind in the database that they were asked on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.routing.fit import Fit
from graph.routing.fits import keep_fit
from graph.routing.linear import LinearModel
from tandem.db.pool import Database
from tandem.errors import SourceError
from tandem.evals.arms import ARMS, GROUNDED, ArmName, open_arms
from tandem.evals.comparison import compare_arms
from tandem.evals.qa import Asked
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.models.client import ModelClient
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.settings import Settings

PAGE = "# Badges\n\nA lost badge costs 15 euros. Report it to the security office within four hours.\n"


@pytest.fixture
async def bench(model_settings: Settings, tmp_path: Path) -> AsyncIterator[Workbench]:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "badges.md").write_text(PAGE)
    async with open_workbench(model_settings, documents=folder) as opened:
        await opened.look()
        yield opened
    assert (folder / "badges.md").exists()


async def test_every_arm_answers_in_its_own_way_and_nothing_is_kept(bench: Workbench) -> None:
    question = "What does a lost badge cost?"
    async with open_arms(bench.settings, bench.database, VIEWER, ARMS) as arms:
        assert list(arms.ask) == ["tandem", "retrieval", "tuned+retrieval", "prompt", "tuned"]
        assert (arms.adapter, arms.left_out) == (PACKAGED_ADAPTER, {})
        replies = {name: await ask(question) for name, ask in arms.ask.items()}
    assert replies["retrieval"].route == "grounded"
    for name in GROUNDED:  # where the reader is in doubt, it shows what it read
        assert "15 euros" in replies[name].text
        assert [citation.uri.endswith("badges.md") for citation in replies[name].citations] == [True]
    assert replies["prompt"].citations == ()
    for reply in replies.values():
        assert min(reply.prompt_tokens, reply.answer_tokens, reply.milliseconds) > 0
    assert replies["prompt"].prompt_tokens < replies["retrieval"].prompt_tokens
    for table in ("answers", "checkpoints"):
        [row] = await bench.database.fetch_all(f"SELECT count(*) FROM {table}".encode())
        assert row["count"] == 0


async def test_tandem_chooses_by_the_fit_of_the_house(bench: Workbench, database: Database) -> None:
    """One that is sure that documents are never right, and memory always; the scratch database has no fit."""
    never, always = [LinearModel((), (), (), (), (), (), bias) for bias in (-9.0, 9.0)]
    fit = await keep_fit(database, Fit(always, never), {}, adapter=PACKAGED_ADAPTER, passed=True)
    tandem: tuple[ArmName, ...] = ("tandem",)
    async with open_arms(bench.settings, bench.database, VIEWER, tandem) as alone:
        assert alone.fit is None
    async with open_arms(bench.settings, bench.database, VIEWER, tandem, database) as arms:
        assert arms.fit == fit
        assert (await arms.ask["tandem"]("What does a lost badge cost?")).route != "grounded"


async def test_only_what_is_wanted_is_opened(bench: Workbench) -> None:
    plain = bench.settings.model_copy(update={"model": (await bench.model.describe()).model})
    async with open_arms(plain, bench.database, VIEWER, ("tuned", "prompt")) as arms:
        assert list(arms.ask) == ["prompt"]
        assert list(arms.left_out) == ["tuned"]
    tuned: tuple[ArmName, ...] = ("tuned",)
    with pytest.raises(SourceError, match="no adapter is in service"):
        await compare_arms(plain, bench.database, bench.model, VIEWER, [Asked(question="x", answers=("y",))], tuned)


async def test_where_nothing_is_indexed_nothing_is_searched(database: Database, model_settings: Settings) -> None:
    wanted: tuple[ArmName, ...] = ("retrieval",)
    async with ModelClient.open(model_settings) as model:
        with pytest.raises(SourceError, match="Nothing is indexed"):
            await compare_arms(
                model_settings, database, model, VIEWER, [Asked(question="Who?", answers=("Rollo",))], wanted
            )
