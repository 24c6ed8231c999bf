"""Reviews in Slack: the owner gets one direct message, and decides with its buttons."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from bots.inbox import Inbox
from bots.slack.app import serve_slack
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.due import index_due_page, states, told
from tests.bots.scripted import MortalInbox, ScriptedAgent
from tests.doubles.slack import SlackDouble
from tests.doubles.slack_workspace import BOT_USER, Message, visible_text


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open() as double:
        yield double


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bots.reviews.TELL_EVERY_S", 0.2)


def bot(
    slack: SlackDouble, settings: Settings, database: Database, inbox: Inbox | None = None
) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    quick = slack.connect(settings).model_copy(update={"lease_s": 1.0})
    return serve_slack(quick, database, ScriptedAgent(), inbox or Inbox(database, quick))


def labels(message: Message) -> list[str]:
    buttons = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["text"]["text"] for block in buttons for element in block["elements"]]


async def notice_of(slack: SlackDouble, user: str = "U1") -> Message:
    """The owner's notice, once it is finished."""
    place = slack.workspace.add_channel(f"D{user}", "im")
    message: Message = await slack.wait(lambda: next((m for m in place.messages if labels(m)), None))
    return message


async def test_an_owner_is_told_once_by_many_replicas_and_rounds_and_nobody_else_is(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:U1", title="Leave <!channel> `@here`")
    async with AsyncExitStack() as replicas:
        for _ in range(2):
            await replicas.enter_async_context(bot(slack, model_settings, database))
        notice = await notice_of(slack)
        await asyncio.sleep(1.0)
    assert "(`leave.md` in `rules`) is due for review since 2020-01-01. Does it still hold?" in visible_text(notice)
    assert labels(notice) == ["Still valid (90 days)", "Re-index", "Retire"]
    assert [line[0] for line in slack.transcript()] == ["DU1"]
    assert slack.workspace.pings == []
    async with bot(slack, model_settings, database):
        await asyncio.sleep(0.7)
    assert len(slack.transcript()) == 1
    assert await told(database) == [True]


async def test_a_notice_whose_sender_died_after_the_post_is_found_and_finished(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:U1")
    quick = model_settings.model_copy(update={"lease_s": 1.0})
    doomed = MortalInbox(database, quick, dies_at="record_reply")
    async with bot(slack, model_settings, database, doomed):
        await asyncio.wait_for(doomed.dead.wait(), 20)
        [line] = slack.transcript()
        assert line[2] == "_Something that you own is due for review_"
    async with bot(slack, model_settings, database):
        await notice_of(slack)
    assert len(slack.transcript()) == 1


async def test_the_owner_decides_with_a_button_and_the_notice_says_so(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:U1")
    async with bot(slack, model_settings, database):
        notice = await notice_of(slack)
        assert (await slack.press(notice, "Retire")).acknowledged
        await slack.wait(lambda: labels(notice) == ["Restore"])
        assert await states(database) == [("retired", False)]
        assert "`Leave` (`leave.md` in `rules`) is retired." in visible_text(notice)
        assert (await slack.press(notice, "Restore")).acknowledged
        await slack.wait(lambda: "Retire" in labels(notice))
        assert await states(database) == [("new", False)]
        assert (await slack.press(notice, "Re-index")).acknowledged
        await slack.wait(lambda: "I read it again now" in visible_text(notice))
        assert (await slack.press(notice, "Still valid")).acknowledged
        await slack.wait(lambda: not labels(notice))
        assert await states(database) == [("new", True)]
        assert "Noted: it still holds." in visible_text(notice)
    assert len(slack.transcript()) == 1
    assert slack.workspace.pings == []


async def test_only_the_owner_and_who_may_reindex_decide(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:U1")
    async with bot(slack, model_settings, database):
        notice = await notice_of(slack)
        assert (await slack.press(notice, "Retire", user="U2")).acknowledged
        [refusal] = await slack.wait(lambda: slack.responses)
        assert (refusal["response_type"], refusal["to"]) == ("ephemeral", "U2")
        assert "Only its owner decides about this" in refusal["text"]
        assert await states(database) == [("indexed", False)]
        assert (await slack.press(notice, "Retire", user="UADMIN")).acknowledged
        assert await states(database) == [("retired", False)]
    actors = await database.fetch_all(b"SELECT actor FROM audit_trail WHERE action = 'retire document'")
    assert actors == [{"actor": "slack:UADMIN"}]


async def test_an_owner_whom_nobody_knows_costs_one_try_and_a_missing_right_is_tried_again(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:UNOBODY")
    slack.api.scopes.remove("im:write")
    async with bot(slack, model_settings, database):
        await slack.wait(lambda: sum(method == "conversations.open" for method, _ in slack.calls) > 1)
        assert await told(database) == [False]
        slack.api.scopes.add("im:write")
        while await told(database) != [True]:
            await asyncio.sleep(0.05)
        tries = sum(method == "conversations.open" for method, _ in slack.calls)
        await asyncio.sleep(0.7)
        assert sum(method == "conversations.open" for method, _ in slack.calls) == tries
    assert not any(user == BOT_USER for _, user, _ in slack.transcript())


async def test_a_page_of_another_workspace_is_told_of_to_nobody(
    slack: SlackDouble, model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    await index_due_page(database, model_settings, tmp_path / "rules", "slack:U1", workspace="slack:TOTHER")
    async with bot(slack, model_settings, database):
        await asyncio.sleep(0.7)
    assert slack.transcript() == []
