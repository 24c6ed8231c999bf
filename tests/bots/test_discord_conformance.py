"""Discord passes the suite for every surface, asked by mention and by slash command."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import discord
import pytest
from simcord.backend.models import Interaction, Message

from bots.commands import Agent
from bots.inbox import Inbox
from bots.surface import Kind
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.conformance import Asked, Conformance, Harness
from tests.doubles.discord import DiscordDouble, run_discord_double
from tests.doubles.discord_bots import Replicas

Sent = Message | Interaction


@dataclass
class DiscordHarness:
    """A follow-up replies to the bot's answer, in the plain channel where all of it happens."""

    double: DiscordDouble
    replicas: Replicas
    by_command: bool
    limit: int = 2000
    longest_input: int = 4000

    def __post_init__(self) -> None:
        self.person = self.double.make_person("Ada", discord.Permissions(manage_guild=True))

    async def start(self, agent: Agent, inbox: Inbox) -> None:
        await self.replicas.start(agent, inbox)

    async def stop(self) -> None:
        await self.replicas.stop()

    async def ask(self, text: str, *, thread: Asked | None = None) -> Asked:
        channel = self.double.general
        if thread is not None:
            return _asked(self.person.say(channel, text, reply_to=self._replies(thread)[0]))
        if self.by_command and text:
            return _asked(self.person.run(channel, "ask", question=text))
        return _asked(self.person.say(channel, f"{self.double.mention} {text}"))

    async def command(self, kind: Kind, text: str = "", *, thread: Asked | None = None) -> Asked:
        options = {"source": text} if text else {}
        return _asked(self.person.run(self.double.general, kind, **options))

    async def redeliver(self, asked: Asked) -> None:
        self.double.gateway.redeliver(_sent(asked).id)

    async def visible(self, asked: Asked) -> list[str]:
        return [part.content for part in self._replies(asked)]

    def lose_next_response(self) -> None:
        if self.by_command:
            self.double.order("reset_after", "PATCH", "/webhooks/*")
        self.double.order("reset_after", "POST", "/channels/*/messages")

    def pings(self) -> list[str]:
        return self.double.pings()

    def _replies(self, asked: Asked) -> list[Message]:
        sent = _sent(asked)
        first = self.double.replies_to(sent) if isinstance(sent, Message) else [self.double.response_to(sent)]
        return [reply for one in first if one is not None for reply in (one, *self.double.replies_to(one))]


def _asked(sent: Sent) -> Asked:
    return Asked(f"discord:{sent.id}", sent)


def _sent(asked: Asked) -> Sent:
    assert isinstance(asked.delivery, Message | Interaction)
    return asked.delivery


class TestDiscord(Conformance):
    @pytest.fixture(params=["mention", "command"])
    async def harness(
        self, request: pytest.FixtureRequest, settings: Settings, database: Database
    ) -> AsyncIterator[Harness]:
        async with run_discord_double() as double:
            replicas = Replicas(double, settings, database)
            yield DiscordHarness(double, replicas, by_command=request.param == "command")
            await replicas.stop()
