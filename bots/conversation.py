"""From an accepted event to its one visible reply, on any surface.

docs/conversation.md tells what a crash at each point leads to.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from bots import commands
from bots.commands import Agent
from bots.faults import apologise, describe_fault
from bots.inbox import DATABASE_TROUBLE, Claim, Inbox, LeaseLost
from bots.reviews import present_notice
from bots.surface import Event, Kind, Message, Reply, ReplyImpossible, Surface
from tandem.db.pool import Database
from tandem.errors import TandemError
from tandem.settings import Settings

LANES: tuple[tuple[tuple[Kind, ...], int], ...] = (
    (("question", "why", "sources"), 8),
    (("reindex",), 16),
    (("review",), 2),
)
"""Kinds, and how many of them one replica answers at once: a re-index mostly waits, and must not hold up questions,
nor must many notices."""
POLL_S = 0.5  # how soon another replica's event is seen; an event accepted here is taken at once
PRUNE_EVERY_S = 3600.0
MOST_ATTEMPTS = 3
LONGEST_DELAY_S = 60.0
GIVE_UP_AFTER_S = 86400.0
FINISH_PAUSES_S = (1.0, 2.0, 4.0)
GOODBYE_S = 2.0  # to give an event back; enough, or the database is down
STOPPED = "Stopped."
STOPPED_LOOK = "I stopped showing it here; the re-index goes on. `/sources` says how it stands."

log = logging.getLogger(__name__)


class Conversation:
    """Answers the events of one surface. Any number of replicas may run on one database."""

    def __init__(self, surface: Surface, inbox: Inbox, agent: Agent, database: Database, settings: Settings) -> None:
        self.surface = surface
        self.inbox = inbox
        self.agent = agent
        self._database = database
        self._settings = settings
        self._news = [asyncio.Event() for _ in LANES]
        self._tasks: set[asyncio.Task[None]] = set()
        self._composing: dict[str, asyncio.Task[tuple[Message, str | None]]] = {}
        self._stopped: set[str] = set()
        self._watched: dict[str, asyncio.Event] = {}

    async def accept(self, event: Event) -> bool:
        """Stores the event; True the first time, False if it was seen before. Both mean: acknowledge it.

        Raises DatabaseUnavailable: then nothing is promised, and the platform should deliver it again.
        """
        new = await self.inbox.accept(event)
        self._wake()
        return new

    def watch(self, event_id: str) -> asyncio.Event:
        """Is set once this event is done; ask before the event is accepted."""
        return self._watched.setdefault(event_id, asyncio.Event())

    def stop(self, event_id: str) -> None:
        """The person no longer wants this answer: its reply says so, and it is done."""
        self._stopped.add(event_id)
        if composing := self._composing.get(event_id):
            composing.cancel()

    async def run(self) -> None:
        """Claims and answers until it is cancelled; what is under way is then given back to the other replicas."""
        lanes = zip(LANES, self._news, strict=True)
        endless = [self._spawn(self._serve(kinds, slots, news)) for (kinds, slots), news in lanes]
        endless.append(self._spawn(self._prune()))
        try:
            ended, _ = await asyncio.wait(endless, return_when=asyncio.FIRST_COMPLETED)
            await ended.pop()  # only an error can have ended it
        finally:
            await self._end_tasks()

    async def _end_tasks(self) -> None:
        """Cancels until it took: in Python 3.11 `wait_for`, which psycopg_pool uses, can swallow a cancellation."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks.copy(), timeout=GOODBYE_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, kinds: Sequence[Kind], slots: int, news: asyncio.Event) -> None:
        free = asyncio.Semaphore(slots)

        def ended(_: asyncio.Task[None]) -> None:
            free.release()
            self._wake()  # the next question of this conversation may be due now

        while True:
            await free.acquire()
            claim = await self._next(kinds, news)
            self._spawn(self._handle(claim)).add_done_callback(ended)

    def _wake(self) -> None:
        for news in self._news:
            news.set()

    async def _next(self, kinds: Sequence[Kind], news: asyncio.Event) -> Claim:
        failures = 0
        while True:
            news.clear()
            try:
                claim = await self.inbox.claim(self.surface.name, kinds)
            except DATABASE_TROUBLE as error:
                if not failures:
                    log.warning("the inbox cannot be read (%s); trying again until it can", type(error).__name__)
                failures += 1
                await asyncio.sleep(min(POLL_S * failures, 5.0))
                continue
            if claim:
                return claim
            failures = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await news.wait()

    async def _prune(self) -> None:
        while True:
            try:
                await self.inbox.prune()
            except DATABASE_TROUBLE as error:
                log.warning("old events were not deleted (%s)", type(error).__name__)
            await asyncio.sleep(PRUNE_EVERY_S)

    async def _handle(self, claim: Claim) -> None:
        """Ends the event, or gives it back. Raises nothing but CancelledError: one event must not end the others."""
        event = claim.event
        try:
            async with self.inbox.hold(claim):
                await self._reply(claim)
            self._stopped.discard(event.id)
            if watcher := self._watched.pop(event.id, None):
                watcher.set()
        except LeaseLost:
            log.warning("event %s: another replica took it over", event.id)
        except asyncio.CancelledError:
            await self._release(claim)
            raise
        except DATABASE_TROUBLE as error:
            log.warning("event %s: the database went away (%s); it is tried again", event.id, type(error).__name__)
            await self._release(claim, delay_s=1.0, failed=True)
        except Exception as error:  # noqa: BLE001  the platform failed in a way that has no name here; the event lives on
            delay_s = min(2.0 ** min(claim.fence, 10), LONGEST_DELAY_S)
            log.error("event %s: no reply yet, next try in %.0f s\n%s", event.id, delay_s, describe_fault(error))  # noqa: TRY400
            await self._release(claim, delay_s=delay_s)

    async def _reply(self, claim: Claim) -> None:
        event = claim.event
        try:
            reply = await self._take_up(claim)
            message, fault = await self._compose_unless_stopped(claim, _Glimpses(reply, event.id))
            await self.inbox.renew(claim)  # a replica that has lost the event must not write any more
            refused = await self._finish(event, reply, message)
            fault, answer_id = refused or fault, None if refused else message.feedback_for
        except ReplyImpossible as gone:
            log.warning("event %s cannot be replied to: %s", event.id, gone.message)
            fault, answer_id = "no reply possible", None
        await self.inbox.finish(claim, answer_id=answer_id, fault=fault)

    async def _take_up(self, claim: Claim) -> Reply:
        """The reply that people already see, or a new one; recorded either way."""
        event = claim.event
        if claim.age_s > GIVE_UP_AFTER_S:
            raise ReplyImpossible("No reply could be sent for a day.")
        if claim.reply is not None:
            return self.surface.resume(event, claim.reply)
        reply = await self.surface.find_reply(event) if claim.fence > 1 else None
        if reply is None:
            reply = await self.surface.open_reply(event)
        await self.inbox.record_reply(claim, reply.reference)
        return reply

    async def _compose_unless_stopped(self, claim: Claim, live: "_Glimpses") -> tuple[Message, str | None]:
        event_id = claim.event.id
        composing = asyncio.create_task(self._compose(claim, live))
        self._composing[event_id] = composing
        if event_id in self._stopped:
            composing.cancel()
        try:
            return await composing
        except asyncio.CancelledError:
            if event_id not in self._stopped or not composing.cancelled():
                raise
            return Message(STOPPED_LOOK if claim.event.kind == "reindex" else STOPPED), None
        finally:
            del self._composing[event_id]

    async def _compose(self, claim: Claim, live: "_Glimpses") -> tuple[Message, str | None]:
        """The finished message, and what went wrong with it, if anything did: a number or the kind of error."""
        event = claim.event
        try:
            return await self._carry_out(claim, live), None
        except (ReplyImpossible, *DATABASE_TROUBLE):
            raise
        except TandemError as error:
            return Message(f"{error.message} {error.remedy}"), type(error).__name__
        except Exception as error:  # noqa: BLE001  whatever it was, the person gets a reply and a number to quote
            return apologise(event, error)

    async def _carry_out(self, claim: Claim, live: "_Glimpses") -> Message:
        event = claim.event
        if claim.attempts > MOST_ATTEMPTS:
            raise RuntimeError("No attempt at this event came to an end.")
        if claim.fence > 1:
            await live.show_progress("Taking this up again")  # what is visible may be half an answer
        match event.kind:
            case "question":
                return await commands.answer_question(event, live, self.agent)
            case "why":
                return await commands.explain(event, self.agent)
            case "sources":
                return await commands.show_sources(event, self._database)
            case "reindex":
                return await commands.reindex(event, live, self._database, self._settings)
            case "review":
                return await present_notice(int(event.text), self._database, self._settings)

    async def _finish(self, event: Event, reply: Reply, message: Message) -> str | None:
        """Shows the message; if the platform keeps refusing it, an error instead, whose number is returned."""
        for pause_s in FINISH_PAUSES_S:
            try:
                await reply.finish(message)
            except ReplyImpossible:
                raise
            except Exception as error:  # noqa: BLE001  the platform's trouble, of whatever kind
                refusal = error
                await asyncio.sleep(pause_s)
            else:
                return None
        apology, number = apologise(event, refusal)
        await reply.finish(apology)
        return number

    async def _release(self, claim: Claim, *, delay_s: float = 0.0, failed: bool = False) -> None:
        try:
            with contextlib.suppress(LeaseLost):  # done, or with another replica
                async with asyncio.timeout(GOODBYE_S):
                    await self.inbox.release(claim, delay_s=delay_s, failed=failed)
        except (TimeoutError, *DATABASE_TROUBLE) as error:
            log.warning("event %s: not given back (%s); its lease will run out", claim.event.id, type(error).__name__)


class _Glimpses:
    """What is seen of a reply before it is finished; that one counts, so a platform's trouble here ends nothing."""

    def __init__(self, reply: Reply, event_id: str) -> None:
        self._reply = reply
        self._event_id = event_id
        self._broken = False

    async def show_progress(self, line: str) -> None:
        await self._show(self._reply.show_progress, line)

    async def append(self, text: str) -> None:
        await self._show(self._reply.append, text)

    async def _show(self, call: Callable[[str], Awaitable[None]], text: str) -> None:
        if self._broken:
            return
        try:
            await call(text)
        except ReplyImpossible:
            raise
        except Exception as error:  # noqa: BLE001  see the class
            self._broken = True
            log.warning("event %s: not shown while it is written (%s)", self._event_id, type(error).__name__)
