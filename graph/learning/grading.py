"""Grading a trial: by a person's correction, else by what people said of the answer sent, else by its reader."""

from dataclasses import dataclass
from typing import Literal

from graph.learning.sample import Logged
from graph.learning.trial import Trial
from graph.sentences import strip_citations
from graph.support import content_terms, find_numbers

GradedBy = Literal["correction", "verdict", "support"]
SAME = 0.5
"""Share of the shorter text's content terms that the longer one must have to say the same."""


@dataclass(frozen=True)
class Grade:
    """How right each route was, 0 to 1; None where nothing tells of memory."""

    direct: float | None
    grounded: float
    by: GradedBy


def grade_trial(logged: Logged, trial: Trial) -> Grade:
    """A verdict on the answer that was sent tells of the route that gave it; the other one is compared with it.

    Without one, documents are as right as their reader thinks, and memory as they are where it says the same. Documents
    that decline give nobody an answer: they count as wrong, and tell nothing of memory.
    """
    memory, documents, likely = trial.from_memory, trial.from_documents, trial.p_documents
    if logged.correction:
        return Grade(_agree(memory, logged.correction), _agree(documents, logged.correction), "correction")
    sent = strip_citations(logged.answer)
    if logged.verdict == "up" and logged.route in ("direct", "grounded"):
        return Grade(_agree(memory, sent), _agree(documents, sent), "verdict")
    # The other route is wrong if it says the same; if it says something else, it may be wrong as well.
    if logged.verdict == "down" and logged.route == "direct":
        return Grade(0.0, 0.0 if _agree(documents, sent) else likely, "verdict")
    if logged.verdict == "down" and logged.route == "grounded":
        return Grade(0.0 if _agree(memory, sent) else None, 0.0, "verdict")
    return Grade(None if documents is None else likely * _agree(memory, documents), likely, "support")


def say_the_same(one: str, other: str) -> bool:
    """The shorter text's content terms are mostly the other's, and where both name numbers they share one."""
    terms, numbers = [content_terms(text) for text in (one, other)], [find_numbers(text) for text in (one, other)]
    if all(numbers) and not numbers[0] & numbers[1]:
        return False
    least = min(map(len, terms))
    return least > 0 and len(terms[0] & terms[1]) / least >= SAME


def _agree(text: str | None, wanted: str) -> float:
    return float(text is not None and say_the_same(text, wanted))
