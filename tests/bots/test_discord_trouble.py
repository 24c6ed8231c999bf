"""Discord in trouble: what is redelivered, missed, refused, reset and limited, and what the bot makes of it."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest
from pydantic import SecretStr

from bots.discord import client
from bots.discord.checks import check_discord
from bots.discord.client import DiscordUnavailable
from bots.inbox import Inbox
from bots.surface import Event
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable, TokenError
from tandem.settings import Settings
from tests.bots.scripted import MortalInbox, ScriptedAgent
from tests.doubles.discord import DiscordDouble, run_discord_double
from tests.doubles.discord_bots import Stage, aim_at, open_stage


@pytest.fixture
async def stage(settings: Settings, database: Database) -> AsyncIterator[Stage]:
    async with open_stage(settings, database) as opened:
        yield opened


def ask(stage: Stage, text: str) -> discord.Object:
    return discord.Object(stage.ada.say(stage.double.general, f"{stage.double.mention} {text}").id)


async def test_what_was_said_while_the_gateway_was_down_is_replayed_and_answered_once(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    ask(stage, "before")
    await stage.settle(events=1)
    double.gateway.drop()
    missed = ask(stage, "meanwhile")
    await stage.settle(events=2)
    double.gateway.redeliver(missed.id)
    await double.gateway.ask_to_reconnect()
    await double.wait_until(lambda: double.gateway.resumes == 2)
    await stage.settle(events=2)
    assert [question.text for question in agent.asked] == ["before", "meanwhile"]
    assert double.gateway.identifies == 1
    assert len(double.bot_messages(double.general)) == 2


async def test_what_was_missed_while_no_bot_ran_is_answered_at_the_next_start(stage: Stage) -> None:
    agent, double, ada = ScriptedAgent(), stage.double, stage.ada
    double.clock.advance(-3600)
    ask(stage, "from before the bot came, which it must not dig up")
    double.clock.advance(3600)
    await stage.start(agent)
    thread = double.make_thread(double.general, ada)
    ada.say(thread, f"{double.mention} in the thread")
    ada.say(ada.dm, "in private")
    await stage.settle(events=2)
    await stage.stop()
    ask(stage, "missed in the channel")
    ada.say(thread, "missed in the thread")
    ada.say(ada.dm, "missed in private")
    ada.say(double.general, "not for the bot")
    await stage.start(agent)
    await stage.settle(events=5)
    texts = [question.text for question in agent.asked]
    assert sorted(texts[2:]) == ["missed in private", "missed in the channel", "missed in the thread"]
    assert len(double.bot_messages(thread)) == len(double.bot_messages(ada.dm)) == 2


async def test_a_session_that_discord_forgot_is_begun_anew_and_misses_nothing(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    ask(stage, "before")
    await stage.settle(events=1)
    double.gateway.drop(resumable=False)
    ask(stage, "meanwhile")
    await double.wait_until(lambda: double.gateway.identifies == 2)  # discord.py takes five seconds over this
    ask(stage, "after")
    await stage.settle(events=3)
    assert [question.text for question in agent.asked] == ["before", "meanwhile", "after"]


@pytest.mark.parametrize(
    ("kind", "details"),
    [("reset_after", {}), ("reset_before", {}), ("rate_limit", {"retry_after_s": 0.3}), ("status", {"status": 502})],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_request_that_fails_once_leads_to_one_whole_reply(
    stage: Stage, kind: str, details: dict[str, float], method: str
) -> None:
    double = stage.double
    await stage.start(ScriptedAgent())
    double.order(kind, method, "/channels/*/messages*", **details)  # type: ignore[arg-type]
    ask(stage, "hello")
    await stage.settle(events=1)
    assert double.rest.faults == []
    [reply] = double.bot_messages(double.general)
    assert reply.content.startswith("You said: hello")


@pytest.mark.parametrize("moment", ["record_reply", "finish"])
async def test_a_crash_leads_to_one_reply_even_when_discord_has_forgotten_its_nonces(stage: Stage, moment: str) -> None:
    agent, double = ScriptedAgent({"Q": "apple " * 500}), stage.double
    doomed = MortalInbox(stage.database, stage.settings, dies_at=moment)
    await stage.start(agent, doomed)
    ask(stage, "Q")
    await doomed.dead.wait()
    await stage.stop()
    double.clock.advance(600)
    await stage.start(agent)
    await stage.settle(events=1)
    parts = double.bot_messages(double.general)
    assert len(parts) == 2
    assert "".join(part.content for part in parts).count("apple") == 500


async def test_a_channel_that_refuses_the_bot_holds_up_no_other(stage: Stage) -> None:
    double = stage.double
    await stage.start(ScriptedAgent())
    closed = double.make_channel("closed")
    double.forbid(closed, send_messages=True)
    stage.ada.say(closed, f"{double.mention} hello")
    ask(stage, "hello")
    await stage.settle(events=2)
    assert double.bot_messages(closed) == []
    assert len(double.bot_messages(double.general)) == 1
    rows = await stage.database.fetch_all(b"SELECT fault FROM inbox ORDER BY arrival")
    assert [row["fault"] for row in rows] == ["no reply possible", None]


async def test_a_reply_that_a_moderator_removed_is_not_sent_again(stage: Stage) -> None:
    agent, double = ScriptedAgent(held=frozenset({"Q"})), stage.double
    await stage.start(agent)
    ask(stage, "Q")
    await agent.begun.wait()
    [reply] = double.bot_messages(double.general)
    double.backend.delete_message(double.general.id, reply.id)
    agent.go.set()
    await stage.settle(events=1)
    assert double.bot_messages(double.general) == []


class LateInbox(Inbox):
    """A database that comes back after two tries."""

    tries = 0

    async def accept(self, event: Event) -> bool:
        self.tries += 1
        if self.tries < 3:
            raise DatabaseUnavailable
        return await super().accept(event)


async def test_questions_wait_for_a_database_that_is_away_and_keep_their_order(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_EVERY_S", 0.1)
    agent, inbox = ScriptedAgent(), LateInbox(stage.database, stage.settings)
    await stage.start(agent, inbox)
    for text in ("first", "second", "third"):
        stage.ada.say(stage.ada.dm, text)
    await stage.settle(events=3)
    assert inbox.tries == 5
    assert [question.text for question in agent.asked] == ["first", "second", "third"]


async def test_two_replicas_that_receive_the_same_command_and_click_act_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    await stage.start(agent)
    asked = stage.ada.run(double.general, "ask", question="hello")
    await stage.settle(events=1)
    [response] = double.bot_messages(double.general)
    click = stage.ada.click(response, "👍")
    await stage.settle(events=1)
    assert response.id == asked.message_id
    assert click.responded
    assert len(agent.asked) == 1
    assert {verdict for _, _, verdict in agent.feedback} == {"up"}
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_stopped_at_any_moment_of_its_start_it_ends(stage: Stage) -> None:
    inbox = Inbox(stage.database, stage.settings)
    for step in range(25):
        serving = asyncio.create_task(client.serve_discord(stage.settings, stage.database, ScriptedAgent(), inbox))
        await asyncio.sleep(step * 0.002)
        serving.cancel()
        done, _ = await asyncio.wait([serving], timeout=15)
        assert done, f"still running 15 s after it was stopped {step * 2} ms after its start"
        assert serving.cancelled()


# tokens and intents


async def refuses(double: DiscordDouble, settings: Settings, database: Database) -> str:
    stage = Stage(double, settings, database)
    stage.settings = settings
    with pytest.raises(TokenError) as refused:
        await stage.start_in_vain(ScriptedAgent())
    healthy, told = await check_discord(settings)
    assert not healthy
    assert told
    return str(refused.value)


async def test_a_missing_or_wrong_token_says_what_to_do(settings: Settings, database: Database) -> None:
    async with run_discord_double() as double:
        aimed = aim_at(double, settings)
        missing = aimed.model_copy(update={"discord_token": None})
        assert "DISCORD_TOKEN is not set" in await refuses(double, missing, database)
        wrong = aimed.model_copy(update={"discord_token": SecretStr("not.the.token")})
        assert "Reset it" in await refuses(double, wrong, database)


async def test_a_missing_intent_says_where_to_turn_it_on(settings: Settings, database: Database) -> None:
    approved = discord.Intents.all()
    approved.message_content = False
    async with run_discord_double(approved=approved) as double:
        aimed = aim_at(double, settings)
        assert "Turn on Message Content Intent" in await refuses(double, aimed, database)
        assert "Turn on Message Content Intent" in (await check_discord(aimed))[1]


async def test_a_bot_that_is_set_up_passes_the_check(stage: Stage) -> None:
    healthy, told = await check_discord(stage.settings)
    assert healthy
    assert "Tandem" in told


async def test_a_gateway_that_cannot_be_reached_says_so(stage: Stage) -> None:
    stage.double.rest.gateway_url = "ws://127.0.0.1:9/"
    with pytest.raises(DiscordUnavailable, match="gateway does not answer"):
        await stage.start(ScriptedAgent())


async def test_a_discord_that_cannot_be_reached_says_which(settings: Settings, database: Database) -> None:
    nowhere = settings.model_copy(
        update={"discord_api_url": "http://127.0.0.1:9/api/v10", "discord_token": SecretStr("t")}
    )
    async with run_discord_double() as double:
        stage = Stage(double, settings, database)
        stage.settings = nowhere
        with pytest.raises(DiscordUnavailable, match="does not answer"):
            await stage.start(ScriptedAgent())
