"""Messages that are posted once: each carries its event's id, and is looked for before it is posted a second time."""

import asyncio
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.blocks import Part
from bots.slack.client import LOST, error_code, is_hopeless, is_uncertain
from bots.surface import Event, ReplyImpossible

EVENT_TYPE = "tandem_reply"
TRIES = 3
LOOK_AFTER_S = 0.5
PAGE = 200
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "is_inactive"}
_PARSE = "none"
"""With link_names off, plain @names stay text. chat.update must be told each time: its default would link them."""


class Posts:
    """The bot's own messages. Methods raise ReplyImpossible where no later try can help, else SlackApiError or LOST."""

    def __init__(self, client: AsyncWebClient, bot_id: str) -> None:
        self.client = client
        self._bot_id = bot_id

    async def post_once(self, event: Event, number: int, part: Part, *, thread: str | None) -> str:
        """Posts part `number` of the reply and returns its ts; after a lost answer, that of the copy Slack has."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = await self.client.chat_postMessage(
                    channel=event.address["channel"],
                    thread_ts=thread,
                    text=part.text,
                    blocks=part.blocks,
                    metadata=describe(event, number),
                    unfurl_links=False,
                    unfurl_media=False,
                    link_names=False,
                    parse=_PARSE,
                )
            except (SlackApiError, *LOST) as error:
                _raise_if_certain(error)
                if attempt == TRIES:
                    raise
                await asyncio.sleep(LOOK_AFTER_S * attempt)
                if ts := (await self.find(event, thread=thread)).get(number):
                    return ts
            else:
                return str(answer["ts"])
        raise AssertionError("unreachable")

    async def edit(self, event: Event, ts: str, number: int, part: Part) -> None:
        """Makes the message say exactly this, and ends its stream if it has one. May be repeated."""
        for attempt in range(1, TRIES + 1):
            try:
                await self.client.chat_update(
                    channel=event.address["channel"],
                    ts=ts,
                    text=part.text,
                    blocks=part.blocks,
                    metadata=describe(event, number),
                    link_names=False,
                    parse=_PARSE,
                )
            except (SlackApiError, *LOST) as error:
                if isinstance(error, SlackApiError) and error_code(error) == "streaming_state_conflict":
                    await self.seal(event, ts)
                    continue
                _raise_if_certain(error)
                if attempt == TRIES:
                    raise
                await asyncio.sleep(LOOK_AFTER_S * attempt)
            else:
                return
        raise ReplyImpossible("Slack keeps a message of mine open that I cannot close.")

    async def seal(self, event: Event, ts: str) -> None:
        """Ends the message's stream, so that it can be edited; no matter if it has ended already."""
        try:
            await self.client.chat_stopStream(channel=event.address["channel"], ts=ts, metadata=describe(event, 0))
        except SlackApiError as error:
            if error_code(error) != "message_not_in_streaming_state" and not is_uncertain(error):
                raise
        except LOST:
            pass  # chat.update will tell

    async def find(self, event: Event, *, thread: str | None) -> dict[int, str]:
        """The parts of the reply that Slack has: their ts by number. Without a thread, those in the channel itself."""
        channel, since = event.address["channel"], event.address["since"]
        if thread:
            pages = await self.client.conversations_replies(
                channel=channel, ts=thread, oldest=since, include_all_metadata=True, limit=PAGE
            )
        else:
            pages = await self.client.conversations_history(
                channel=channel, oldest=since, include_all_metadata=True, limit=PAGE
            )
        found: dict[int, str] = {}
        unmarked: list[str] = []
        async for page in pages:
            for message in page["messages"]:
                if message.get("bot_id") != self._bot_id or message["ts"] < since:
                    continue
                if (number := _number(message, event)) is not None:
                    found[number] = message["ts"]
                elif (message.get("metadata") or {}).get("event_type") != EVENT_TYPE:
                    unmarked.append(message["ts"])
        if thread and 0 not in found and len(unmarked) == 1:
            # A stream gets its metadata when it ends. Questions of a thread are answered one at a time, so it is ours.
            found[0] = unmarked[0]
        return found


def describe(event: Event, number: int) -> dict[str, Any]:
    """The metadata by which a message is found again; any app of the workspace may read it, so it holds ids alone."""
    payload = {"event": event.id, "part": number, "conversation": event.conversation}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _number(message: Mapping[str, Any], event: Event) -> int | None:
    """Which part of this event's reply the message is; a stream that has not ended bears the id on its task card."""
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    if metadata.get("event_type") == EVENT_TYPE and payload.get("event") == event.id:
        return int(payload.get("part", 0))
    if any(block.get("task_id") == event.id for block in message.get("blocks") or []):
        return 0
    return None


def _raise_if_certain(error: Exception) -> None:
    """Raises what no second try of this call can change; returns where the call may have had its effect."""
    if not isinstance(error, SlackApiError) or is_uncertain(error):
        return
    if is_hopeless(error) or error_code(error) in _GONE:
        raise ReplyImpossible(f"Slack says {error_code(error)}.") from error
    raise error
