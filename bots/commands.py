"""What each kind of event is answered with. Raises TandemError for what the person can put right."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from bots.rendering import describe_answer, describe_look, describe_sources, receipt_line
from bots.surface import Event, Message
from graph.answers import LONGEST_QUESTION, AgentEvent, Answer, Delta, Done, Progress, Question, Verdict
from index.audience import Viewer
from index.jobs import ENDED, LookProgress, cancel_look, enqueue_look, read_look
from index.sources import Source, list_sources, list_statuses
from tandem.db.pool import Database
from tandem.errors import ModelBusy, ModelUnavailable, QuestionRejected, SourceError
from tandem.settings import Settings

BUSY_WAIT_S = 120.0
MODEL_TRIES = 3  # each waits for a server that restarts; see tandem.models.client
AWAY_PAUSE_S = 1.0
ANSWER_S = 900.0  # no model is that slow: something hangs
LOOK_EVERY_S = 1.0
QUEUED_HINT_S = 10.0
CANCEL = "cancel"
WATCH_S = 3600.0
UNTAKEN_S = 600.0

EMPTY_QUESTION = (
    "I am here. Ask me something in the same message, such as `How do I book time off?`"
    " I answer from the model or from your documents, and say which it was."
)
NOTHING_TO_EXPLAIN = "Nothing has been answered in this conversation yet. Ask something, and then ask why."
NO_SOURCES = "There is nothing to re-index yet. Whoever runs me can add a folder with `tandem source add PATH`."

NOTHING_TO_CANCEL = "Nothing is being re-indexed here at the moment."


class Live(Protocol):
    """What can be shown while the answer is being made; never raises for a platform's trouble."""

    async def show_progress(self, line: str) -> None: ...

    async def append(self, text: str) -> None: ...


class Agent(Protocol):
    """What the chat surfaces need of `graph.agent.Agent`."""

    def answer(self, question: Question) -> AsyncIterator[AgentEvent]: ...

    async def explain_last(self, conversation: str, viewer: Viewer) -> Answer | None: ...

    async def forget(self, conversation: str) -> None: ...

    async def record_feedback(self, answer_id: str, *, user: str, verdict: Verdict) -> bool: ...

    async def find_answer(self, answer_id: str, viewer: Viewer) -> Answer | None: ...

    async def record_correction(self, answer_id: str, *, user: str, text: str) -> bool: ...


async def answer_question(event: Event, live: Live, agent: Agent) -> Message:
    """Streams the agent's answer. Raises ModelBusy after two minutes, ModelUnavailable after the third try."""
    text = event.text.strip()
    if not text:
        return Message(EMPTY_QUESTION)
    if len(text) > LONGEST_QUESTION:
        raise QuestionRejected(
            f"The question has {len(text):,} characters; I read at most {LONGEST_QUESTION:,}.",
            remedy="Ask again with the part that matters most.",
        )
    question = Question(event.id, text, event.conversation, event.viewer, event.user)
    clock = asyncio.get_running_loop().time
    give_up = clock() + BUSY_WAIT_S
    tries = MODEL_TRIES
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await _stream(question, live, agent)
        except ModelBusy as busy:
            if clock() + busy.retry_after_s > give_up:
                raise
            await live.show_progress("The model is busy with other questions; yours waits its turn")
            await asyncio.sleep(busy.retry_after_s)
        except ModelUnavailable:
            tries -= 1
            if not tries:
                raise
            await live.show_progress("The model server went away; I ask it again once it is back")
            await asyncio.sleep(AWAY_PAUSE_S)
        else:
            return Message(answer.answer, answer.citations, receipt_line(answer), feedback_for=answer.id)


async def _stream(question: Question, live: Live, agent: Agent) -> Answer:
    given: Answer | None = None
    async for happened in agent.answer(question):
        match happened:
            case Progress(text):
                await live.show_progress(text)
            case Delta(text):
                await live.append(text)
            case Done(answer):
                given = answer
    if given is None:
        raise RuntimeError("The agent ended without an answer.")
    return given


