"""An agent that says what a test wants, and an inbox whose process can die."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from bots.inbox import Claim, Inbox, LeaseLost
from bots.surface import Kind
from graph.answers import (
    AgentEvent,
    Answer,
    Citation,
    Delta,
    Done,
    Progress,
    Question,
    Receipt,
    Timings,
    Tokens,
    Verdict,
)
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.settings import Settings

CITED = Citation(1, "Time off", "https://wiki.example/time-off", "Book it in the calendar.", 0.8)


@dataclass
class Lines:
    """What was shown."""

    shown: list[str] = field(default_factory=list)

    async def show_progress(self, line: str) -> None:
        self.shown.append(line)

    async def append(self, text: str) -> None:
        self.shown.append(text)


class MortalInbox(Inbox):
    """An inbox whose process can die: from then on it writes nothing any more.

    `dies_at` names the write at which it dies, before it takes effect; `dead` is set then, and the caller hangs.
    """

    def __init__(self, database: Database, settings: Settings, *, dies_at: str | None = None) -> None:
        super().__init__(database, settings)
        self._dies_at = dies_at
        self.dead = asyncio.Event()

    def die(self) -> None:
        self.dead.set()

    async def claim(self, surface: str, kinds: Sequence[Kind]) -> Claim | None:
        if self.dead.is_set():
            await asyncio.Event().wait()
        return await super().claim(surface, kinds)

    async def _write(self, query: str, claim: Claim, **values: object) -> None:
        if query == self._dies_at:
            self.dead.set()
            await asyncio.Event().wait()
        if self.dead.is_set():
            raise LeaseLost
        await super()._write(query, claim, **values)


@dataclass
class ScriptedAgent:
    """An agent that says what the test wants to see, and like the real one repeats a stored answer.

    `script` maps a question to its answer or to the error it ends in; any other question is echoed. A question in
    `held` stops half-way, and goes on once `go` is set.
    """

    script: Mapping[str, str | Exception] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Question] = field(default_factory=list)
    given: dict[str, Answer] = field(default_factory=dict)
    feedback: list[tuple[str, str, Verdict]] = field(default_factory=list)
    corrections: list[tuple[str, str, str]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    async def answer(self, question: Question) -> AsyncIterator[AgentEvent]:
        if question.id in self.given:
            yield Done(self.given[question.id])
            return
        self.asked.append(question)
        said = self.script.get(question.text, f"You said: {question.text}")
        yield Progress("Searching the documents")
        if isinstance(said, Exception):
            raise said
        middle = len(said) // 2
        yield Delta(said[:middle])
        self.begun.set()
        if question.text in self.held:
            await self.go.wait()
        yield Delta(said[middle:])
        answer = make_answer(f"answer-{question.id}", question.text, said)
        self.given[question.id] = answer
        yield Done(answer)

    async def explain_last(self, conversation: str, viewer: Viewer) -> Answer | None:
        ids = [question.id for question in self.asked if question.conversation == conversation]
        return next((self.given[key] for key in reversed(ids) if key in self.given), None)

    async def forget(self, conversation: str) -> None:
        self.forgotten.append(conversation)

    async def record_feedback(self, answer_id: str, *, user: str, verdict: Verdict) -> bool:
        self.feedback.append((answer_id, user, verdict))
        return any(answer.id == answer_id for answer in self.given.values())

    async def find_answer(self, answer_id: str, viewer: Viewer) -> Answer | None:
        """Like the real one, an answer only where it was given."""
        for asked in self.asked:
            is_here = asked.viewer.workspace == viewer.workspace and asked.viewer.audiences <= viewer.audiences
            if is_here and asked.id in self.given and self.given[asked.id].id == answer_id:
                return self.given[asked.id]
        return None

    async def record_correction(self, answer_id: str, *, user: str, text: str) -> bool:
        self.corrections.append((answer_id, user, text))
        return any(answer.id == answer_id for answer in self.given.values())


def make_answer(answer_id: str, question: str, text: str) -> Answer:
    receipt = Receipt(
        reasons=("looked it up: the best passage covers 90% of the words that matter", "that page changed yesterday"),
        timings_ms=Timings(12.0, 0.2, 300.0, 900.0, 1212.0),
        tokens=Tokens(1234, 56),
        model="scripted",
        adapter=None,
        index_version="v1",
    )
    return Answer(answer_id, question, text, "grounded", (CITED,), receipt)
