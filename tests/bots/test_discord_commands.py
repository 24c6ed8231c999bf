"""Discord's slash commands: stored before they are acknowledged, for whom they are, and what late answers come to."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.commands import NOT_TAKEN
from bots.inbox import Inbox
from bots.surface import Event
from index.audience import Viewer
from index.sources import add_source
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.scripted import MortalInbox, ScriptedAgent
from tests.doubles.discord_bots import Stage, open_stage

MINUTE = 60.0


@pytest.fixture
async def stage(settings: Settings, database: Database) -> AsyncIterator[Stage]:
    async with open_stage(settings, database) as opened:
        yield opened


class HeldInbox(Inbox):
    """Stores nothing until it is let go."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database, settings)
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def accept(self, event: Event) -> bool:
        self.asked.set()
        await self.let_go.wait()
        return await super().accept(event)


async def test_a_question_is_stored_before_discord_is_told_and_deferred_in_time(stage: Stage) -> None:
    agent, double = ScriptedAgent(held=frozenset({"Q"})), stage.double
    inbox = HeldInbox(stage.database, stage.settings)
    await stage.start(agent, inbox)
    asked = stage.ada.run(double.general, "ask", question="Q")
    await inbox.asked.wait()
    await asyncio.sleep(0.3)
    assert not asked.responded
    inbox.let_go.set()
    await agent.begun.wait()
    assert asked.responded
    await asyncio.sleep(3.1)  # the time that Discord gives for an acknowledgement
    agent.go.set()
    await stage.settle(events=1)
    response = double.response_to(asked)
    assert response is not None
    assert response.content.startswith("> `/ask Q`\nYou said: Q")
    assert double.bot_messages(double.general) == [response]


async def test_a_command_that_cannot_be_stored_says_so_to_whoever_gave_it(stage: Stage) -> None:
    await stage.start(ScriptedAgent(), HeldInbox(stage.database, stage.settings))
    asked = stage.ada.run(stage.double.general, "sources")
    response = await stage.double.wait_until(lambda: stage.double.response_to(asked))
    assert response.content == NOT_TAKEN
    assert response.is_ephemeral
    await stage.settle(events=0)


async def test_an_answer_that_comes_after_a_quarter_of_an_hour_still_lands_in_its_place(stage: Stage) -> None:
    agent, double = ScriptedAgent(held=frozenset({"Q"})), stage.double
    await stage.start(agent)
    asked = stage.ada.run(double.general, "ask", question="Q")
    await agent.begun.wait()
    double.clock.advance(16 * MINUTE)
    agent.go.set()
    await stage.settle(events=1)
    [response] = double.bot_messages(double.general)
    assert response.id == asked.message_id
    assert "You said: Q" in response.content


async def test_a_response_whose_place_was_not_recorded_is_found_after_its_token_has_died(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    doomed = MortalInbox(stage.database, stage.settings, dies_at="record_reply")
    await stage.start(agent, doomed)
    asked = stage.ada.run(double.general, "ask", question="Q")
    await doomed.dead.wait()
    await stage.stop()
    double.clock.advance(16 * MINUTE)
    await stage.start(agent)
    await stage.settle(events=1)
    [response] = double.bot_messages(double.general)
    assert response.id == asked.message_id
    assert "You said: Q" in response.content


@pytest.mark.parametrize("crash", [False, True])
async def test_a_command_that_was_stored_but_never_acknowledged_is_answered_in_the_channel(
    stage: Stage, crash: bool
) -> None:
    agent, double = ScriptedAgent({"Q?": "The answer."}), stage.double
    await stage.start(agent, inbox := MortalInbox(stage.database, stage.settings))
    await stage.stop()
    assert not inbox.dead.is_set()
    double.clock.advance(-MINUTE)
    asked = stage.ada.run(double.general, "ask", question="Q?")
    double.clock.advance(MINUTE)
    address = {"channel": str(double.general.id), "guild": str(double.guild.id), "token": asked.token}
    event = Event(
        id=f"discord:{asked.id}",
        surface="discord",
        kind="question",
        conversation=f"discord:{asked.id}",
        viewer=Viewer("discord:1"),
        user="",
        text="Q?",
        address=address,
    )
    await inbox.accept(event)
    if crash:
        doomed = MortalInbox(stage.database, stage.settings, dies_at="record_reply")
        await stage.start(agent, doomed)
        await doomed.dead.wait()
        await stage.stop()
        double.clock.advance(10 * MINUTE)  # Discord has forgotten the nonce
    await stage.start(agent)
    await stage.settle(events=1)
    [reply] = double.bot_messages(double.general)
    assert reply.content.startswith("> `/ask Q?`\nThe answer.")


async def test_why_explains_the_last_answer_of_this_channel(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    elsewhere = double.make_channel("elsewhere")
    stage.ada.run(double.general, "ask", question="asked here")
    await stage.settle(events=1)
    stage.ada.say(elsewhere, f"{double.mention} asked elsewhere")
    await stage.settle(events=2)
    why = stage.bob.run(double.general, "why")
    await stage.settle(events=3)
    response = double.response_to(why)
    assert response is not None
    assert "asked here" in response.content


async def test_who_may_reindex_and_where(stage: Stage) -> None:
    double = stage.double
    await stage.start(ScriptedAgent())
    with pytest.raises(PermissionError, match="default-member-permissions"):
        stage.bob.run(double.general, "reindex")
    with pytest.raises(PermissionError, match="context"):
        stage.ada.run(stage.ada.dm, "reindex")
    stage.ada.run(double.general, "reindex")
    await stage.settle(events=1)


async def test_reindex_offers_the_sources_that_this_channel_may_see(stage: Stage, tmp_path: Path) -> None:
    double = stage.double
    for name, audience in (("handbook", "everyone"), ("handover", f"discord:{double.general.id}"), ("salaries", "hr")):
        (tmp_path / name).mkdir()
        await add_source(stage.database, tmp_path / name, name=name, audience=audience, added_by="test")
    await stage.start(ScriptedAgent())
    assert await stage.ada.complete(double.general, "reindex", "source", "HAND") == ["handbook", "handover"]
    assert await stage.ada.complete(double.general, "reindex", "source", "") == ["handbook", "handover"]
    elsewhere = double.make_channel("elsewhere")
    assert await stage.ada.complete(elsewhere, "reindex", "source", "hand") == ["handbook"]


async def test_commands_are_registered_when_they_changed_and_only_then(stage: Stage) -> None:
    double = stage.double
    for _ in range(2):
        await stage.start(ScriptedAgent())
        await stage.stop()
    assert len(_registrations(stage)) == 1
    double.backend.commands[None]["ask", 1]["description"] = "What an older version said"
    await stage.start(ScriptedAgent())
    assert len(_registrations(stage)) == 2
    assert sorted(name for name, _ in double.backend.commands[None]) == ["ask", "reindex", "sources", "why"]


def _registrations(stage: Stage) -> list[object]:
    return [call for call in stage.double.calls if call.method == "PUT" and call.path.endswith("/commands")]
