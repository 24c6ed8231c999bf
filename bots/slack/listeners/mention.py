"""`@Tandem ...` in a channel."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bots.slack.listeners import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.event("app_mention")
    async def take_mention(event: Mapping[str, Any]) -> None:
        if event.get("bot_id") or not event.get("user") or event.get("edited"):
            return
        conversation = await desk.threads.conversation_of(event)
        await desk.conversation.accept(desk.incoming.read_message(event, conversation))
