"""A fit: two models that tell how likely each route is right. Before there is one, a prior says what rules would."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from graph.rarity import RAREST
from graph.routing.decision import Chances
from graph.routing.inputs import Inputs
from graph.routing.linear import LinearModel

READS = 0.75
"""How often the documents, where they cover a question, are taken to answer it rightly."""
KNOWS = 0.5
"""How often the weights are taken to be right with a draft that they are sure of; others are not sent."""
GUESSES = 0.1
"""The same where they are taken to guess: about the house, about what is true now, and where a source is asked for; a
small model also about whatever has a rare name (docs/decision.md)."""
GUESSED = ("wants_house", "wants_source", "wants_fresh", "rarity")


@dataclass(frozen=True)
class Fit:
    """`direct` is None where another adapter's memory was graded: the prior stands in for it."""

    direct: LinearModel | None
    grounded: LinearModel
    id: int = 0

    def chances(self, inputs: Inputs) -> Chances:
        features = inputs.features()
        direct = self.direct.chance(features) if self.direct else assume_chances(inputs).direct
        return Chances(direct, self.grounded.chance(features), f"fit {self.id}")

    def leanings(self, inputs: Inputs) -> dict[str, float]:
        """How far each feature moves the choice towards the documents (above 0) or the weights, in logits."""
        features, assumed = inputs.features(), assume_leanings(inputs)
        grounded = self.grounded.contributions(features)
        direct = self.direct.contributions(features) if self.direct else {name: -assumed[name] for name in GUESSED}
        return {name: grounded.get(name, 0.0) - direct.get(name, 0.0) for name in {*direct, *grounded}}

    def describe(self) -> dict[str, Any]:
        models: dict[str, Any] = {"direct": self.direct, "grounded": self.grounded}
        described: dict[str, Any] = _MODELS.dump_python(models, mode="json")
        return described


_MODELS = TypeAdapter(dict[str, LinearModel])


def read_fit(models: dict[str, Any], identity: int) -> Fit:
    read = _MODELS.validate_python(models)
    return Fit(read["direct"], read["grounded"], identity)


def assume_chances(inputs: Inputs) -> Chances:
    """The prior: the documents are right where they cover the question, the weights where the house has no say."""
    guessing = any(_find_guesses(inputs).values())
    return Chances(GUESSES if guessing else KNOWS, READS * inputs.evidence.covered, "prior")


def _find_guesses(inputs: Inputs) -> dict[str, bool]:
    """Which of GUESSED hold."""
    asked = inputs.question
    rare = inputs.knows_little and asked.rarity == RAREST
    return dict(zip(GUESSED, (asked.wants_house, asked.wants_source, asked.wants_fresh, rare), strict=True))


def assume_leanings(inputs: Inputs) -> dict[str, float]:
    """What the prior goes by, as `Fit.leanings` tells it."""
    return {name: float(holds) for name, holds in _find_guesses(inputs).items()} | {
        "covered": inputs.evidence.covered - 0.5,
        "halves_agree": 0.1 * inputs.evidence.halves_agree,
        "age": 0.01,
    }
