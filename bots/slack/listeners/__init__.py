"""One file for each thing that Slack may tell us.

A listener stores the event before bolt acknowledges it (the app has process_before_response); what it raises leaves the
event unacknowledged, and Slack delivers it again.
"""

import asyncio
from dataclasses import dataclass

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.conversation import Conversation
from bots.inbox import DATABASE_TROUBLE
from bots.slack.incoming import Incoming
from bots.slack.posts import Posts
from bots.slack.threads import Threads
from bots.surface import Event
from tandem.db.pool import Database
from tandem.settings import Settings

ACCEPT_WITHIN_S = 2.0
NOT_KEPT = "I could not write that down, so I will not answer it: my database does not answer. Try again in a minute."


@dataclass(frozen=True)
class Desk:
    """What the listeners work with."""

    settings: Settings
    conversation: Conversation
    incoming: Incoming
    threads: Threads
    posts: Posts
    database: Database

    async def accept_command(self, event: Event, ack: AsyncAck) -> None:
        """Stores a slash command and acknowledges it within Slack's 3 seconds, or says that it could not."""
        try:
            async with asyncio.timeout(ACCEPT_WITHIN_S):
                await self.conversation.accept(event)
        except (TimeoutError, *DATABASE_TROUBLE):
            await ack(NOT_KEPT)
        else:
            await ack()


def register_listeners(app: AsyncApp, desk: Desk) -> None:
    from bots.slack.listeners import ask, correction, feedback, mention, message, reindex, review, sources, why

    for listener in (mention, message, ask, reindex, sources, why, feedback, correction, review):
        listener.register(app, desk)
