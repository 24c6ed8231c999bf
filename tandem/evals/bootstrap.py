"""How far a figure may be off by the luck of the questions: percentile bootstrap (Efron and Tibshirani, 1993)."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 2_000
SEED = 0
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean, and the interval that holds it in 95 of 100 repetitions."""

    mean: float
    low: float
    high: float

    @property
    def is_positive(self) -> bool:
        return self.low > 0

    @property
    def is_negative(self) -> bool:
        return self.high < 0

    def describe(self) -> dict[str, float]:
        return {"mean": round(self.mean, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def estimate_mean(
    values: ArrayLike, groups: Sequence[Hashable] | None = None, *, bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    """Of at least one value between the bounds. Values of one group (questions on one document) are drawn together, as
    they stand or fall together. For a paired difference of two arms, give the differences, and -1 and 1."""
    numbers = np.asarray(values, np.float64)
    sums, sizes = _add_up(numbers, groups)
    if np.ptp(numbers) == 0:
        # Drawing again shows no spread; so many alike leave room for this much (Clopper and Pearson, 1934).
        value, room = float(numbers[0]), 1 - ((1 - CONFIDENCE) / 2) ** (1 / len(sums))
        return Estimate(value, max(bounds[0], value - room), min(bounds[1], value + room))
    chosen = np.random.default_rng(SEED).integers(0, len(sums), (DRAWS, len(sums)))
    means = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return Estimate(float(numbers.mean()), low, high)


def _add_up(
    numbers: NDArray[np.float64], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and size of each group."""
    if groups is None:
        return numbers, np.ones(len(numbers))
    names = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    of = np.array([names[group] for group in groups])
    return np.bincount(of, numbers).astype(np.float64), np.bincount(of).astype(np.float64)
