"""A calibrated linear model: the chance that something is right, and how much each feature moved it.

Logistic regression with a ridge, by Newton's method; calibrated by Platt's scaling (1999) on predictions for rows that
the model had not seen. Both are linear in the logit, so that one set of weights holds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
RIDGES = (1.0, 10.0, 100.0, 1000.0)
FOLDS = 5
STEPS = 50
CONVERGED = 1e-8
LARGEST_LOGIT = 30.0
VARIES = 1e-6  # less is no difference between questions: an age grows by so much while they are read
PLATT_RIDGE = 1.0  # towards a slope of 1 and no shift: a few rows do not bend it


@dataclass(frozen=True)
class LinearModel:
    """`weights` are of standardised features: how far the logit moves for one standard deviation.

    A feature that is unknown (missing, or None) counts as its mean; one beyond what was seen, `lows` to `highs`, as the
    nearest that was. Else a page's age, which hardly differs between questions of one day, decides alone a week on.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def contributions(self, features: Mapping[str, float | None]) -> dict[str, float]:
        """How far each feature moves the logit from where the average question stands."""
        row = [features.get(name) for name in self.names]
        known = np.array([np.nan if value is None else value for value in row], np.float64)
        return dict(zip(self.names, (self._standardise(known) * np.array(self.weights)).tolist(), strict=True))

    def chance(self, features: Mapping[str, float | None]) -> float:
        """0 to 1."""
        return float(squash(self.bias + sum(self.contributions(features).values())))

    def chances(self, rows: ArrayLike) -> Floats:
        """(n,) of rows (n, d) whose columns are `names`; NaN is unknown."""
        return squash(self._standardise(np.asarray(rows, np.float64)) @ np.array(self.weights) + self.bias)

    def _standardise(self, rows: Floats) -> Floats:
        seen = np.clip(rows, np.array(self.lows), np.array(self.highs))
        standard: Floats = np.nan_to_num((seen - np.array(self.means)) / np.array(self.scales))
        return standard


def squash(logits: ArrayLike) -> Floats:
    clipped = np.clip(np.asarray(logits, np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    result: Floats = 1 / (1 + np.exp(-clipped))
    return result


def logit(chance: float) -> float:
    bounded = min(max(chance, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))


def fit_linear(
    names: Sequence[str], rows: ArrayLike, right: ArrayLike, *, groups: ArrayLike | None = None, seed: int = 0
) -> LinearModel:
    """Fits to rows (n, d), of which NaN is unknown, and outcomes (n,), 0 to 1.

    The ridge is the one of RIDGES under which unseen rows are likeliest; the scaling is fitted to those predictions.
    Rows of one group are never on both sides of a fold. Raises ValueError for fewer than two rows a fold.
    """
    features, outcomes = np.asarray(rows, np.float64), np.asarray(right, np.float64)
    if len(outcomes) < 2 * FOLDS:
        raise ValueError(f"{len(outcomes)} rows are too few; {2 * FOLDS} is the least.")
    folds = split_folds(len(outcomes), groups, seed)
    unseen = {ridge: _predict_unseen(features, outcomes, folds, ridge) for ridge in RIDGES}
    ridge = min(RIDGES, key=lambda one: _log_loss(unseen[one], outcomes))
    slope, shift = _fit_platt(unseen[ridge], outcomes)
    means, scales, weights, bias = _fit(features, outcomes, ridge)
    return LinearModel(
        tuple(names),
        tuple(means.tolist()),
        tuple(scales.tolist()),
        *_find_ranges(features),
        tuple((slope * weights).tolist()),
        slope * bias + shift,
    )


def split_folds(count: int, groups: ArrayLike | None, seed: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """(count,) with the fold of each row; groups are drawn as wholes."""
    random = np.random.default_rng(seed)
    own = np.arange(count) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    drawn = np.empty(int(own.max()) + 1, np.int64)
    drawn[random.permutation(len(drawn))] = np.arange(len(drawn)) % folds
    return drawn[own]


def calibration_error(chances: ArrayLike, right: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error over bins of as many rows each (Nixon et al., 2019): mean of |said - was|."""
    order = np.argsort(np.asarray(chances), kind="stable")
    said, was = np.asarray(chances, np.float64)[order], np.asarray(right, np.float64)[order]
    parts = [part for part in np.array_split(np.arange(len(order)), bins) if len(part)]
    return float(sum(len(part) * abs(said[part].mean() - was[part].mean()) for part in parts) / len(order))


def area_under_roc(scores: ArrayLike, right: ArrayLike) -> float:
    """The chance that a right one has the higher score than a wrong one; ties count half. NaN without both kinds."""
    values, truth = np.asarray(scores, np.float64), np.asarray(right, bool)
    positive, negative = values[truth], np.sort(values[~truth])
    if not len(positive) or not len(negative):
        return float("nan")
    below, upto = np.searchsorted(negative, positive, "left"), np.searchsorted(negative, positive, "right")
    return float((below + upto).mean() / 2 / len(negative))


def _fit(features: Floats, outcomes: Floats, ridge: float) -> tuple[Floats, Floats, Floats, float]:
    """Means, scales, weights and bias. Columns that do not vary, or are never known, get no weight."""
    known = ~np.isnan(features)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, features, 0.0).sum(axis=0) / counts
    centred = np.where(known, features - means, 0.0)
    scales = np.sqrt((centred**2).sum(axis=0) / counts)
    scales[scales < VARIES] = np.inf
    design = np.column_stack([centred / scales, np.ones(len(outcomes))])
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 1e-6
    solved = _newton(design, outcomes, penalty, np.zeros(design.shape[1]))
    varying = np.isfinite(scales)
    return means, np.where(varying, scales, 1.0), np.where(varying, solved[:-1], 0.0), float(solved[-1])


def _find_ranges(features: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The lowest and the highest known value of each column; 0 where none is known, as its weight is."""
    lows, highs = (np.nan_to_num(end.reduce(features)) for end in (np.fmin, np.fmax))  # both pass over NaN
    return tuple(lows.tolist()), tuple(highs.tolist())


def _newton(design: Floats, outcomes: Floats, penalty: Floats, towards: Floats) -> Floats:
    solved = towards.copy()
    for _ in range(STEPS):
        chances = squash(design @ solved)
        gradient = design.T @ (chances - outcomes) + penalty * (solved - towards)
        curvature = (design * (chances * (1 - chances))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        solved = solved - step * min(1.0, 10 / max(1e-12, float(np.abs(step).max())))
        if float(np.abs(step).max()) < CONVERGED:
            break
    return solved


def _predict_unseen(features: Floats, outcomes: Floats, folds: NDArray[np.int64], ridge: float) -> Floats:
    logits = np.zeros(len(outcomes))
    for fold in np.unique(folds):
        left = folds == fold
        means, scales, weights, bias = _fit(features[~left], outcomes[~left], ridge)
        logits[left] = np.nan_to_num((features[left] - means) / scales) @ weights + bias
    return logits


def _fit_platt(logits: Floats, outcomes: Floats) -> tuple[float, float]:
    design = np.column_stack([logits, np.ones(len(logits))])
    slope, shift = _newton(design, outcomes, np.array([PLATT_RIDGE, PLATT_RIDGE]), np.array([1.0, 0.0])).tolist()
    return max(slope, 0.0), shift


def _log_loss(logits: Floats, outcomes: Floats) -> float:
    return float(np.mean(np.logaddexp(0, logits) - outcomes * logits))
