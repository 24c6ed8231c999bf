"""Intervals hold the truth about as often as they say, draw groups together, and see no certainty in few alike."""

import numpy as np
import pytest

from tandem.evals.bootstrap import Estimate, estimate_mean


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    noise = np.random.default_rng(7)
    held = [
        found.low <= 0.4 <= found.high
        for found in (estimate_mean((noise.random(80) < 0.4).astype(float)) for _ in range(200))
    ]
    assert 0.89 <= np.mean(held) <= 0.99


def test_groups_are_drawn_together() -> None:
    values, groups = [1.0] * 50 + [0.0] * 50, [number // 10 for number in range(100)]
    alone, together = estimate_mean(values), estimate_mean(values, groups)
    assert alone.mean == together.mean == 0.5
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_mean_of_uneven_groups_is_that_of_the_values() -> None:
    found = estimate_mean([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])
    assert found == Estimate(0.75, 0.0, 1.0)


def test_alike_values_leave_room() -> None:
    none = estimate_mean([0.0] * 20)
    assert (none.mean, none.low) == (0, 0)
    assert none.high == pytest.approx(0.168, abs=0.001)  # Clopper and Pearson: 0 of 20
    same = estimate_mean([0.0] * 20, bounds=(-1, 1))
    assert same.low == -same.high
    assert same.low < 0 < same.high
