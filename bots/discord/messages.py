"""The bot's own messages on Discord: sent once, found again, edited. Nothing that is sent here can ping anybody."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import aiohttp
import discord
from discord.ui import View

from bots.discord.naming import application_of
from bots.surface import ReplyImpossible

SILENT = discord.AllowedMentions.none()
RETRY_DELAYS_S = (0.5, 1.0, 2.0)
TOKEN_LIFE = timedelta(minutes=14, seconds=30)  # Discord's is fifteen minutes
SCANNED = 100
UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN = 10015, 50027
CLOSED = (50083, 160002)  # the thread is archived and locked; a reply needs Read Message History
NETWORK_TROUBLE = (aiohttp.ClientError, OSError, TimeoutError)
_T = TypeVar("_T")

log = logging.getLogger(__name__)


async def persist(call: Callable[[], Awaitable[_T]]) -> _T:
    """Repeats a call whose connection broke, and so may have taken effect; it must be one that is safe to repeat.

    discord.py itself repeats only what Discord answered with 429 or 5xx. Raises ReplyImpossible where Discord will
    refuse for good, and what the last try raised.
    """
    try:
        for delay_s in RETRY_DELAYS_S:
            try:
                return await call()
            except NETWORK_TROUBLE as error:
                log.warning("the connection to Discord broke (%s); trying again", type(error).__name__)
                await asyncio.sleep(delay_s)
        return await call()
    except discord.Forbidden as error:
        raise ReplyImpossible(
            f"Discord does not let me write there ({error.text}).",
            remedy="Let the bot View Channel, Send Messages (in Threads) and Read Message History, and ask again.",
        ) from error
    except discord.NotFound as error:
        raise ReplyImpossible(f"What I would write to is gone from Discord ({error.text}).") from error
    except discord.HTTPException as error:
        if error.code in CLOSED:
            raise ReplyImpossible(f"Discord takes no reply there ({error.text}).") from error
        raise


class Channel:
    """A place that the bot writes to, known by its id alone."""

    def __init__(self, client: discord.Client, channel_id: int, guild_id: int | None) -> None:
        self._target = client.get_partial_messageable(channel_id, guild_id=guild_id)
        self._client = client

    async def send(self, content: str, *, nonce: str, reply_to: int | None, view: View | None = None) -> int:
        """Posts a message and returns its id. The same nonce within some minutes gives the message that is there."""
        reference = discord.MessageReference(
            message_id=reply_to or 0, channel_id=self._target.id, fail_if_not_exists=False
        )

        async def post() -> discord.Message:
            return await self._target.send(
                content,
                nonce=nonce,
                reference=reference if reply_to else None,  # type: ignore[arg-type]  # the overloads know no None
                view=view,  # type: ignore[arg-type]
                allowed_mentions=SILENT,
                suppress_embeds=True,
            )

        return (await persist(post)).id

    async def edit(self, message_id: int, content: str, view: View | None = None) -> None:
        message = self._target.get_partial_message(message_id)
        await persist(lambda: message.edit(content=content, view=view, allowed_mentions=SILENT))

    async def delete(self, message_id: int) -> None:
        await persist(self._target.get_partial_message(message_id).delete)

    async def find(self, after: int, wanted: Callable[[discord.Message], bool]) -> list[int]:
        """The ids of the bot's own messages of that kind among the hundred that came after, oldest first."""

        async def scan() -> list[int]:
            found = self._target.history(limit=SCANNED, after=discord.Object(after), oldest_first=True)
            return [m.id async for m in found if m.author == self._client.user and wanted(m)]

        try:
            return await persist(scan)
        except ReplyImpossible:
            return []  # what may not be read cannot be found; whoever then writes there learns the reason


class Response:
    """The response to a slash command, which its token opens to anybody for fifteen minutes."""

    def __init__(self, client: discord.Client, interaction_id: int, token: str) -> None:
        self._webhook = discord.Webhook.partial(application_of(client), token, client=client)
        self._dies_at = discord.utils.snowflake_time(interaction_id) + TOKEN_LIFE

    @property
    def alive(self) -> bool:
        return discord.utils.utcnow() < self._dies_at

    async def read(self) -> discord.WebhookMessage | None:
        """The response as it stands; None where there is none, or the token is dead."""
        return await self._unless_dead(lambda: self._webhook.fetch_message(_original()))

    async def edit(self, content: str, view: View | None = None) -> int | None:
        """Edits the response and returns its id; None where there is none yet, or the token is dead."""
        edited = await self._unless_dead(
            lambda: self._webhook.edit_message(_original(), content=content, view=view, allowed_mentions=SILENT)
        )
        return edited.id if edited else None

    async def _unless_dead(
        self, call: Callable[[], Awaitable[discord.WebhookMessage]]
    ) -> discord.WebhookMessage | None:
        async def attempt() -> discord.WebhookMessage | None:
            try:
                return await call()
            except discord.HTTPException as error:
                if error.code in (UNKNOWN_WEBHOOK, INVALID_WEBHOOK_TOKEN):
                    return None
                raise

        return await persist(attempt) if self.alive else None


def _original() -> int:
    """Discord's name for the first response, which discord.py's webhooks pass on though they ask for a number."""
    return "@original"  # type: ignore[return-value]
