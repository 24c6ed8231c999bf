"""The refit: two new models from the graded questions, and what they say of questions that they have not seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.learning.graded import Graded
from graph.routing.fit import Fit
from graph.routing.inputs import NAMES
from graph.routing.linear import LinearModel, fit_linear, split_folds

LEAST = 60
"""Graded questions, with the adapter in service, below which the prior decides better."""
LEAST_OF_A_KIND = 8
FOLDS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Refit:
    """`fits` are of all folds but one; `folds` (n,) tells which of them has not seen which question."""

    fit: Fit
    fits: tuple[Fit, ...]
    folds: NDArray[np.int64]

    def unseen(self, row: int) -> Fit:
        return self.fits[int(self.folds[row])]


def refit(graded: Sequence[Graded]) -> Refit | str:
    """The new fit, or why there can be none yet."""
    kinds = {
        "from memory": [one.direct_right for one in graded if one.direct_right is not None],
        "from the documents": [one.grounded_right for one in graded],
    }
    for name, grades in kinds.items():
        right = sum(grade >= 0.5 for grade in grades)
        if len(grades) < LEAST:
            return f"{len(grades)} questions are graded {name}; {LEAST} is the least"
        if min(right, len(grades) - right) < LEAST_OF_A_KIND:
            return f"of {len(grades)} questions {right} were answered rightly {name}: there is nothing to tell apart"
    folds = split_folds(len(graded), None, 0, FOLDS)
    parts = [_fit([one for one, fold in zip(graded, folds, strict=True) if fold != left]) for left in range(FOLDS)]
    return Refit(_fit(graded), tuple(parts), folds)


def _fit(graded: Sequence[Graded]) -> Fit:
    rows = np.array([_row(one) for one in graded], np.float64)
    known = np.array([one.direct_right is not None for one in graded])
    direct = np.array([one.direct_right or 0.0 for one in graded])
    grounded = np.array([one.grounded_right for one in graded])
    return Fit(_model(rows[known], direct[known]), _model(rows, grounded))


def _model(rows: Floats, right: Floats) -> LinearModel:
    return fit_linear(NAMES, rows, right)


def _row(one: Graded) -> list[float]:
    features = one.inputs.features()
    return [float("nan") if (value := features[name]) is None else value for name in NAMES]
