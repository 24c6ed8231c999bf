"""`/ask question`: the answer begins a thread in the channel."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.slack.listeners import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.command("/ask")
    async def take_question(ack: AsyncAck, body: Mapping[str, Any]) -> None:
        await desk.accept_command(desk.incoming.read_command("question", body), ack)
