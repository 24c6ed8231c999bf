"""Reviews in chat: each owner is told once of what is due, and decides with a button."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from bots.inbox import DATABASE_TROUBLE
from bots.rendering import describe_notice
from bots.surface import Event, Message
from index.reviews import Ruling, Untold, list_untold, mark_told, read_notice, rule_on_document, rule_on_source
from tandem.db.pool import Database
from tandem.errors import TandemError
from tandem.settings import Settings

TELL_EVERY_S = 60.0
_SAID: dict[Ruling, str] = {
    "confirm": "Noted: it still holds.",
    "reindex": "I read it again now; `/sources` tells how that stands.",
    "retire": "Retired: nobody finds it any more, whatever its source says.",
    "restore": "Restored: I read it again now.",
}

log = logging.getLogger(__name__)


class OwnerUnreachable(TandemError):
    """The owner cannot be written to at the moment."""


class RulingRefused(TandemError):
    """Only its owner decides about this, and those who may re-index."""

    remedy = "Ask one of them."


class Owners(Protocol):
    """The people of one platform, as those who own documents."""

    @property
    def prefix(self) -> str:
        """What their names begin with, such as `slack:`."""
        ...

    def list_workspaces(self) -> list[str]:
        """Those whose documents may be told of here."""
        ...

    async def address(self, untold: Untold) -> Event | None:
        """The notice as an event whose one reply tells the owner; its id is the same on every replica.

        None where there is no such person. Raises OwnerUnreachable where a later try may succeed.
        """
        ...


async def tell_owners(owners: Owners, accept: Callable[[Event], Awaitable[object]], database: Database) -> None:
    """Looks for what became due, until it is cancelled. Whatever goes wrong, the next look finds it again."""
    while True:
        try:
            await tell_due(owners, accept, database)
        except DATABASE_TROUBLE as error:
            log.warning("owners were not told of reviews (%s)", type(error).__name__)
        await asyncio.sleep(TELL_EVERY_S)


async def tell_due(owners: Owners, accept: Callable[[Event], Awaitable[object]], database: Database) -> None:
    """Puts a notice into the inbox for each owner who was not told yet: what is in there is sent once.

    Raises DATABASE_TROUBLE.
    """
    for untold in await list_untold(database, owners.prefix, owners.list_workspaces()):
        try:
            event = await owners.address(untold)
        except OwnerUnreachable as error:
            log.warning("review notice %d: %s", untold.id, error.message)
            continue
        if event is None:
            log.warning("review notice %d: there is nobody of its owner's name", untold.id)
        else:
            await accept(event)
        await mark_told(database, untold.id)  # last: until then, another replica tells the same once


async def present_notice(notice_id: int, database: Database, settings: Settings) -> Message:
    """What the notice says as things stand."""
    return describe_notice(await read_notice(database, notice_id), settings.review_days)


async def decide(
    ruling: Ruling,
    notice_id: int,
    database: Database,
    settings: Settings,
    *,
    user: str,
    may_reindex: Callable[[], Awaitable[bool]],
) -> Message:
    """Carries out what a person pressed, and returns what the notice says from then on. It may be repeated.

    Raises RulingRefused when it is not theirs to decide; `may_reindex` is asked only of somebody who is not the owner.
    """
    notice = await read_notice(database, notice_id)
    if notice is None:
        return describe_notice(None, settings.review_days)
    if user != notice.owner and not await may_reindex():
        raise RulingRefused
    if notice.document_id is None:
        await rule_on_source(database, settings, notice.source, ruling, by=user)
    else:
        await rule_on_document(database, settings, notice.document_id, ruling, by=user)
    return describe_notice(await read_notice(database, notice_id), settings.review_days, said=_SAID[ruling])
