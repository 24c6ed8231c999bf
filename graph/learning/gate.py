"""The gate: a new fit against the one in service, on the same graded questions. One that may be worse stays out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graph.answers import Route
from graph.learning.graded import Graded
from graph.learning.refit import Refit
from graph.routing.fit import Fit
from graph.routing.linear import area_under_roc, calibration_error
from graph.routing.policy import DIRECT_TOKENS, GROUNDED_TOKENS, Policy
from graph.routing.router import decide

DRAWS, SEED = 2_000, 0
WORSE = 0.03
"""How much less an answer may be worth, at the lower end of what luck explains, before a fit is refused."""


@dataclass(frozen=True)
class Verdict:
    """`difference`: how much more an answer is worth under the new fit, with its 95% interval. Worth as in Policy."""

    questions: int
    new: float
    serving: float
    difference: tuple[float, float, float]
    report: dict[str, Any]

    @property
    def passed(self) -> bool:
        mean, low, _ = self.difference
        return mean >= 0 and low > -WORSE


def judge(graded: Sequence[Graded], made: Refit, serving: Fit | None, policy: Policy) -> Verdict:
    """Each question is decided by the part of the new fit that has not seen it. The one in service may have seen it
    when it was made, so a tie is in its favour."""
    rows = [number for number, one in enumerate(graded) if one.direct_right is not None]
    new = [_realise(graded[row], made.unseen(row), policy) for row in rows]
    old = [_realise(graded[row], serving, policy) for row in rows]
    worth, before = np.array([value for _, value in new]), np.array([value for _, value in old])
    difference = estimate_mean(worth - before)
    chances = [made.unseen(row).chances(graded[row].inputs) for row in rows]
    direct = [float((graded[row].direct_right or 0.0) >= 0.5) for row in rows]
    grounded = [float(graded[row].grounded_right >= 0.5) for row in rows]
    routes = [route for route, _ in new]
    report = {
        "questions": len(rows),
        "worth": {"new": _round(worth.mean()), "in_service": _round(before.mean())},
        "difference": dict(zip(("mean", "low", "high"), map(_round, difference), strict=True)),
        "right": {"from_memory": _round(np.mean(direct)), "from_documents": _round(np.mean(grounded))},
        "routes": {route: routes.count(route) for route in ("direct", "grounded", "asked", "declined")},
        "p_direct": _describe([one.direct for one in chances], direct),
        "p_grounded": _describe([one.grounded for one in chances], grounded),
    }
    return Verdict(len(rows), float(worth.mean()), float(before.mean()), difference, report)


def estimate_mean(values: ArrayLike) -> tuple[float, float, float]:
    """The mean and its 95% interval: percentile bootstrap (Efron and Tibshirani, 1993)."""
    numbers = np.asarray(values, np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(numbers), (DRAWS, len(numbers)))
    low, high = np.quantile(numbers[drawn].mean(axis=1), [0.025, 0.975]).tolist()
    return float(numbers.mean()), low, high


def _realise(one: Graded, fit: Fit | None, policy: Policy) -> tuple[Route, float]:
    """The route that the fit would take, and what came of it."""
    route = decide(one.inputs, fit, policy, lambda: 1.0).route
    right = {"direct": one.direct_right or 0.0, "grounded": one.grounded_right}.get(route)
    if right is None:
        return route, 0.0
    tokens = DIRECT_TOKENS if route == "direct" else GROUNDED_TOKENS
    return route, right - policy.wrong_costs * (1 - right) - policy.token_costs * tokens / 1000


def _describe(said: Sequence[float], was: Sequence[float]) -> dict[str, float]:
    return {"auroc": _round(area_under_roc(said, was)), "calibration_error": _round(calibration_error(said, was))}


def _round(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)
