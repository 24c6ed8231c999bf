"""Better, worse, or no difference beyond noise; and what the gate makes of it."""

import numpy as np
import pytest

from tandem.db.pool import Database
from tandem.tuning.verdict import Comparison, Verdict, compare, keep_verdict, list_verdicts


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
