"""A fit: two models that tell how likely each route is right. Before there is one, a prior says what rules would."""

from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from graph.routing.decision import Chances
from graph.routing.inputs import Inputs
from graph.routing.linear import LinearModel

READS = 0.75
"""How often the documents, where they cover a question, are taken to answer it rightly."""
KNOWS = 0.5
"""How often the weights are taken to be right with a draft that they are sure of; others are not sent."""
GUESSES = 0.1
"""The same about the house, about what is true now, and where a source is asked for."""


@dataclass(frozen=True)
class Fit:
    direct: LinearModel
    grounded: LinearModel
    id: int = 0

    def chances(self, inputs: Inputs) -> Chances:
        features = inputs.features()
        return Chances(self.direct.chance(features), self.grounded.chance(features), f"fit {self.id}")

    def leanings(self, inputs: Inputs) -> dict[str, float]:
        """How far each feature moves the choice towards the documents (above 0) or the weights, in logits."""
        features = inputs.features()
        direct, grounded = self.direct.contributions(features), self.grounded.contributions(features)
        return {name: grounded.get(name, 0.0) - direct.get(name, 0.0) for name in {*direct, *grounded}}

    def describe(self) -> dict[str, Any]:
        described: dict[str, Any] = _MODELS.dump_python({"direct": self.direct, "grounded": self.grounded}, mode="json")
        return described


_MODELS = TypeAdapter(dict[str, LinearModel])


def read_fit(models: dict[str, Any], identity: int) -> Fit:
    read = _MODELS.validate_python(models)
    return Fit(read["direct"], read["grounded"], identity)


def assume_chances(inputs: Inputs) -> Chances:
    """The prior: the documents are right where they cover the question, the weights where the house has no say."""
    asked = inputs.question
    guessing = asked.wants_house or asked.wants_source or asked.wants_fresh
    return Chances(GUESSES if guessing else KNOWS, READS * inputs.evidence.covered, "prior")


def assume_leanings(inputs: Inputs) -> dict[str, float]:
    """What the prior goes by, as `Fit.leanings` tells it."""
    asked = inputs.question
    return {
        "covered": inputs.evidence.covered - 0.5,
        "wants_house": float(asked.wants_house),
        "wants_source": float(asked.wants_source),
        "wants_fresh": float(asked.wants_fresh),
        "halves_agree": 0.1 * inputs.evidence.halves_agree,
        "age": 0.01,
    }
