"""The durable record of what people asked for: each event once, held by one replica at a time.

docs/conversation.md says what each state means and what a crash leads to.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from bots.surface import Event, Kind
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import DatabaseUnavailable, TandemError
from tandem.settings import Settings

ACCEPT_TRIES = 3
RETRY_S = 0.3
DATABASE_TROUBLE = (DatabaseUnavailable, psycopg.OperationalError)
"""What a database that is down, or was restarted under a query, raises."""

_SQL = load_queries("bots", "inbox.sql")
_EVENT = TypeAdapter(Event)


class LeaseLost(TandemError):
    """Another replica has taken this event over."""


@dataclass(frozen=True)
class Claim:
    """The right to answer one event until `expires` (the event loop's clock, seconds), unless it is renewed.

    `fence` counts the claims of this event; `attempts` those that failed, this one included.
    """

    event: Event
    fence: int
    attempts: int
    reply: Mapping[str, str] | None
    age_s: float
    expires: float


class Inbox:
    """Every method may raise DATABASE_TROUBLE; the record is then as it was or as asked."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._lease_s = settings.lease_s
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"

    async def accept(self, event: Event) -> bool:
        """Stores the event under its id. True the first time, False ever after. Raises DatabaseUnavailable."""
        stored = _EVENT.dump_python(event, mode="json") | {"text": _storable(event.text)}
        row = {"id": event.id, "surface": event.surface, "kind": event.kind, "conversation": event.conversation}
        for left in reversed(range(ACCEPT_TRIES)):
            try:
                return await self._database.execute(_SQL["accept"], row | {"payload": Jsonb(stored)}) == 1
            except psycopg.OperationalError as error:  # a connection died under the query; its effect is unknown
                if not left:
                    raise DatabaseUnavailable from error
                await asyncio.sleep(RETRY_S)
        raise AssertionError("unreachable")

    async def claim(self, surface: str, kinds: Sequence[Kind]) -> Claim | None:
        """Takes the oldest event that is due, for `lease_s`; None when there is none."""
        expires = asyncio.get_running_loop().time() + self._lease_s
        wanted = {"surface": surface, "kinds": list(kinds), "owner": self._owner, "lease_s": self._lease_s}
        try:
            row = await self._database.fetch_one(_SQL["claim"], wanted)
        except psycopg.errors.UniqueViolation:  # another replica began on this conversation at this moment
            return None
        if row is None:
            return None
        event = _EVENT.validate_python(row["payload"])
        return Claim(event, row["fence"], row["attempts"], row["reply"], row["age_s"], expires)

    @asynccontextmanager
    async def hold(self, claim: Claim) -> AsyncIterator[None]:
        """Renews the lease while the body runs; cancels the body and raises LeaseLost once it cannot be sure of it."""
        try:
            async with asyncio.timeout_at(claim.expires) as limit:
                over = asyncio.Event()
                heartbeat = asyncio.create_task(self._beat(claim, limit, over))
                try:
                    yield
                finally:
                    over.set()
                    heartbeat.cancel()  # may be swallowed under a query; then `over` ends it
                    await asyncio.gather(heartbeat, return_exceptions=True)
        except TimeoutError:
            if limit.expired():
                raise LeaseLost from None
            raise

    async def _beat(self, claim: Claim, limit: asyncio.Timeout, over: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not over.is_set():
            await asyncio.sleep(self._lease_s / 3)
            before = clock()
            try:
                await self.renew(claim)
                ends = before + self._lease_s
            except LeaseLost:
                ends = before
            except DATABASE_TROUBLE:
                continue  # the limit stands: without a renewal the body ends with the lease
            if not over.is_set() and not limit.expired():
                limit.reschedule(ends)

    async def renew(self, claim: Claim) -> None:
        """Raises LeaseLost if the claim is no longer the last one."""
        await self._write("renew", claim, lease_s=self._lease_s)

    async def record_reply(self, claim: Claim, reference: Mapping[str, str]) -> None:
        """Stores where the visible reply is. Raises LeaseLost."""
        await self._write("record_reply", claim, reply=Jsonb(dict(reference)))

    async def finish(self, claim: Claim, *, answer_id: str | None, fault: str | None) -> None:
        """The event is done and is never claimed again. Raises LeaseLost."""
        await self._write("finish", claim, answer_id=answer_id, fault=fault)

    async def release(self, claim: Claim, *, delay_s: float = 0.0, failed: bool = False) -> None:
        """Gives the event back for another try, not before `delay_s`; `failed` counts as a crash. Raises LeaseLost."""
        await self._write("release", claim, delay_s=delay_s, failed=failed)

    async def adopt(self, surface: str, *, heir: str) -> list[str]:
        """Moves what a surface left open whose one process has died to another surface, and returns the events' ids."""
        rows = await self._database.fetch_all(_SQL["adopt"], {"surface": surface, "heir": heir})
        return [row["id"] for row in rows]

    async def prune(self) -> int:
        """Deletes what was done a month ago and says how many events that were."""
        return await self._database.execute(_SQL["prune"])

    async def _write(self, query: str, claim: Claim, **values: object) -> None:
        row = {"id": claim.event.id, "fence": claim.fence} | values
        if await self._database.execute(_SQL[query], row) == 0:
            raise LeaseLost


def _storable(text: str) -> str:
    """Without what Postgres cannot store as JSON: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
