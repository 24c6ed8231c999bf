"""Discord passes the suite for every surface, asked by mention and by slash command."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from simcord.backend.models import Interaction, Message

from bots.commands import Agent
from bots.inbox import Inbox
from bots.surface import Kind
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.conformance import Asked, Conformance, Harness
from tests.doubles.discord_bots import Stage, open_stage

Sent = Message | Interaction


@dataclass
class DiscordHarness:
    """A follow-up replies to the bot's answer, in the plain channel where all of it happens."""

    stage: Stage
    by_command: bool
    limit: int | None = 2000
    longest_input: int = 4000

    async def start(self, agent: Agent, inbox: Inbox) -> None:
        await self.stage.start(agent, inbox)

    async def stop(self) -> None:
        await self.stage.stop()

    async def ask(self, text: str, *, thread: Asked | None = None) -> Asked:
        double, ada = self.stage.double, self.stage.ada
        if thread is not None:
            return _asked(ada.say(double.general, text, reply_to=self._replies(thread)[0]))
        if self.by_command and text:
            return _asked(ada.run(double.general, "ask", question=text))
        return _asked(ada.say(double.general, f"{double.mention} {text}"))

    async def command(self, kind: Kind, text: str = "", *, thread: Asked | None = None) -> Asked:
        options = {"source": text} if text else {}
        return _asked(self.stage.ada.run(self.stage.double.general, kind, **options))

    async def redeliver(self, asked: Asked) -> None:
        self.stage.double.gateway.redeliver(_sent(asked).id)

    async def visible(self, asked: Asked) -> list[str]:
        return [part.content for part in self._replies(asked)]

    def lose_next_response(self) -> None:
        if self.by_command:
            self.stage.double.order("reset_after", "PATCH", "/webhooks/*")
        else:
            self.stage.double.order("reset_after", "POST", "/channels/*/messages")

    def pings(self) -> list[str]:
        return self.stage.double.pings()

    def _replies(self, asked: Asked) -> list[Message]:
        double, sent = self.stage.double, _sent(asked)
        first = double.replies_to(sent) if isinstance(sent, Message) else [double.response_to(sent)]
        return [reply for one in first if one is not None for reply in (one, *double.replies_to(one))]


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
        async with open_stage(settings, database) as stage:
            yield DiscordHarness(stage, by_command=request.param == "command")
            assert stage.double.rest.faults == []  # what the test ordered has happened
