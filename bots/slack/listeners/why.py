"""`/why`: how the channel's newest answer came about."""

import asyncio
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.inbox import DATABASE_TROUBLE
from bots.slack.listeners import ACCEPT_WITHIN_S, NOT_KEPT, Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.command("/why")
    async def take_request(ack: AsyncAck, body: Mapping[str, Any]) -> None:
        try:
            async with asyncio.timeout(ACCEPT_WITHIN_S):
                conversation = await desk.threads.newest_in(body["channel_id"])
        except (TimeoutError, *DATABASE_TROUBLE):
            await ack(NOT_KEPT)
            return
        await desk.accept_command(desk.incoming.read_command("why", body, conversation), ack)
