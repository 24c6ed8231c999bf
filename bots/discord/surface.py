"""Discord as the conversation layer sees it: where the reply to an event is, or has to go."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from weakref import WeakSet

import discord

from bots.discord.messages import Channel, Response
from bots.discord.naming import SURFACE, name_notice
from bots.discord.reply import DiscordReply, LiveText, show_line
from bots.surface import REVIEW_LINE, Event

FIRST_LINE = "Thinking"
ACKNOWLEDGED_WITHIN = timedelta(seconds=5)  # Discord gives up after three
LOOK_EVERY_S = 0.2
QUOTED = 150


class DiscordSurface:
    """An address holds `channel`, `guild` (empty in direct messages) and the `token` of the response to a command."""

    name = SURFACE

    def __init__(self, client: discord.Client) -> None:
        self._client = client
        self._live: WeakSet[LiveText] = WeakSet()

    def close(self) -> None:
        """Ends what is still being shown of replies that nobody writes any more."""
        for live in self._live:
            live.cancel()

    async def find_reply(self, event: Event) -> DiscordReply | None:
        response = self._response(event)
        if response and (message := await response.read()) and not message.flags.loading:
            return self._reply(event, message.id, response)
        found = await self._channel(event).find(_snowflake(event), lambda message: _answers(message, event))
        return self._reply(event, found[0], None) if found else None

    async def open_reply(self, event: Event) -> DiscordReply:
        content = _header(event) + show_line(REVIEW_LINE if event.kind == "review" else FIRST_LINE)
        response = self._response(event)
        if response and (message_id := await self._take_up(event, response, content)):
            return self._reply(event, message_id, response, parts=[])
        asked = _snowflake(event)
        message_id = await self._channel(event).send(
            content, nonce=str(asked), reply_to=None if _stands_alone(event) else asked
        )
        return self._reply(event, message_id, None, parts=[])

    def resume(self, event: Event, reference: Mapping[str, str]) -> DiscordReply:
        response = self._response(event) if reference["responded"] else None
        return self._reply(event, int(reference["message"]), response)

    async def _take_up(self, event: Event, response: Response, content: str) -> int | None:
        """Replaces Discord's own "thinking" line; None if the command was not acknowledged in time or is too old.

        Whichever process received the command acknowledges it, perhaps a moment after this one has claimed it.
        """
        wait_until = discord.utils.snowflake_time(_snowflake(event)) + ACKNOWLEDGED_WITHIN
        while True:
            message_id = await response.edit(content)
            if message_id or discord.utils.utcnow() > wait_until:
                return message_id
            await asyncio.sleep(LOOK_EVERY_S)

    def _reply(
        self, event: Event, message_id: int, response: Response | None, parts: list[int] | None = None
    ) -> DiscordReply:
        reply = DiscordReply(
            self._channel(event),
            message_id,
            nonce=str(_snowflake(event)),
            response=response,
            header=_header(event),
            parts=parts,
        )
        self._live.add(reply.live)
        return reply

    def _channel(self, event: Event) -> Channel:
        guild = event.address["guild"]
        return Channel(self._client, int(event.address["channel"]), int(guild) if guild else None)

    def _response(self, event: Event) -> Response | None:
        token = event.address.get("token")
        return Response(self._client, _snowflake(event), token) if token else None


def _snowflake(event: Event) -> int:
    return int(event.id.rpartition(":")[2])


def _answers(message: discord.Message, event: Event) -> bool:
    """Whether this message of the bot's is the reply to that message or command, or stands alone below its words."""
    asked = _snowflake(event)
    if not _stands_alone(event):
        return message.reference is not None and message.reference.message_id == asked
    if message.interaction_metadata is not None:
        return message.interaction_metadata.id == asked and not message.flags.loading
    return message.content.startswith(_header(event))


def _stands_alone(event: Event) -> bool:
    """Whether there is no message that the reply could refer to: a command, or what nobody asked for."""
    return "token" in event.address or event.kind == "review"


def _header(event: Event) -> str:
    """What the reply to a command begins with: Discord shows nobody what was asked. A notice has its number there."""
    if event.kind == "review":
        return name_notice(event.text)
    if "token" not in event.address:
        return ""
    command = "ask" if event.kind == "question" else event.kind
    said = " ".join(f"/{command} {event.text}".replace("`", "").split())
    return f"> `{said[:QUOTED]}`\n"
