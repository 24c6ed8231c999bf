"""What the search found, in numbers: how surely the documents cover the question."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from graph.routing.linear import LinearModel
from index.search import Hit, SearchResult

SHIPPED = "coverage.json"
"""Fitted to questions on public collections, each asked of its own documents and of the others' (docs/decision.md)."""
MIN_COVERED = 0.35
"""Below this chance of being covered there is nothing to read."""
FOLLOWING = 5


@dataclass(frozen=True)
class Evidence:
    """`covered` is the chance (0 to 1) that the documents are about this. `margin`: by how much the best document's
    score is above the next one's. `spread`: by how much the best cosine is above the mean of the next five."""

    passages: int = 0
    best_score: float = 0.0
    best_dense: float = 0.0
    best_coverage: float = 0.0
    margin: float = 0.0
    spread: float = 0.0
    known_share: float = 0.0
    halves_agree: bool = False
    best_age_days: float | None = None
    covered: float = 0.0

    @property
    def is_readable(self) -> bool:
        return self.covered >= MIN_COVERED


def weigh_evidence(found: SearchResult) -> Evidence:
    if not found.hits:
        return Evidence(known_share=found.known_share)
    best, rival = found.hits[0], find_rival(found)
    lexical, dense = max(found.hits, key=lambda hit: hit.lexical), max(found.hits, key=lambda hit: hit.dense)
    following = sorted((hit.dense for hit in found.hits), reverse=True)[1 : 1 + FOLLOWING]
    return Evidence(
        passages=len(found.hits),
        best_score=best.score,
        best_dense=dense.dense,
        best_coverage=max(hit.coverage for hit in found.hits),
        margin=best.score - (rival.score if rival else 0.0),
        spread=dense.dense - (math.fsum(following) / len(following) if following else 0.0),
        known_share=found.known_share,
        halves_agree=lexical.document_id == dense.document_id,
        best_age_days=_age_days(best.changed_at) if best.changed_at else None,
        covered=read_coverage_model().chance(describe_search(found)),
    )


def describe_search(found: SearchResult) -> dict[str, float | None]:
    """What the chance of being covered is estimated from; of at least one hit."""
    dense, coverage = max(hit.dense for hit in found.hits), max(hit.coverage for hit in found.hits)
    return {
        "best_dense": dense,
        "first_dense": found.hits[0].dense,
        "best_coverage": coverage,
        "first_coverage": found.hits[0].coverage,
        "known_share": found.known_share,
        "both": dense * coverage,
    }


@cache
def read_coverage_model() -> LinearModel:
    text = resources.files("graph.routing").joinpath(SHIPPED).read_text()
    return TypeAdapter(LinearModel).validate_python(json.loads(text))


def find_rival(found: SearchResult) -> Hit | None:
    """The best passage of the second best document."""
    return next((hit for hit in found.hits if hit.document_id != found.hits[0].document_id), None)


def _age_days(moment: datetime) -> float:
    return max(0.0, (datetime.now(UTC) - moment).total_seconds() / 86400)
