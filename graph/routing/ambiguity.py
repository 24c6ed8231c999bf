"""A question that could mean two things: a few words that fit two headings equally well, each in its own way."""

from dataclasses import dataclass

from graph.support import content_terms
from index.search import Hit, SearchResult

FEWEST_TERMS, MOST_TERMS = 1, 3
COVERED = 0.75
"""Share of the question's weight that both passages must have."""
TIED_SCORE, TIED_COSINE = 0.02, 0.06


@dataclass(frozen=True)
class Ambiguity:
    """The names of the two parts of the documents that it could be about."""

    first: str
    second: str


def find_ambiguity(question: str, found: SearchResult) -> Ambiguity | None:
    """Both passages hold the question's terms, neither is clearly nearer, and each name shares a term with the question
    and adds one that neither the question nor the other name has."""
    asked = content_terms(question)
    if not found.hits or not FEWEST_TERMS <= len(asked) <= MOST_TERMS:
        return None
    first = found.hits[0]
    second = next((hit for hit in found.hits if _name(hit) != _name(first)), None)
    if second is None:
        return None
    tied = first.score - second.score <= TIED_SCORE and abs(first.dense - second.dense) <= TIED_COSINE
    if not tied or min(first.coverage, second.coverage) < COVERED:
        return None
    names = [_name(hit) for hit in (first, second)]
    terms = [content_terms(name) for name in names]
    added = [terms[0] - asked - terms[1], terms[1] - asked - terms[0]]
    if not all(added) or not all(one & asked for one in terms):
        return None
    return Ambiguity(names[0], names[1])


def _name(hit: Hit) -> str:
    return f"{hit.title} › {hit.heading}" if hit.heading else hit.title
