"""Grading: is a reply right? SQuAD's measures, normalised as its official script does (Rajpurkar et al., 2018)."""

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from graph.sentences import strip_citations
from tandem.evals.qa import Asked

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Grade:
    """All 0 to 1. `contained`: an answer stands in the reply, word for word. `right` is that, or, for a question that
    nothing answers, that the reply declines."""

    em: float
    f1: float
    contained: float
    declined: float
    right: float


def grade_reply(asked: Asked, text: str, *, declined: bool) -> Grade:
    """A reply that declines is right about what cannot be answered, and wrong about everything else."""
    if declined or not asked.answerable:
        return Grade(0.0, 0.0, 0.0, float(declined), float(declined and not asked.answerable))
    said = strip_citations(text)
    contained = float(contains(said, asked.answers))
    return Grade(best_em(said, asked.answers), best_f1(said, asked.answers), contained, 0.0, contained)


def normalise(text: str) -> str:
    """Lower case, without punctuation and articles, one blank between words."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def best_em(said: str, answers: Iterable[str]) -> float:
    return max((float(normalise(said) == normalise(answer)) for answer in answers), default=0.0)


def best_f1(said: str, answers: Iterable[str]) -> float:
    """The highest harmonic mean of the precision and recall of words."""
    return max((_f1(normalise(said).split(), normalise(answer).split()) for answer in answers), default=0.0)


def contains(text: str, answers: Iterable[str]) -> bool:
    """Whether an answer's words stand in the text, whole and in their order."""
    padded = f" {normalise(text)} "
    return any(f" {words} " in padded for words in map(normalise, answers) if words)


def _f1(said: list[str], answer: list[str]) -> float:
    if not said or not answer:
        return float(said == answer)
    shared = sum((Counter(said) & Counter(answer)).values())
    return 2 * shared / (len(said) + len(answer))
