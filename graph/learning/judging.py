"""What another fit would have been worth, from the logs alone: what people said of answers, and how likely each was.

Doubly robust (Dudík et al., 2011): what the fit expects, corrected by the verdicts where it would have chosen the same
route, each weighed by one over the probability with which that was chosen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graph.answers import Route
from graph.learning.gate import estimate_mean
from graph.learning.sample import QUERIES
from graph.routing.fit import Fit, assume_chances
from graph.routing.inputs import Inputs, read_inputs
from graph.routing.policy import Policy
from graph.routing.router import decide
from tandem.db.pool import Database

MOST = 5_000
LEAST = 30
LARGEST_WEIGHT = 20.0
"""A rarer route counts no more than this: a little bias for far less noise."""


@dataclass(frozen=True)
class Judged:
    """An answer that people judged: the share of thumbs up (0 to 1), and the route that was chosen, with its
    probability. Where an unsure draft gave way, another route wrote the answer."""

    inputs: Inputs
    route: Route
    propensity: float
    liked: float


async def list_judged(database: Database) -> list[Judged]:
    rows = await database.fetch_all(QUERIES["list_judged"], {"most": MOST})
    return [_read(row) for row in rows]


def estimate_liked(judged: Sequence[Judged], fit: Fit | None, policy: Policy) -> tuple[float, float, float] | None:
    """The share of answers that people would have liked under this fit, with its 95% interval; None for too few.

    Declining and asking back are liked by nobody here: no verdict tells.
    """
    if len(judged) < LEAST:
        return None
    values = []
    for one in judged:
        chances = fit.chances(one.inputs) if fit else assume_chances(one.inputs)
        route = decide(one.inputs, fit, policy, lambda: 1.0).route
        expected = {"direct": chances.direct, "grounded": chances.grounded}.get(route, 0.0)
        weight = min(LARGEST_WEIGHT, 1 / one.propensity) if route == one.route else 0.0
        values.append(expected + weight * (one.liked - expected))
    return estimate_mean(values)


def _read(row: Mapping[str, Any]) -> Judged:
    kept = row["inputs"]
    return Judged(read_inputs(kept["inputs"]), row["route"], float(kept["propensity"]), row["liked"])
