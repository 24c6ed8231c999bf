"""The gate on a real model server: what is worse stays out, a name overrides it, what is better goes in at once."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from graph.prompts import ask_directly
from tandem.db.pool import Database
from tandem.models.adapters import Adapters, Card
from tandem.models.client import ModelClient
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.models.launch import ensure_model_server
from tandem.models.weights import describe_weights
from tandem.settings import Settings
from tandem.tuning.examples import TuningError
from tandem.tuning.gate import pass_gate
from tandem.tuning.marks import mark
from tandem.tuning.sets import Asked, JudgedSet, chat, read_general
from tandem.tuning.sets import make_sets as make_judged_sets
from tandem.tuning.verdict import Verdict, list_verdicts
from tests.models.lora_files import write_adapter
from tests.tuning.made import make_example

QUESTIONS = [one.question for one in read_general()[:9]]
TOKENS = 12


@pytest.fixture
async def model(settings: Settings) -> AsyncIterator[ModelClient]:
    """Of a server with nothing in service but the base."""
    async with (
        ensure_model_server(settings) as url,
        ModelClient.open(settings.model_copy(update={"model_url": url})) as client,
    ):
        Adapters(settings).remove(PACKAGED_ADAPTER)
        yield client


async def say(model: ModelClient, question: str, name: str | None = None) -> str:
    deltas = model.chat(ask_directly(question, []), max_tokens=TOKENS, model=name)
    return "".join([delta.text async for delta in deltas])


async def make_sets(model: ModelClient) -> tuple[JudgedSet, ...]:
    """What the base says is what was wished for: nothing is better than it, and noise is worse."""
    asked = [_ask(question, await say(model, question)) for question in QUESTIONS]
    return JudgedSet("answers", tuple(asked), is_own=True), JudgedSet("general", tuple(asked))


def _ask(question: str, wanted: str) -> Asked:
    def worth(said: str) -> float:
        return mark("answers", said, wanted)

    return chat(ask_directly(question, []), TOKENS, worth)


async def judge(
    model: ModelClient,
    database: Database,
    settings: Settings,
    card: Card,
    sets: Sequence[JudgedSet],
    override: str | None = None,
) -> Verdict:
    def ignore(done: int, total: int) -> None:
        return None

    return await pass_gate(
        database, model, settings, card, sets, judged_by="ann", overridden_by=override, on_progress=ignore
    )


async def test_what_is_worse_stays_out_and_what_is_better_goes_in(
    model: ModelClient, settings: Settings, database: Database, tmp_path: Path
) -> None:
    registry, base = Adapters(settings), describe_weights(settings)

    def add(name: str, strength: float) -> Card:
        file = write_adapter(tmp_path / f"{name}.gguf", 1, strength=strength)
        return registry.add(file, Card(name=name, digest="", base=base["name"], base_digest=base["digest"]))

    sets, known = await make_sets(model), (model, database, settings)
    noise, faint = add("house.1", 0.03), add("house.2", 1e-6)

    refused = await judge(*known, noise, sets)
    assert not refused.passed
    assert not refused.is_promoted
    assert all(one.is_worse for one in refused.comparisons)
    assert registry.in_service(base["digest"]) is None

    no_gain = await judge(*known, faint, sets)
    assert [one.passes for one in no_gain.comparisons] == [False, True]
    assert registry.in_service(base["digest"]) is None

    overridden = await judge(*known, noise, sets, override="Ann Berg")
    assert (overridden.passed, overridden.is_promoted) == (False, True)
    assert registry.in_service(base["digest"]) == noise
    assert "Ann Berg" in registry.promotions.read()[-1].reason

    better = await judge(*known, faint, sets)
    assert (better.passed, better.against) == (True, "house.1")
    assert registry.in_service(base["digest"]) == faint
    assert await say(model, QUESTIONS[0]) == await say(model, QUESTIONS[0], "house.2")

    with pytest.raises(TuningError, match="in service already"):
        await judge(*known, faint, sets)
    kept = {one.adapter: (one.passed, one.overridden_by, one.judged_by) for one in await list_verdicts(database)}
    assert kept == {"house.1": (False, "Ann Berg", "ann"), "house.2": (True, None, "ann")}


async def test_too_few_held_out_examples_judge_nothing(settings: Settings, database: Database) -> None:
    """No server is asked."""
    card = Card(name="house.1", digest="", base="b", base_digest="c")
    alike = make_judged_sets([make_example(at, f"Question {at}?", "Yes.", origin="one page") for at in range(9)])
    async with ModelClient.open(settings) as model:
        for sets, said in ((), "0 held-out examples of 0 origins; 8 of 2"), (alike, "9 held-out examples of 1 origins"):
            with pytest.raises(TuningError, match=said):
                await judge(model, database, settings, card, sets)
