"""The decision: shall the weights answer, or the documents? Rules here; a fitted router has the same interface."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from graph.answers import Route
from index.search import SearchResult

_SMALL_TALK = re.compile(
    r"^\W*(hi|hello|hey|howdy|good (morning|afternoon|evening|night)|thanks?|thank you|cheers|bye|goodbye|ok|okay|cool"
    r"|great|how are you|who are you|what are you|what can you do|help)\b[\w\s,'!.?]{0,40}$",
    re.IGNORECASE,
)
_FRESH = re.compile(
    r"\b(today|now|current(ly)?|latest|newest|recent(ly)?|this (week|month|year|quarter)|as of|still|yet|20\d\d)\b",
    re.I,
)
_HOUSE = re.compile(r"\b(we|us|our|ours|policy|policies|handbook|document(s|ation)?|wiki|page)\b", re.IGNORECASE)
_SOURCE = re.compile(
    r"\b(source|cite|citation|reference|link|where (does|do|can i find)|according to)\b", re.IGNORECASE
)
_TASK = re.compile(
    r"^\W*(please )?(write|draft|rewrite|rephrase|translate|summari[sz]e|compose|brainstorm|tell me a)\b", re.I
)


@dataclass(frozen=True)
class Inputs:
    """All that the decision knows. Kept with the answer, so that it can be judged and learned from later."""

    words: int
    small_talk: bool
    task: bool
    wants_fresh: bool
    wants_house: bool
    wants_source: bool
    passages: int
    best_score: float
    best_dense: float
    best_coverage: float
    margin: float
    known_share: float
    halves_agree: bool
    best_age_days: float | None
    evidence: float = 0.0
    """How surely the corpus covers the question, 0 to 1."""


@dataclass(frozen=True)
class Decision:
    """`p_direct` and `p_grounded` are None where the router does not estimate them. Reasons: the weightiest first."""

    route: Route
    reasons: tuple[str, ...]
    inputs: Inputs
    p_direct: float | None = None
    p_grounded: float | None = None
    fallback: Route = "declined"
    """Where an unsure draft from memory leads."""

    def explained(self, reason: str) -> "Decision":
        """The same decision with one reason more, which came up while answering."""
        return replace(self, reasons=(*self.reasons, reason))

    def doubted(self, reason: str) -> "Decision":
        """The same decision after the draft from memory failed; that is the first reason now."""
        return replace(self, reasons=(reason, *self.reasons))

    def record(self) -> Mapping[str, object]:
        return {"p_direct": self.p_direct, "p_grounded": self.p_grounded, "chosen": self.route, **asdict(self.inputs)}


class Router(Protocol):
    """Chooses the route from the question and the evidence."""

    def decide(self, question: str, found: SearchResult) -> Decision: ...


def read_inputs(question: str, found: SearchResult) -> Inputs:
    best = found.hits[0] if found.hits else None
    second = found.hits[1].score if len(found.hits) > 1 else 0.0
    top_lexical = max(found.hits, key=lambda hit: hit.lexical, default=None)
    top_dense = max(found.hits, key=lambda hit: hit.dense, default=None)
    inputs = Inputs(
        words=len(question.split()),
        small_talk=bool(_SMALL_TALK.match(question)),
        task=bool(_TASK.match(question)),
        wants_fresh=bool(_FRESH.search(question)),
        wants_house=bool(_HOUSE.search(question)),
        wants_source=bool(_SOURCE.search(question)),
        passages=len(found.hits),
        best_score=best.score if best else 0.0,
        best_dense=top_dense.dense if top_dense else 0.0,
        best_coverage=max((hit.coverage for hit in found.hits), default=0.0),
        margin=best.score - second if best else 0.0,
        known_share=found.known_share,
        halves_agree=bool(top_lexical and top_dense and top_lexical.document_id == top_dense.document_id),
        best_age_days=_age_days(best.changed_at) if best and best.changed_at else None,
    )
    return replace(inputs, evidence=weigh_evidence(inputs))


@dataclass(frozen=True)
class RuleRouter:
    """Small talk and writing go to the weights; a question that the documents cover goes to them; the rest is weighed.

    `covered` is the evidence (0 to 1) from which the documents speak, `near` the one from which they are read when the
    weights are unsure. Measured: docs/decision.md.
    """

    covered: float = 0.5
    near: float = 0.42

    def decide(self, question: str, found: SearchResult) -> Decision:
        inputs = read_inputs(question, found)
        share = f"{inputs.best_coverage:.0%}"
        if inputs.small_talk:
            return Decision("direct", ("this is small talk, no fact to look up",), inputs)
        if inputs.evidence >= self.covered and not inputs.task:
            reasons = [f"looked it up: the best passage covers {share} of the words that matter"]
            if inputs.halves_agree:
                reasons.append("search by meaning and search by words agree on the page")
            if inputs.best_age_days is not None:
                reasons.append(f"that page last changed {describe_days(inputs.best_age_days)}")
            return Decision("grounded", tuple(reasons), inputs)
        missing = "there are no documents yet" if not inputs.passages else f"no passage fits (the best covers {share})"
        if inputs.task:
            return Decision("direct", ("this asks for writing, not for a fact in the documents",), inputs)
        if inputs.wants_source or inputs.wants_house or inputs.wants_fresh:
            asked = "a source" if inputs.wants_source else "the house" if inputs.wants_house else "what is true now"
            return Decision(
                "declined", (f"asks for {asked}, and {missing}", "the weights alone would be guessing"), inputs
            )
        near = inputs.evidence >= self.near
        return Decision(
            "direct", (f"{missing}, so the weights were asked",), inputs, fallback="grounded" if near else "declined"
        )


def weigh_evidence(inputs: Inputs) -> float:
    """How surely the corpus covers the question, 0 to 1: nearness in meaning, sustained by shared words."""
    if not inputs.passages:
        return 0.0
    return min(1.0, max(0.0, 0.75 * inputs.best_dense + 0.45 * inputs.best_coverage))


def describe_days(days: float) -> str:
    if days < 1:
        return "today"
    if days < 60:
        return f"{round(days)} days ago" if round(days) != 1 else "yesterday"
    return f"{round(days / 30.4)} months ago" if days < 730 else f"{round(days / 365.25)} years ago"


def _age_days(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds() / 86400)
