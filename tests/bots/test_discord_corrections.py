"""Corrections in Discord: a button below the answer opens a form, and what is sent is kept as a correction."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from simcord.backend.models import Channel, Interaction, Message

from bots.corrections import KEPT, LONGEST_CORRECTION
from bots.discord import corrections as form
from graph.answers import Answer
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings
from tandem.tuning.collecting import collect_answers
from tests.bots.keeping import KeepingAgent, corrections
from tests.doubles.discord import Person
from tests.doubles.discord_bots import Stage, open_stage

SAID = "On **Tuesday**, @everyone, says <@1> [1]."
LONG = "word " * 700


@pytest.fixture
async def stage(settings: Settings, database: Database) -> AsyncIterator[Stage]:
    async with open_stage(settings, database) as opened:
        yield opened


@pytest.fixture
async def agent(settings: Settings, database: Database) -> AsyncIterator[KeepingAgent]:
    async with KeepingAgent.open(settings, database, {"When?": SAID, "Why?": LONG}) as opened:
        yield opened


async def answer_to(stage: Stage, question: str, channel: Channel | None = None) -> Message:
    """The part of the answer that bears its buttons."""
    double, place = stage.double, channel or stage.double.general
    stage.ada.say(place, f"{double.mention} {question}")
    await stage.settle(events=1)
    return double.bot_messages(place)[-1]


async def pressed(stage: Stage, person: Person, answer: Message) -> Interaction:
    press = person.click(answer, "Correct")
    await stage.double.wait_until(lambda: press.responded)
    return press


async def said_to(stage: Stage, interaction: Interaction) -> str:
    """What the bot told the person alone."""
    response: Message = await stage.double.wait_until(lambda: stage.double.response_to(interaction))
    await stage.double.wait_until(lambda: response.content)
    assert response.is_ephemeral
    return response.content


def field_of(press: Interaction) -> dict[str, object]:
    assert press.modal is not None
    [label] = press.modal["components"]
    field: dict[str, object] = label["component"]
    return field


async def test_what_a_form_says_is_kept_with_who_said_it_and_they_alone_are_told_what_follows(
    stage: Stage, agent: KeepingAgent, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await stage.start(agent)
    answer = await answer_to(stage, "When?")
    press = await pressed(stage, stage.bob, answer)
    assert field_of(press)["value"] == SAID
    sent = stage.bob.send(press, "On Wednesday, @everyone [1].")
    assert await said_to(stage, sent) == KEPT
    assert await corrections(database) == {f"discord:{stage.bob.id}": "On Wednesday, @everyone [1]."}
    assert await collect_answers(database) == []
    [draft] = await collect_answers(database, {f"discord:{stage.double.general.id}"})
    assert draft.author == f"discord:{stage.bob.id}"
    assert "On Wednesday" in draft.answer
    assert stage.double.bot_messages(stage.double.general) == [answer]
    assert stage.double.pings() == []
    assert "Wednesday" not in caplog.text


async def test_a_form_is_taken_by_whichever_replicas_are_there_when_it_is_sent(
    stage: Stage, agent: KeepingAgent, database: Database
) -> None:
    await stage.start(agent)
    answer = await answer_to(stage, "When?")
    press = await pressed(stage, stage.ada, answer)
    await stage.stop()
    for _ in range(2):
        await stage.start(agent)
    assert await said_to(stage, stage.ada.send(press, "On Wednesday.")) == KEPT
    again = stage.ada.send(press, "On Wednesday.")
    assert await said_to(stage, again) == KEPT
    stage.double.gateway.redeliver(again.id)
    await asyncio.sleep(0.3)
    assert await corrections(database) == {f"discord:{stage.ada.id}": "On Wednesday."}
    second = await pressed(stage, stage.ada, answer)
    await said_to(stage, stage.ada.send(second, "On Friday."))
    assert await corrections(database) == {f"discord:{stage.ada.id}": "On Friday."}


async def test_in_a_thread_and_in_a_direct_message_it_is_the_same(
    stage: Stage, agent: KeepingAgent, database: Database
) -> None:
    await stage.start(agent)
    thread = stage.double.make_thread(stage.double.general, stage.ada)
    for number, place in enumerate((thread, stage.ada.dm), 1):
        stage.ada.say(place, f"{stage.double.mention} When?")
        await stage.settle(events=number)
        [answer] = stage.double.bot_messages(place)
        sent = stage.ada.send(await pressed(stage, stage.ada, answer), f"On the {number}th.")
        assert await said_to(stage, sent) == KEPT
    rows = await database.fetch_all(b"SELECT text FROM corrections ORDER BY text")
    assert [row["text"] for row in rows] == ["On the 1th.", "On the 2th."]


async def test_what_corrects_nothing_is_refused(stage: Stage, agent: KeepingAgent, database: Database) -> None:
    await stage.start(agent)
    press = await pressed(stage, stage.ada, await answer_to(stage, "When?"))
    assert "That is what the answer says already." in await said_to(stage, stage.ada.send(press, f"{SAID} "))
    assert "The correction is empty." in await said_to(stage, stage.ada.send(press, "\n"))
    assert await corrections(database) == {}


async def test_an_answer_too_long_for_the_form_is_not_cut_but_left_out(
    stage: Stage, agent: KeepingAgent, database: Database
) -> None:
    await stage.start(agent)
    press = await pressed(stage, stage.ada, await answer_to(stage, "Why?"))
    field = field_of(press)
    assert field.get("value") is None
    assert "too long to be shown" in str(field["placeholder"])
    assert await said_to(stage, stage.ada.send(press, "x" * LONGEST_CORRECTION)) == KEPT


@pytest.mark.parametrize("fault", ["unknown", "other channel", "other guild"])
async def test_an_answer_that_may_not_be_seen_here_is_not_shown(
    stage: Stage, agent: KeepingAgent, database: Database, fault: str
) -> None:
    await stage.start(agent)
    elsewhere = stage.double.make_channel("elsewhere") if fault == "other channel" else None
    answer = await answer_to(stage, "When?", elsewhere)
    if fault == "unknown":
        await database.execute(b"DELETE FROM answers")
    elif fault == "other guild":
        await database.execute(b"UPDATE answers SET workspace = 'discord:1'")
    else:  # a message here, whose button names an answer of the other channel
        components = answer.components
        stage.ada.say(stage.double.general, f"{stage.double.mention} hello")
        await stage.settle(events=2)
        [answer] = stage.double.bot_messages(stage.double.general)
        answer.components = components
    press = await pressed(stage, stage.bob, answer)
    assert press.modal is None
    assert "I no longer have that answer" in await said_to(stage, press)


async def test_an_answer_that_went_away_while_the_form_was_open_is_not_corrected(
    stage: Stage, agent: KeepingAgent, database: Database
) -> None:
    await stage.start(agent)
    press = await pressed(stage, stage.ada, await answer_to(stage, "When?"))
    await database.execute(b"DELETE FROM answers")
    assert "I no longer have that answer" in await said_to(stage, stage.ada.send(press, "On Wednesday."))


@pytest.mark.parametrize("fault", ["down", "slow"])
async def test_a_database_that_does_not_answer_is_told_of_in_time(
    stage: Stage, agent: KeepingAgent, database: Database, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start(agent)
    answer = await answer_to(stage, "When?")
    press = await pressed(stage, stage.ada, answer)
    with monkeypatch.context() as broken:
        if fault == "down":
            broken.setattr(agent, "trouble", DatabaseUnavailable())
        else:
            broken.setattr(form, "IN_TIME_S", 0.2)
            broken.setattr(form, "CARRY_OUT_WITHIN_S", 0.2)
            broken.setattr(agent, "find_answer", never)
        assert await said_to(stage, stage.ada.send(press, "On Wednesday.")) == form.TROUBLE
        assert await said_to(stage, await pressed(stage, stage.ada, answer)) == form.TROUBLE
    assert await said_to(stage, stage.ada.send(press, "On Wednesday.")) == KEPT


async def never(answer_id: str, viewer: Viewer) -> Answer | None:
    await asyncio.Event().wait()
    return None
