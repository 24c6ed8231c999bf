"""The policy: what a right answer, a wrong one, a second and a token are worth to whoever runs Tandem."""

from dataclasses import dataclass
from typing import Literal

from graph.answers import Route
from graph.routing.decision import Chances
from graph.routing.evidence import MIN_COVERED

PolicyName = Literal["balanced", "cite", "sourced", "fast"]
DIRECT_TOKENS = 120
"""Prompt and answer of a draft from memory."""
GROUNDED_TOKENS = 450
"""The same with two passages."""


@dataclass(frozen=True)
class Policy:
    """`wrong_costs` is what a wrong answer costs, where a right one is worth 1 and none 0; `token_costs` the same for a
    thousand tokens, which stand for the seconds too.

    `cite`: wherever the documents cover a question they answer it, however sure the weights are.
    `sourced`: nothing but small talk and writing is answered from memory. `fast`: tokens cost six times as much.
    """

    name: PolicyName = "balanced"
    wrong_costs: float = 0.5
    explore: float = 0.0
    """The share of close calls whose route is drawn, so that the other one can be judged too."""

    @property
    def token_costs(self) -> float:
        return 0.3 if self.name == "fast" else 0.05

    def utilities(self, chances: Chances, *, covered: float, stale: bool) -> dict[Route, float]:
        """What each route that is open is worth; declining is worth 0."""
        worth: dict[Route, float] = {"declined": 0.0}
        readable = covered >= MIN_COVERED
        if readable:
            worth["grounded"] = self._worth(chances.grounded, GROUNDED_TOKENS)
        shut = self.name == "sourced" or (readable and (stale or (self.name == "cite" and worth["grounded"] > 0)))
        if not shut:
            worth["direct"] = self._worth(chances.direct, DIRECT_TOKENS)
        return worth

    def _worth(self, right: float, tokens: int) -> float:
        return right - self.wrong_costs * (1 - right) - self.token_costs * tokens / 1000
