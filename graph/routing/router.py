"""The router that serves: the fit in service, or the prior before there is one, under the operator's policy."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from graph.answers import Route
from graph.routing.decision import Decision
from graph.routing.fit import Fit, assume_chances, assume_leanings
from graph.routing.fits import find_serving
from graph.routing.inputs import Inputs
from graph.routing.policy import Policy
from graph.routing.reasons import explain
from tandem.db.pool import Database
from tandem.models.client import ModelClient

FRESH_S = 30.0
"""How long after a promotion or a rollback the fit before may still decide."""
CLOSE = 0.1
"""Routes whose worth differs by less are drawn from, where the policy explores."""
Draw = Callable[[], float]


def decide(inputs: Inputs, fit: Fit | None, policy: Policy, draw: Draw) -> Decision:
    """`draw` gives a number from 0 to 1 where the route is left to chance."""
    if not inputs.needs_facts:
        reason = "this asks for writing, not for a fact in the documents"
        if inputs.question.small_talk:
            reason = "this is small talk, no fact to look up"
        return Decision("direct", (reason,), inputs)
    chances = fit.chances(inputs) if fit else assume_chances(inputs)
    leanings = fit.leanings(inputs) if fit else assume_leanings(inputs)
    covered, stale = inputs.evidence.covered, inputs.staleness.stale
    worth = policy.utilities(chances, covered=covered, stale=stale)
    if inputs.ambiguity and _best(worth) == "grounded":
        two = inputs.ambiguity
        reason = f"this could be about “{two.first}” or about “{two.second}”, which fit it equally well"
        return Decision("asked", (reason,), inputs, chances)
    route, propensity = choose_route(worth, policy, draw)
    return Decision(
        route,
        explain(route, inputs, leanings, policy, drawn=propensity < 1 and route != _best(worth)),
        inputs,
        chances,
        fallback="grounded" if worth.get("grounded", 0.0) > 0 else "declined",
        propensity=propensity,
    )


@dataclass
class ServingRouter:
    """Reads the fit in service now and then, and when the adapter changes, so that a promotion needs no restart."""

    database: Database
    model: ModelClient
    policy: Policy
    draw: Draw = random.random
    _fit: Fit | None = None
    _adapter: str | None = None
    _read_at: float = field(default=-FRESH_S)

    async def decide(self, inputs: Inputs) -> Decision:
        """Raises DatabaseUnavailable, and what the model client raises."""
        adapter = (await self.model.describe()).adapter
        if adapter != self._adapter or time.monotonic() - self._read_at > FRESH_S:
            self._fit = await find_serving(self.database, adapter)
            self._adapter, self._read_at = adapter, time.monotonic()
        return decide(inputs, self._fit, self.policy, self.draw)


def _best(worth: dict[Route, float]) -> Route:
    return max(worth, key=lambda route: worth[route])


def choose_route(worth: dict[Route, float], policy: Policy, draw: Draw) -> tuple[Route, float]:
    """The route of most worth; in a share of close calls between weights and documents, the other one, unless declining
    is worth more."""
    best = _best(worth)
    other: dict[Route, Route] = {"direct": "grounded", "grounded": "direct"}
    rival = other.get(best)
    if not policy.explore or rival is None or worth.get(rival, -1.0) < max(0.0, worth[best] - CLOSE):
        return best, 1.0
    return (rival, policy.explore) if draw() < policy.explore else (best, 1 - policy.explore)
