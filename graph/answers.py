"""What goes into the agent and what comes out of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from index.audience import Viewer

Route = Literal["direct", "grounded", "asked", "declined"]
Verdict = Literal["up", "down"]
LONGEST_QUESTION = 4000
"""Characters; a longer question is refused."""


@dataclass(frozen=True)
class Question:
    """`id` names the event that asked: the same id asked again gets the stored answer, not a second one."""

    id: str
    text: str
    conversation: str
    viewer: Viewer
    user: str = ""


@dataclass(frozen=True)
class Citation:
    """`n` is the number in the answer's text; `quote` is verbatim from the passage.

    The rest is of the passage's document as it stood when it was cited; None is unknown. `revision` is a hash of its
    content, `lag_s` how long after `changed_at` it could be found. One that is withheld tells only its number.
    """

    n: int
    title: str
    uri: str
    quote: str
    score: float
    indexed_at: datetime | None = None
    document_id: int | None = None
    source: str | None = None
    owner: str | None = None
    licence: str | None = None
    revision: str | None = None
    changed_at: datetime | None = None
    lag_s: float | None = None
    review_by: datetime | None = None
    is_withheld: bool = False

    @property
    def is_due(self) -> bool:
        """Whether somebody should have looked whether it still holds."""
        return self.review_by is not None and self.review_by <= datetime.now(UTC)


def cited_documents(citations: Iterable[Citation]) -> list[int]:
    """The ids of the documents that these stand on, as far as they are known."""
    return sorted({citation.document_id for citation in citations if citation.document_id is not None})


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each step."""

    retrieve: float = 0.0
    decide: float = 0.0
    first_token: float = 0.0
    answer: float = 0.0
    total: float = 0.0


@dataclass(frozen=True)
class Tokens:
    prompt: int = 0
    answer: int = 0


@dataclass(frozen=True)
class Receipt:
    """How the answer came about: the reasons, in words, the largest first."""

    reasons: tuple[str, ...]
    timings_ms: Timings
    tokens: Tokens
    model: str
    adapter: str | None
    index_version: str
    model_calls: int = 1
    """0 for a set reply; an unsure draft from memory before the documents were read makes it 2."""


@dataclass(frozen=True)
class Answer:
    id: str
    question: str
    answer: str
    route: Route
    citations: tuple[Citation, ...]
    receipt: Receipt


@dataclass(frozen=True)
class Progress:
    """A step has begun; `text` is a short line for people, such as "Searching the documents"."""

    text: str


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Done:
    """The last event of every question; `answer.answer` may differ from the deltas and replaces them."""

    answer: Answer


AgentEvent = Progress | Delta | Done
