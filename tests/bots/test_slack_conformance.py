"""Slack passes the suite that every surface must pass, over real slack-bolt and real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bots.commands import Agent
from bots.inbox import Inbox
from bots.slack.app import serve_slack
from bots.slack.posts import EVENT_TYPE
from bots.surface import Kind
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.conformance import Asked, Conformance
from tests.doubles.slack import Fault, SlackDouble
from tests.doubles.slack_workspace import BOT_USER, Message, visible_text


class SlackHarness:
    """The person is an admin in the channel C1, and mentions the bot where it is needed."""

    limit = 12_000
    longest_input = 40_000

    def __init__(self, slack: SlackDouble, settings: Settings, database: Database) -> None:
        self._slack = slack
        self._settings = slack.connect(settings)
        self._database = database
        self._running = AsyncExitStack()

    async def start(self, agent: Agent, inbox: Inbox) -> None:
        await self._running.enter_async_context(serve_slack(self._settings, self._database, agent, inbox))

    async def stop(self) -> None:
        await self._running.aclose()

    async def ask(self, text: str, *, thread: Asked | None = None) -> Asked:
        said = self._slack.say(
            text if thread else f"<@{BOT_USER}> {text}", user="UADMIN", thread=str(thread.delivery) if thread else None
        )
        return Asked(f"slack:C1:{said['ts']}", str(thread.delivery) if thread else said["ts"])

    async def command(self, kind: Kind, text: str = "", *, thread: Asked | None = None) -> Asked:
        delivery = await self._slack.command(f"/{kind}", text, user="UADMIN")
        assert delivery.acknowledged
        assert delivery.response is None
        return Asked(f"slack:{delivery.payload['trigger_id']}")

    async def redeliver(self, asked: Asked) -> None:
        ts = asked.id.rpartition(":")[2]
        for sent in list(self._slack.deliverer.sent):
            event = sent.payload.get("event", {})
            if event.get("ts") == ts and event["user"] != BOT_USER:
                assert (await self._slack.deliverer.send(sent.kind, sent.payload)).acknowledged

    async def visible(self, asked: Asked) -> list[str]:
        return [visible_text(message) for message in replies_to(self._slack, asked.id)]

    def lose_next_response(self) -> None:
        self._slack.fail("chat.startStream", Fault(reset="after"))
        self._slack.fail("chat.postMessage", Fault(reset="after"))

    def pings(self) -> list[str]:
        return self._slack.workspace.pings


def replies_to(slack: SlackDouble, event_id: str) -> list[Message]:
    """The bot's messages that a person sees as the reply to this event, whoever wrote them and however often."""
    shown = []
    for channel in slack.workspace.channels.values():
        for message in channel.messages:
            metadata = message.get("metadata") or {}
            marked = metadata.get("event_type") == EVENT_TYPE and metadata["event_payload"]["event"] == event_id
            streams = any(block.get("task_id") == event_id for block in message.get("blocks") or [])
            if marked or streams:
                shown.append(message)
    return shown


class TestSlack(Conformance):
    @pytest.fixture
    async def harness(self, settings: Settings, database: Database) -> AsyncIterator[SlackHarness]:
        async with SlackDouble.open() as slack:
            made = SlackHarness(slack, settings, database)
            yield made
            await made.stop()
            await asyncio.sleep(0)


class TestSlackWithoutStreaming(Conformance):
    """The same where Slack does not know chat.startStream."""

    @pytest.fixture
    async def harness(self, settings: Settings, database: Database) -> AsyncIterator[SlackHarness]:
        async with SlackDouble.open() as slack:
            slack.withdraw("chat.startStream", "chat.appendStream", "chat.stopStream")
            made = SlackHarness(slack, settings, database)
            yield made
            await made.stop()
            await asyncio.sleep(0)
