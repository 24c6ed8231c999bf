"""What tests wait for and look at in the Slack double."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.doubles.slack import SlackDouble
from tests.doubles.slack_workspace import Message, feedback_values


async def finished(slack: SlackDouble, look: Callable[[], list[Message]], count: int = 1) -> list[Message]:
    """The bot's messages there, once there are so many and each is finished (it bears its thumbs)."""
    await slack.wait(lambda: len(look()) >= count and all(feedback_values(message) for message in look()[:count]))
    return look()


async def settled(slack: SlackDouble) -> None:
    """Until everything that was delivered has been acknowledged, and whoever would answer it has had time to."""
    await slack.wait(lambda: all(delivery.acknowledged for delivery in slack.deliverer.sent))
    await asyncio.sleep(0.7)


def calls(slack: SlackDouble, method: str) -> list[dict[str, Any]]:
    return [arguments for called, arguments in slack.calls if called == method]
