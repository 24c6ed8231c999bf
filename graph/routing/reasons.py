"""Reasons in words: the largest contributions to the choice, so that a person without a manual understands it."""

import math
from collections.abc import Callable, Mapping

from graph.answers import Route
from graph.rarity import RAREST
from graph.routing.decision import FROM_MEMORY
from graph.routing.inputs import SOON_DAYS, Inputs
from graph.routing.policy import Policy

MOST = 3
ABOUT_IT = 0.5
"""The chance of being covered from which a passage is said to be about the question."""
AGAINST_DOCUMENTS = ("evidence", "reading", "due")
AGAINST_MEMORY = ("memory", "fresh", "house", "source", "quantity", "rare")
"""What is told of where neither speaks."""
ABOUT: Mapping[str, tuple[str, ...]] = {
    "evidence": (*("covered", "best_score", "best_dense", "best_coverage", "known_share", "margin", "spread"),),
    "agreement": ("halves_agree",),
    "memory": ("direct_history",),
    "taught": ("taught",),
    "reading": ("grounded_history",),
    "fresh": ("wants_fresh", "has_date"),
    "house": ("wants_house",),
    "source": ("wants_source",),
    "quantity": ("quantity", "has_number"),
    "rare": ("rarity",),
    "due": ("due", "expires"),
    "age": ("age",),
}
"""Features that one sentence tells of. Others, such as the length of a question, move the chances without a word."""


def explain(
    route: Route, inputs: Inputs, leanings: Mapping[str, float], policy: Policy, *, drawn: bool
) -> tuple[str, ...]:
    """Three at most. `leanings` are above 0 where a feature speaks for the documents."""
    stale = inputs.staleness.stale and inputs.evidence.is_readable
    first = [_tell_change(inputs, route)] if stale and route != "direct" else []
    if drawn:
        first = ["tried the other way on purpose: it was a close call, and trying teaches me which is better"]
    if policy.name == "sourced" and route != "direct":
        first = [*first, "nothing is answered from memory here (that is this team's setting)"]
    weights = {about: sum(leanings.get(name, 0.0) for name in names) for about, names in ABOUT.items()}
    if route == "declined":
        asked_memory = not stale and policy.name != "sourced"
        weights = {about: -weights[about] for about in AGAINST_DOCUMENTS} | {
            about: weights[about] for about in AGAINST_MEMORY if asked_memory
        }
        # With nothing to read, that comes first; else the passages are told of, whatever else spoke against them.
        weights["evidence"] = max(weights["evidence"], 0.01) if inputs.evidence.is_readable else math.inf
    elif route == "direct":
        weights = {about: -weight for about, weight in weights.items()}
        weights["evidence"] = max(weights["evidence"], 0.01) if inputs.evidence.covered < ABOUT_IT else 0.0
    ranked = sorted((about for about in weights if weights[about] > 0), key=lambda about: -weights[about])
    told = [text for about in ranked if (text := TELL[about](inputs, route))]
    if route == "declined" and asked_memory:
        told = [*told, "the model's memory alone would be guessing"]
    lead = {"grounded": "looked it up: ", "direct": FROM_MEMORY, "declined": ""}.get(route, "")
    reasons = [*first, *told][:MOST] or ["that seemed the likelier to be right"]
    return (f"{lead}{reasons[0]}", *reasons[1:])


def _tell_change(inputs: Inputs, route: Route) -> str:
    stale = inputs.staleness
    when = f" on {stale.changed_at:%-d %B %Y}" if stale.changed_at else ""
    lead = "memory may be out of date: " if route == "declined" else ""
    return f"{lead}“{stale.title}” changed{when}, after the model was trained"


def _tell_evidence(inputs: Inputs, route: Route) -> str:
    evidence = inputs.evidence
    if not evidence.passages:
        return "there are no documents yet"
    share = f"{evidence.best_coverage:.0%}"
    if route == "grounded":
        if evidence.best_coverage >= 0.5:
            return f"the best passage covers {share} of the words that matter"
        return f"a passage means much the same, though it shares only {share} of the words that matter"
    if evidence.covered >= ABOUT_IT:  # and the answer is declined
        return f"a passage covers {share} of the words that matter, but seemed unlikely to hold the answer"
    return f"no passage is about this (the best covers {share} of the words that matter)"


def _tell_memory(inputs: Inputs, _: Route) -> str:
    history = inputs.history
    if not history.direct_of:
        return ""
    return f"I was right on {history.direct_right} of {history.direct_of} similar questions from memory"


def _tell_taught(inputs: Inputs, route: Route) -> str:
    if inputs.staleness.taught and route == "direct":
        return "the model was trained on the page about this, and it is still the same"
    if not inputs.staleness.taught and inputs.staleness.trained_at and route != "direct":
        return "the model was not trained on the page about this"
    return ""


def _tell_reading(inputs: Inputs, _: Route) -> str:
    history = inputs.history
    if not history.grounded_of:
        return ""
    return f"the documents answered {history.grounded_right} of {history.grounded_of} similar questions rightly"


def _tell_age(inputs: Inputs, route: Route) -> str:
    days = inputs.evidence.best_age_days
    return f"that page last changed {describe_days(days)}" if days is not None and route == "grounded" else ""


def _tell_due(inputs: Inputs, _: Route) -> str:
    left = inputs.staleness.expires_in_days
    if left is not None and left < SOON_DAYS:
        return f"the best page expires in {max(0, round(left))} days"
    return "the best page is due for review" if inputs.staleness.due else ""


def _when(holds: Callable[[Inputs], bool], grounded: str) -> Callable[[Inputs, Route], str]:
    return lambda inputs, route: grounded if holds(inputs) and route != "direct" else ""


TELL: Mapping[str, Callable[[Inputs, Route], str]] = {
    "evidence": _tell_evidence,
    "agreement": _when(
        lambda inputs: inputs.evidence.halves_agree, "search by meaning and search by words agree on the page"
    ),
    "memory": _tell_memory,
    "taught": _tell_taught,
    "reading": _tell_reading,
    "fresh": _when(lambda inputs: inputs.question.wants_fresh, "you ask for what is true now"),
    "house": _when(lambda inputs: inputs.question.wants_house, "you ask about the house"),
    "source": _when(lambda inputs: inputs.question.wants_source, "you ask for a source"),
    "quantity": _when(
        lambda inputs: inputs.question.quantity, "you ask for a number or a date, which memory easily gets wrong"
    ),
    "rare": _when(
        lambda inputs: inputs.question.rarity == RAREST, "you name something rare, which memory easily gets wrong"
    ),
    "due": _tell_due,
    "age": _tell_age,
}


def describe_days(days: float) -> str:
    if days < 1:
        return "today"
    if days < 60:
        return f"{round(days)} days ago" if round(days) != 1 else "yesterday"
    return f"{round(days / 30.4)} months ago" if days < 730 else f"{round(days / 365.25)} years ago"
