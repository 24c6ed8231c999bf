"""Better, worse, or no difference beyond noise; and what the gate makes of it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tandem.tuning.examples import Task
from tandem.tuning.judging import judge
from tandem.tuning.sets import Asked, JudgedSet, make_sets
from tandem.tuning.verdict import Comparison, Verdict, compare, keep_verdict, list_verdicts
from tests.tuning.made import make_example

TASKS: tuple[Task, ...] = ("tone", "language")


def test_a_clear_gain_a_clear_loss_and_noise_are_told_apart() -> None:
    noise = np.random.default_rng(1)
    before = noise.random(60)
    better = compare("held out", before.tolist(), (before + 0.2 + noise.normal(0, 0.2, 60)).tolist(), must_gain=True)
    worse = compare("general", before.tolist(), (before - 0.2).tolist())
    same = compare("general", before.tolist(), noise.permutation(before).tolist())
    assert (better.is_better, better.passes, better.word) == (True, True, "better")
    assert (worse.is_worse, worse.passes, worse.word) == (True, False, "✗ worse")
    assert (same.is_better, same.is_worse, same.passes) == (False, False, True)
    assert same.low < 0 < same.high


def test_no_gain_is_not_enough_where_a_gain_is_wanted() -> None:
    assert not compare("held out", [0.5] * 20, [0.5] * 20, must_gain=True).passes


def test_examples_of_one_origin_are_one_piece_of_evidence() -> None:
    """Of three origins two gain and one loses, which is noise; as sixty examples it would look like a gain."""
    after = [1.0] * 20 + [0.9] * 20 + [0.2] * 20
    groups = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    assert compare("held out", [0.5] * 60, after).is_better
    grouped = compare("held out", [0.5] * 60, after, groups=groups)
    assert not grouped.is_better
    assert grouped.low < 0 < grouped.high


def answer(judged: JudgedSet, old: Sequence[float], new: Sequence[float]) -> JudgedSet:
    """The same set, whose questions are answered so well by both, whatever the model."""

    def mark(before: float, after: float) -> Asked:
        async def ask(model: ModelClient, name: str) -> float:
            return after if name == "house.2" else before

        return ask

    return replace(judged, questions=tuple(map(mark, old, new)))


async def judge_sets(settings: Settings, sets: Sequence[JudgedSet]) -> dict[str, Comparison]:
    """No server is asked."""
    async with ModelClient.open(settings) as model:
        return {one.set: one for one in await judge(model, "house.2", "house.1", sets, lambda done, total: None)}


async def test_the_gate_knows_which_examples_share_an_origin(settings: Settings) -> None:
    examples = [make_example(at, f"Question {at}?", "Yes.", task=task, origin=f"page {at % 3}")
                for at in range(12) for task in TASKS]  # fmt: skip
    held = [judged for judged in make_sets(examples) if judged.is_own]
    assert [judged.groups for judged in held] == [tuple(f"page {at % 3}" for at in range(12))] * 2
    found = await judge_sets(settings, [answer(judged, [0.0] * 12, [1.0, 0.9, -0.3] * 4) for judged in held])
    assert list(found) == ["all tasks", "tone", "language"]
    assert found["all tasks"].must_gain
    assert not any(one.is_better for one in found.values())


async def test_what_was_learned_before_is_judged_and_need_not_gain(settings: Settings) -> None:
    examples = [make_example(at, f"Question {at}?", "Yes.", task="tone", origin=f"page {at}") for at in range(4)]
    made = {judged.name: judged for judged in make_sets(examples[:2], {"orders": examples[2:]})}
    assert list(made) == ["tone", "orders: tone", "on passages", "general"]
    assert made["orders: tone"].groups == ("page 2", "page 3")
    judged = [answer(made[name], [0.5] * 2, [0.5] * 2) for name in ("tone", "orders: tone")]
    assert {name: one.must_gain for name, one in (await judge_sets(settings, judged)).items()} == {
        "tone": True,
        "orders: tone": False,
    }


def verdict(*comparisons: Comparison, override: str | None = None) -> Verdict:
    return Verdict(
        adapter="house.2",
        digest="ab",
        against="house.1",
        comparisons=comparisons,
        judged_by="ann",
        overridden_by=override,
    )


GOOD = compare("held out", [0.0] * 9, [1.0] * 9, must_gain=True)
BAD = compare("general", [1.0] * 9, [0.0] * 9)


@pytest.mark.parametrize(
    ("found", "is_promoted", "said"),
    [
        (verdict(GOOD), True, "passed the gate"),
        (verdict(GOOD, BAD), False, "house.1 stays in service"),
        (verdict(GOOD, BAD, override="Ann"), True, "Ann answers for"),
        (verdict(GOOD, BAD, override=""), False, "house.1 stays in service"),
    ],
)
def test_it_goes_into_service_by_passing_or_by_name(found: Verdict, is_promoted: bool, said: str) -> None:
    assert found.is_promoted is is_promoted
    assert said in found.summary


async def test_the_newest_verdict_of_each_adapter_is_kept_whole(database: Database) -> None:
    await keep_verdict(database, verdict(GOOD))
    await keep_verdict(database, verdict(GOOD, BAD, override="Ann"))
    [kept] = await list_verdicts(database)
    assert kept.judged_at is not None
    assert kept.model_copy(update={"judged_at": None}) == verdict(GOOD, BAD, override="Ann")
