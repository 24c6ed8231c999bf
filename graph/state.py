"""What the agent's nodes share: the memory of the thread, and the work in hand."""

import time
from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from langgraph.channels import UntrackedValue

from graph.answers import Answer, Question
from graph.memory import Exchange, keep_recent
from graph.reading import Reading
from graph.routing.decision import Decision, Router
from index.filters import Filters
from index.search import SearchResult
from tandem.db.pool import Database
from tandem.models.client import ChatDelta, ModelClient


class State(TypedDict, total=False):
    """`history` outlives the run; everything else is work in hand and is never stored in a checkpoint."""

    history: Annotated[list[Exchange], keep_recent]
    standalone: Annotated[str, UntrackedValue]
    alone: Annotated[str | None, UntrackedValue]
    found: Annotated[SearchResult, UntrackedValue]
    decision: Annotated[Decision, UntrackedValue]
    reading: Annotated[Reading, UntrackedValue]
    answer: Annotated[Answer, UntrackedValue]


@dataclass
class Stopwatch:
    """Milliseconds and tokens of the steps, filled in as they happen."""

    started: float = field(default_factory=time.perf_counter)
    retrieve: float = 0.0
    decide: float = 0.0
    first_token: float = 0.0
    answer: float = 0.0
    model_calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    def since(self, moment: float) -> float:
        return (time.perf_counter() - moment) * 1000

    def note_first_token(self) -> None:
        if not self.first_token:
            self.first_token = self.since(self.started)

    def count(self, delta: ChatDelta) -> None:
        """Adds the token counts, which the last delta of every model call carries."""
        self.prompt_tokens += delta.prompt_tokens or 0
        self.answer_tokens += delta.answer_tokens or 0


@dataclass(frozen=True)
class Context:
    """What one run of the graph works with. `asked` is the question's text without its scope, the `filters`."""

    question: Question
    asked: str
    filters: Filters
    database: Database
    model: ModelClient
    router: Router
    watch: Stopwatch = field(default_factory=Stopwatch)
