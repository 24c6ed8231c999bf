"""The decision: who speaks, why, and how likely each route was thought to be right."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from graph.answers import Route
from graph.routing.inputs import Inputs

FROM_MEMORY = "answered from memory: "
"""How the reasons of a direct answer begin."""


@dataclass(frozen=True)
class Chances:
    """Of being right, 0 to 1. `source`: the fit that they come from, or `prior` where nothing was graded yet."""

    direct: float
    grounded: float
    source: str


@dataclass(frozen=True)
class Decision:
    """Reasons: three at most, the weightiest first; what comes up while answering is added. `chances` is None where
    none were estimated. `propensity`: how probable this route was when it was drawn; 1 where nothing was left to
    chance. `p_answer`: the chance, once the passages were read, that they answer; None where no reader told."""

    route: Route
    reasons: tuple[str, ...]
    inputs: Inputs
    chances: Chances | None = None
    fallback: Route = "declined"
    """Where an unsure draft from memory leads."""
    propensity: float = 1.0
    p_answer: float | None = None

    def explained(self, reason: str) -> "Decision":
        """The same decision with one reason more, which came up while answering."""
        return replace(self, reasons=(*self.reasons, reason))

    def doubted(self, reason: str) -> "Decision":
        """The same decision after a draft failed; that is the first reason now. The next tells what was tried, not what
        was answered."""
        tried = [
            f"asked memory first: {told.removeprefix(FROM_MEMORY)}" if told.startswith(FROM_MEMORY) else told
            for told in self.reasons
        ]
        return replace(self, reasons=(reason, *tried))

    def record(self) -> Mapping[str, Any]:
        """JSON for the kept answer."""
        chances = self.chances
        return {
            "chosen": self.route,
            "p_direct": chances.direct if chances else None,
            "p_grounded": chances.grounded if chances else None,
            "source": chances.source if chances else None,
            "propensity": self.propensity,
            "p_answer": self.p_answer,
            "inputs": self.inputs.record(),
        }


class Router(Protocol):
    """Chooses the route from all that is known."""

    async def decide(self, inputs: Inputs) -> Decision: ...


@dataclass(frozen=True)
class FixedRouter:
    """Always the same route, for measurements."""

    route: Route
    reason: str

    async def decide(self, inputs: Inputs) -> Decision:
        return Decision(self.route, (self.reason,), inputs)
