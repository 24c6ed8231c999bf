"""The thumbs under an answer."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bots.slack.blocks import VERDICT_ACTION
from bots.slack.listeners import Desk


def register(app: AsyncApp, desk: Desk) -> None:
    @app.action(VERDICT_ACTION)
    async def take_verdict(ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        verdict, _, answer_id = action["value"].partition(":")
        if verdict in ("up", "down"):
            await desk.conversation.agent.record_feedback(
                answer_id, user=f"slack:{body['user']['id']}", verdict="up" if verdict == "up" else "down"
            )
        await ack()