async def explain(event: Event, agent: Agent) -> Message:
    answer = await agent.explain_last(event.conversation, event.viewer)
    return Message(describe_answer(answer) if answer else NOTHING_TO_EXPLAIN)


async def show_sources(event: Event, database: Database) -> Message:
    sources = await list_statuses(database, event.viewer)
    running = [status.look_id for status in sources if status.last_look_state == "running" and status.look_id]
    looks = [await read_look(database, look_id) for look_id in running]
    return Message(describe_sources(sources, {look.id: look for look in looks}))


async def reindex(event: Event, live: Live, database: Database, settings: Settings) -> Message:
    """Asks for a look at the named source, or at all that the viewer may see, and shows how far it is.

    A look that is open already is watched, not doubled, so this may be repeated. `cancel`, with or without a name after
    it, ends the open looks instead. Raises SourceError for an unknown name.
    """
    sources, is_cancel = await _choose_sources(event, database)
    if not sources:
        return Message(NO_SOURCES)
    if is_cancel:
        return await _cancel(event, sources, database)
    ids = [await enqueue_look(database, settings, source, requested_by=event.user) for source in sources]
    clock = asyncio.get_running_loop().time
    began = clock()
    shown = ""
    while True:
        looks = [await read_look(database, look_id) for look_id in ids]
        passed = clock() - began
        waiting = all(look.state == "queued" for look in looks)
        if all(look.state in ENDED for look in looks):
            return Message("\n".join(describe_look(look) for look in looks))
        if passed > (UNTAKEN_S if waiting else WATCH_S):
            ending = (
                "No worker has taken it up; start one with `tandem worker`. It stays queued until then."
                if waiting
                else ("That takes long, so I stop showing it here; it goes on. `/sources` says how it stands.")
            )
            return Message("\n".join([*(describe_look(look) for look in looks), ending]))
        line = _progress_line(looks)
        if waiting and passed > QUEUED_HINT_S:
            line += " (no worker has taken it up yet; is `tandem worker` running?)"
        if line != shown:
            await live.show_progress(line)
            shown = line
        await asyncio.sleep(LOOK_EVERY_S)


async def _cancel(event: Event, sources: Sequence[Source], database: Database) -> Message:
    ended = [await cancel_look(database, source, cancelled_by=event.user) for source in sources]
    looks = [await read_look(database, look_id) for look_id in ended if look_id is not None]
    return Message("\n".join(describe_look(look) for look in looks) or NOTHING_TO_CANCEL)


async def _choose_sources(event: Event, database: Database) -> tuple[list[Source], bool]:
    """The sources that are meant, and whether their looks are to be cancelled; a source may be named `cancel` too."""
    visible = await list_sources(database, event.viewer)
    wanted, is_cancel = event.text.strip(), False
    if not any(source.name.casefold() == wanted.casefold() for source in visible):
        word, _, name = wanted.partition(" ")
        if word.casefold() == CANCEL:
            wanted, is_cancel = name.strip(), True
    chosen = [source for source in visible if source.name.casefold() == wanted.casefold()] if wanted else visible
    if wanted and not chosen:
        known = ", ".join(f"`{source.name}`" for source in visible)
        raise SourceError(
            f"There is no source `{wanted[:80].replace('`', '')}` here.",
            remedy=f"The ones I know are {known}." if known else NO_SOURCES,
        )
    return chosen, is_cancel


def _progress_line(looks: Sequence[LookProgress]) -> str:
    """One line for all: the first that is still going on, and how many there are."""
    current = next((look for look in looks if look.state in ("listing", "running")), None)
    current = current or next(look for look in looks if look.state == "queued")
    line = describe_look(current)
    if len(looks) == 1:
        return line
    ended = sum(look.state in ENDED for look in looks)
    return f"{ended} of {len(looks)} sources done · {line}"
