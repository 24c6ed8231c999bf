"""The inputs: all that the decision knows. Kept with the answer, so that it can be judged and learned from later."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from graph.reading import choose_passages
from graph.routing.ambiguity import Ambiguity, find_ambiguity
from graph.routing.evidence import Evidence, weigh_evidence
from graph.routing.history import History, find_history
from graph.routing.staleness import Staleness, find_staleness
from graph.routing.traits import Traits, read_traits
from index.audience import Viewer
from index.search import SearchResult
from index.standing import find_standings
from tandem.db.pool import Database
from tandem.models.client import ModelClient


@dataclass(frozen=True)
class Inputs:
    question: Traits
    evidence: Evidence
    history: History = field(default_factory=History)
    staleness: Staleness = field(default_factory=Staleness)
    ambiguity: Ambiguity | None = None
    knows_little: bool = False
    """The packaged model speaks as it comes, which is too small to know more than what everybody talks of."""

    @property
    def needs_facts(self) -> bool:
        """Small talk needs none, and writing only where the documents are about it and its text does not come along."""
        asked = self.question
        return not asked.small_talk and (not asked.task or (self.evidence.is_readable and not asked.brings_text))

    def record(self) -> dict[str, Any]:
        """JSON that `read_inputs` reads again."""
        recorded: dict[str, Any] = _INPUTS.dump_python(self, mode="json")
        return recorded

    def features(self) -> dict[str, float | None]:
        """What the fitted models see; None is unknown."""
        flat: dict[str, Any] = asdict(self.question) | asdict(self.evidence)
        history, stale = self.history, self.staleness
        age = self.evidence.best_age_days
        return {name: float(flat[name]) for name in PLAIN} | {
            "rarity": self.question.rarity,
            "length": math.log1p(self.question.words),
            "age": None if age is None else math.log1p(age),
            "direct_history": history.direct_rate,
            "grounded_history": history.grounded_rate,
            "stale": float(stale.stale),
            "taught": float(stale.taught),
            "due": float(stale.due),
            "expires": float(stale.expires_in_days is not None and stale.expires_in_days < SOON_DAYS),
        }


SOON_DAYS = 14
PLAIN = (
    *("wants_fresh", "wants_house", "wants_source", "has_number", "has_date", "has_name"),
    *("quantity", "person", "explanation"),
    *("best_score", "best_dense", "best_coverage", "margin", "spread", "known_share", "halves_agree", "covered"),
)
NAMES = (*PLAIN, "rarity", "length", "age", "direct_history", "grounded_history", "stale", "taught", "due", "expires")
_INPUTS = TypeAdapter(Inputs)


def read_inputs(recorded: Mapping[str, Any]) -> Inputs:
    """Raises pydantic's ValidationError for what no version of Tandem since the first fit has written."""
    return _INPUTS.validate_python(recorded)


async def gather_inputs(
    database: Database, model: ModelClient, viewer: Viewer, question: str, found: SearchResult
) -> Inputs:
    """Two reads of the database at once. Raises DatabaseUnavailable, and what the model client raises.

    The documents that count are those that would be read: what lies further off says nothing on this question, and
    whether it changed does not either.
    """
    best = list(dict.fromkeys(hit.document_id for hit in choose_passages(found.hits)))
    described = await model.describe()
    history, standings = await asyncio.gather(
        find_history(database, viewer, found.embedding, described.adapter), find_standings(database, viewer, best)
    )
    known = [standings[document] for document in best if document in standings]
    snapshot = await model.read_snapshot()
    return Inputs(
        question=read_traits(question),
        evidence=weigh_evidence(found),
        history=history,
        staleness=find_staleness(known, snapshot, datetime.now(UTC)),
        ambiguity=find_ambiguity(question, found),
        knows_little=described.is_packaged,
    )
