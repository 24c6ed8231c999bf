"""Direct messages, and follow-ups without a mention in a thread that the bot is part of."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bots.slack.escaping import mentions
from bots.slack.listeners import Desk

WRITTEN = (None, "file_share", "thread_broadcast")
"""Subtypes of what a person wrote; all others tell of edits, deletions, joins and the like."""


def register(app: AsyncApp, desk: Desk) -> None:
    @app.event("message")
    async def take_message(event: Mapping[str, Any]) -> None:
        if event.get("subtype") not in WRITTEN or event.get("bot_id") or not event.get("user"):
            return
        if not await _is_for_us(event, desk):
            return
        conversation = await desk.threads.conversation_of(event)
        await desk.conversation.accept(desk.incoming.read_message(event, conversation))


async def _is_for_us(event: Mapping[str, Any], desk: Desk) -> bool:
    if event.get("channel_type") == "im":
        return True
    mentioned = mentions(event.get("text") or "")
    if desk.incoming.identity.user in mentioned:
        return True  # app_mention tells the same; whichever comes first is taken
    if mentioned or "thread_ts" not in event:
        return False
    return await desk.threads.knows(event)
