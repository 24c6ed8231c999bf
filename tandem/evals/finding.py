"""Retrieval on its own: at which place search finds what answers a question, before anybody reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from urllib.parse import unquote

from graph.answers import Citation
from index.audience import Viewer
from index.search import search
from tandem.db.pool import Database
from tandem.evals.grading import contains
from tandem.evals.qa import Asked
from tandem.models.client import ModelClient

DEPTH = 10
"""Passages that are looked at; what comes later counts as not found."""


@dataclass(frozen=True)
class Finding:
    """`places`: of each answerable question, the place (from 1) of the first passage that answers it, None if there is
    none. `by_uri` of them were judged by their `uri`; of the others an answer's text has to stand in the passage."""

    places: tuple[int | None, ...]
    by_uri: int

    def recall(self, k: int) -> float:
        return fmean(place is not None and place <= k for place in self.places)

    def describe(self) -> Mapping[str, float] | None:
        """None where no question is answerable."""
        if not self.places:
            return None
        return {
            "recall@1": round(self.recall(1), 4),
            "recall@5": round(self.recall(5), 4),
            "mrr": round(fmean(1 / place if place else 0.0 for place in self.places), 4),
        }

    @property
    def judged_by(self) -> str:
        """In words."""
        if self.by_uri == len(self.places):
            return "the document's address"
        if not self.by_uri:
            return "an answer's text in the passage"
        given = f"{self.by_uri} of {len(self.places)}"
        return f"the document's address where it is given ({given}), else an answer's text in the passage"


async def find_place(database: Database, model: ModelClient, viewer: Viewer, asked: Asked) -> int | None:
    found = await search(database, model, asked.question, viewer, k=DEPTH)
    return next((place for place, hit in enumerate(found.hits, 1) if answers(asked, hit.uri, hit.in_context)), None)


def count_by_uri(questions: Sequence[Asked]) -> int:
    return sum(asked.answerable and asked.uri is not None for asked in questions)


def is_right_citation(asked: Asked, citation: Citation) -> bool:
    """By the document's address; where none is given, by an answer in the words that are quoted."""
    return answers(asked, citation.uri, citation.quote)


def answers(asked: Asked, uri: str, text: str) -> bool:
    if not asked.answerable:
        return False
    return _ends_with(uri, asked.uri) if asked.uri is not None else contains(text, asked.answers)


def _ends_with(uri: str, wanted: str) -> bool:
    """The same address, or one that ends in the wanted path; which part of the page is meant does not matter."""
    own, path = (unquote(text).partition("#")[0].rstrip("/") for text in (uri, wanted))
    return own == path or own.endswith(f"/{path.removeprefix('./').lstrip('/')}")
