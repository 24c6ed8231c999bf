"""`/sources`: what is known in this channel, and how fresh it is."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.slack.listeners import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.command("/sources")
    async def take_request(ack: AsyncAck, body: Mapping[str, Any]) -> None:
        await desk.accept_command(desk.incoming.read_command("sources", body), ack)
