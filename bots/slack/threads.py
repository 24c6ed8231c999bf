"""Which threads the bot is part of, and which conversation each one is."""

from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.client import is_uncertain
from bots.slack.incoming import Incoming
from bots.slack.posts import EVENT_TYPE
from tandem.db.pool import Database
from tandem.db.queries import load_queries

_SQL = load_queries("bots.slack", "threads.sql")


class Threads:
    """Raises what the database and the Web API raise; the event is then delivered again."""

    def __init__(self, client: AsyncWebClient, incoming: Incoming, database: Database) -> None:
        self._client = client
        self._incoming = incoming
        self._database = database

    async def conversation_of(self, message: Mapping[str, Any]) -> str:
        """The message's conversation: its thread, or the one that a reply of ours that began the thread belongs to."""
        channel, thread = message["channel"], message.get("thread_ts") or message["ts"]
        own = self._incoming.thread_of(channel, thread)
        if not self._began(message):
            return own
        try:
            answer = await self._client.conversations_replies(
                channel=channel, ts=thread, limit=1, include_all_metadata=True
            )
        except SlackApiError as error:
            if is_uncertain(error):
                raise
            return own
        metadata = next((m.get("metadata") or {} for m in answer["messages"] if m["ts"] == thread), {})
        if metadata.get("event_type") != EVENT_TYPE:
            return own
        return str(metadata["event_payload"].get("conversation", own))

    async def knows(self, message: Mapping[str, Any]) -> bool:
        """Whether the bot is part of the message's thread: it began it, or was asked in it within a month."""
        if self._began(message):
            return True
        conversation = self._incoming.thread_of(message["channel"], message["thread_ts"])
        row = await self._database.fetch_one(_SQL["is_known"], {"conversation": conversation})
        return bool(row and row["known"])

    async def newest_in(self, channel: str) -> str | None:
        """The conversation of the channel's newest answer."""
        row = await self._database.fetch_one(_SQL["newest"], {"channel": self._incoming.thread_of(channel, "")})
        return row["conversation"] if row else None

    def _began(self, message: Mapping[str, Any]) -> bool:
        return message.get("parent_user_id") == self._incoming.identity.user
