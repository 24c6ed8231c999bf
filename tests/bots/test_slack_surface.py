"""What the bot does in Slack, with real slack-bolt and real sockets, where Slack differs from other platforms."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from bots.inbox import Inbox
from bots.slack.app import serve_slack
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.scripted import ScriptedAgent
from tests.doubles.slack import Fault, SlackDouble
from tests.doubles.slack_watching import calls, finished, settled
from tests.doubles.slack_workspace import BOT_USER, feedback_values, visible_text

BOT = f"<@{BOT_USER}>"


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open() as double:
        yield double


@pytest.fixture
def agent() -> ScriptedAgent:
    return ScriptedAgent()


@pytest.fixture
async def bot(slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent) -> AsyncIterator[None]:
    """One replica on Socket Mode, which answers what `agent` says."""
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        yield


async def test_a_mention_is_streamed_into_its_thread_once(slack: SlackDouble, bot: None, agent: ScriptedAgent) -> None:
    asked = slack.say(f"{BOT} how do I &lt;b&gt; a car?")
    [reply] = await finished(slack, lambda: slack.replies(asked))
    assert [question.text for question in agent.asked] == ["how do I <b> a car?"]
    assert "You said: how do I <b> a car?" in visible_text(reply)
    assert "Searching" not in visible_text(reply)
    assert calls(slack, "chat.startStream")[0]["recipient_user_id"] == "U1"
    await settled(slack)
    assert len(slack.replies(asked)) == 1
    assert slack.roots() == []


async def test_the_answer_links_its_source(slack: SlackDouble, bot: None) -> None:
    asked = slack.say(f"{BOT} x")
    [reply] = await finished(slack, lambda: slack.replies(asked))
    assert "[1] <https://wiki.example/time-off|Time off>" in visible_text(reply)


async def test_a_follow_up_needs_no_mention_and_shares_the_memory(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    first = slack.say(f"{BOT} first")
    await finished(slack, lambda: slack.replies(first))
    slack.say("second", thread=first["ts"], user="U2")
    await finished(slack, lambda: slack.replies(first), 2)
    assert [question.text for question in agent.asked] == ["first", "second"]
    assert len({question.conversation for question in agent.asked}) == 1


async def test_what_is_not_for_the_bot_is_left_alone(slack: SlackDouble, bot: None, agent: ScriptedAgent) -> None:
    known = slack.say(f"{BOT} first")
    await finished(slack, lambda: slack.replies(known))
    slack.say("just talking")
    other = slack.say("a thread of others")
    slack.say("a reply there", thread=other["ts"])
    slack.say("<@U2> what do you think?", thread=known["ts"])
    slack.say("a bot speaks", thread=known["ts"], user="U2", bot_id="BOTHER", subtype="bot_message")
    slack.say(f"{BOT} says another bot", user="U2", bot_id="BOTHER")
    slack.say("joined", thread=known["ts"], subtype="channel_join")
    slack.change(known, f"{BOT} first, edited")
    await settled(slack)
    assert [question.text for question in agent.asked] == ["first"]
    assert len(slack.replies(known)) == 1


async def test_direct_messages_are_answered_in_a_thread_which_goes_on(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    first = slack.say("hello", channel="D1")
    await finished(slack, lambda: slack.replies(first))
    slack.say("and this?", channel="D1", thread=first["ts"], subtype="file_share", files=[{"id": "F1"}])
    await finished(slack, lambda: slack.replies(first), 2)
    assert len({question.conversation for question in agent.asked}) == 1


async def test_a_channel_has_its_own_audience_and_those_of_the_settings(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    wider = slack.connect(settings).model_copy(update={"audiences": {"slack:G1": ("hr",)}})
    async with serve_slack(wider, database, agent, Inbox(database, settings)):
        for channel in ("C1", "G1"):
            asked = slack.say(f"{BOT} hi", channel=channel)
            await finished(slack, partial(slack.replies, asked))
    viewers = [question.viewer for question in agent.asked]
    assert {viewer.workspace for viewer in viewers} == {"slack:T0TANDEM"}
    assert [viewer.audiences for viewer in viewers] == [{"slack:C1"}, {"slack:G1", "hr"}]


async def test_ask_begins_a_thread_that_goes_on_without_a_mention(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    delivery = await slack.command("/ask", "what is <@U2|ann> on?")
    assert delivery.acknowledged
    [root] = await finished(slack, slack.roots)
    assert "what is @ann on?" in visible_text(root).splitlines()[0]
    slack.say("and now?", thread=root["ts"])
    await finished(slack, lambda: slack.replies(root))
    assert [question.text for question in agent.asked] == ["what is @ann on?", "and now?"]
    assert len({question.conversation for question in agent.asked}) == 1
    assert slack.workspace.pings == []


async def test_where_the_bot_is_no_member_it_answers_through_the_response_url(slack: SlackDouble, bot: None) -> None:
    delivery = await slack.command("/ask", "hello", channel="COTHER")
    assert delivery.acknowledged
    [response] = await slack.wait(lambda: slack.responses)
    assert response["response_type"] == "ephemeral"
    assert "You said: hello" in visible_text(response)


async def test_a_response_url_that_answers_nothing_is_not_used_twice(slack: SlackDouble, bot: None) -> None:
    slack.fail("response_url", Fault(reset="after"))
    await slack.command("/ask", "hello", channel="COTHER")
    await slack.wait(lambda: slack.responses)
    await asyncio.sleep(1.0)
    assert len(slack.responses) == 1


async def test_why_explains_the_newest_answer_of_the_channel(slack: SlackDouble, bot: None, database: Database) -> None:
    asked = slack.say(f"{BOT} hi")
    await finished(slack, lambda: slack.replies(asked))
    row = None
    while row is None:
        row = await database.fetch_one(b"SELECT FROM inbox WHERE state = 'done'")
    await slack.command("/why", user="U2")
    await slack.wait(lambda: slack.roots() and "You asked: `hi`" in visible_text(slack.roots()[0]))


async def test_only_admins_and_those_named_may_reindex(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    named = slack.connect(settings).model_copy(update={"slack_reindexers": ("U2",)})
    async with serve_slack(named, database, agent, Inbox(database, settings)):
        refusal = (await slack.command("/reindex", user="U1")).response
        assert refusal is not None
        assert "Only admins of this workspace and <@U2> may re-index." in refusal["text"]
        slack.fail("users.info", Fault(error="fatal_error"))
        trouble = (await slack.command("/reindex", user="U1")).response
        assert trouble is not None
        assert "did not tell me" in trouble["text"]
        assert slack.roots() == []
        for user in ("UADMIN", "U2"):
            delivery = await slack.command("/reindex", user=user)
            assert delivery.acknowledged
            assert delivery.response is None
        await slack.wait(lambda: len(slack.roots()) == 2)


async def test_thumbs_are_kept_with_the_answer_and_the_person(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    asked = slack.say(f"{BOT} hi")
    [reply] = await finished(slack, lambda: slack.replies(asked))
    for value in feedback_values(reply):
        assert (await slack.click(reply, value, user="U2")).acknowledged
    answer_id = f"answer-slack:C1:{asked['ts']}"
    assert agent.feedback == [(answer_id, "slack:U2", "up"), (answer_id, "slack:U2", "down")]
