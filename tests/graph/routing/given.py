"""Searches and inputs for tests of the decision."""

from datetime import UTC, datetime

from graph.routing.ambiguity import find_ambiguity
from graph.routing.evidence import weigh_evidence
from graph.routing.history import History
from graph.routing.inputs import Inputs
from graph.routing.staleness import Staleness
from graph.routing.traits import read_traits
from index.search import Hit, SearchResult
from tests.graph.hits import make_hit

CHANGED = datetime(2026, 5, 3, tzinfo=UTC)
STALE = Staleness(datetime(2026, 4, 1, tzinfo=UTC), 1, "Leave", CHANGED)


def found(*hits: Hit, known_share: float = 0.9) -> SearchResult:
    return SearchResult(hits=hits, index_version="1", known_share=known_share)


COVERED = found(
    make_hit("a", dense=0.7, coverage=0.92),
    make_hit("b", chunk_id=2, document_id=2, title="Badges", score=0.5, dense=0.3, coverage=0.2),
)
UNCOVERED = found(make_hit("a", dense=0.15, coverage=0.1, score=0.4), known_share=0.2)


def make_inputs(
    question: str, result: SearchResult = COVERED, history: History | None = None, staleness: Staleness | None = None
) -> Inputs:
    return Inputs(
        read_traits(question),
        weigh_evidence(result),
        history or History(),
        staleness or Staleness(),
        find_ambiguity(question, result),
    )
