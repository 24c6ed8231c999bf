"""Reviews in Discord: the owner gets one direct message, and decides with its buttons."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from simcord.backend.models import Message

from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.due import index_due_page, states, told
from tests.bots.scripted import MortalInbox, ScriptedAgent
from tests.doubles.discord import Person
from tests.doubles.discord_bots import Stage, open_stage


@pytest.fixture
async def stage(model_settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("bots.reviews.TELL_EVERY_S", 0.2)
    async with open_stage(model_settings, database) as opened:
        yield opened


def labels(message: Message) -> list[str]:
    return [button["label"] for row in message.components for button in row["components"]]


async def notice_of(stage: Stage, owner: Person) -> Message:
    """The owner's one notice, once it is finished."""
    await stage.double.wait_until(lambda: [m for m in stage.double.bot_messages(owner.dm) if labels(m)])
    [notice] = stage.double.bot_messages(owner.dm)
    return notice


async def add_page(stage: Stage, tmp_path: Path, owner: str, workspace: str = "*") -> None:
    await index_due_page(stage.database, stage.settings, tmp_path / "rules", owner, workspace=workspace)


async def test_an_owner_is_told_once_by_many_replicas_and_decides(stage: Stage, tmp_path: Path) -> None:
    await add_page(stage, tmp_path, f"discord:{stage.bob.id}", f"discord:{stage.double.guild.id}")
    for _ in range(2):
        await stage.start(ScriptedAgent())
    notice = await notice_of(stage, stage.bob)
    await stage.settle(events=1)
    assert notice.content.startswith("-# Review notice 1\n`Leave` (`leave.md` in `rules`) is due for review since 2020")
    assert labels(notice) == ["Still valid (90 days)", "Re-index", "Retire"]
    stage.bob.click(notice, "Retire")
    await stage.double.wait_until(lambda: labels(notice) == ["Restore"])
    assert await states(stage.database) == [("retired", False)]
    stage.bob.click(notice, "Restore")
    await stage.double.wait_until(lambda: "Retire" in labels(notice))
    stage.bob.click(notice, "Still valid")
    await stage.double.wait_until(lambda: not labels(notice))
    assert await states(stage.database) == [("new", True)]
    await stage.settle(events=1)
    assert notice.content.endswith("Noted: it still holds.")
    assert stage.double.bot_messages(stage.bob.dm) == [notice]
    assert stage.double.bot_messages(stage.double.general) == []
    assert await told(stage.database) == [True]
    rows = await stage.database.fetch_all(b"SELECT action FROM audit_trail WHERE subject = 'rules: leave.md'")
    assert sorted(row["action"] for row in rows) == ["confirm document", "restore document", "retire document"]


async def test_a_notice_whose_sender_died_after_the_post_is_found_and_finished(stage: Stage, tmp_path: Path) -> None:
    await add_page(stage, tmp_path, f"discord:{stage.bob.id}")
    doomed = MortalInbox(stage.database, stage.settings, dies_at="record_reply")
    await stage.start(ScriptedAgent(), doomed)
    await asyncio.wait_for(doomed.dead.wait(), 20)
    await stage.stop()
    stage.double.clock.advance(600.0)  # Discord has forgotten the nonce
    await stage.start(ScriptedAgent())
    await notice_of(stage, stage.bob)
    await stage.settle(events=1)


async def test_a_press_by_somebody_else_is_refused_to_them_alone(stage: Stage, tmp_path: Path) -> None:
    await add_page(stage, tmp_path, f"discord:{stage.bob.id}")
    await stage.start(ScriptedAgent())
    notice = await notice_of(stage, stage.bob)
    asked = stage.ada.click(notice, "Retire")
    await stage.double.wait_until(lambda: asked.responded)
    await asyncio.sleep(0.5)
    assert await states(stage.database) == [("indexed", False)]
    assert "Retire" in labels(notice)


@pytest.mark.parametrize("owner", ["discord:nobody", "discord:1"])
async def test_an_owner_whom_nobody_knows_is_tried_once(stage: Stage, tmp_path: Path, owner: str) -> None:
    await add_page(stage, tmp_path, owner)
    await stage.start(ScriptedAgent())
    async with asyncio.timeout(20):
        while await told(stage.database) != [True]:
            await asyncio.sleep(0.05)
    await stage.settle(events=0)


async def test_a_notice_hides_no_question_that_was_asked_while_no_bot_ran(stage: Stage, tmp_path: Path) -> None:
    agent = ScriptedAgent()
    await stage.start(agent)
    stage.bob.say(stage.double.general, f"{stage.double.mention} first")
    await stage.settle(events=1)
    await stage.stop()
    stage.bob.say(stage.double.general, f"{stage.double.mention} missed")
    stage.double.clock.advance(3600.0)
    await add_page(stage, tmp_path, f"discord:{stage.ada.id}")
    await stage.start(agent)
    await stage.settle(events=3)
    assert [question.text for question in agent.asked] == ["first", "missed"]
