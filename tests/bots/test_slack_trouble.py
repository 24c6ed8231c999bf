"""What Slack, its network or the database do wrong, and that each question still gets its one whole answer."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial

import pytest
from aiohttp import web
from pydantic import SecretStr

from bots.inbox import Inbox
from bots.slack import receiving
from bots.slack.app import serve_slack
from bots.surface import Event
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable, TokenError
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


class SlowInbox(Inbox):
    """An inbox whose database takes its time, or does not answer the first times."""

    def __init__(self, database: Database, settings: Settings, *, failures: int = 0) -> None:
        super().__init__(database, settings)
        self.failures = failures
        self.go = asyncio.Event()

    async def accept(self, event: Event) -> bool:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable
        await self.go.wait()
        return await super().accept(event)


async def test_an_event_is_acknowledged_once_it_is_stored_and_not_before(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    inbox = SlowInbox(database, settings)
    async with serve_slack(slack.connect(settings), database, agent, inbox):
        asked = slack.say(f"{BOT} hi")
        await asyncio.sleep(0.5)
        assert not any(delivery.acknowledged for delivery in slack.deliverer.sent)
        inbox.go.set()
        await slack.wait(lambda: all(delivery.acknowledged for delivery in slack.deliverer.sent))
        await finished(slack, lambda: slack.replies(asked))


async def test_what_could_not_be_stored_is_delivered_again_and_answered_once(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    slack.deliverer.ack_within_s = 0.3
    inbox = SlowInbox(database, settings, failures=2)
    inbox.go.set()
    async with serve_slack(slack.connect(settings), database, agent, inbox):
        asked = slack.say(f"{BOT} hi")
        await finished(slack, lambda: slack.replies(asked))
        await settled(slack)
        assert max(delivery.attempts for delivery in slack.deliverer.sent) > 1
        assert len(slack.replies(asked)) == 1


async def test_a_command_that_could_not_be_stored_says_so(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    async with serve_slack(slack.connect(settings), database, agent, SlowInbox(database, settings, failures=1)):
        for _ in range(2):  # the first fails at once; the second hangs, and must be answered within Slack's 3 seconds
            delivery = await slack.command("/ask", "hi")
            assert delivery.response is not None
            assert "Try again in a minute" in delivery.response["text"]


async def test_a_lost_acknowledgement_leads_to_no_second_answer(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    slack.deliverer.ack_within_s = 0.3
    slack.deliverer.deaf = 2
    asked = slack.say(f"{BOT} hi")
    await finished(slack, lambda: slack.replies(asked))
    await settled(slack)
    assert max(delivery.attempts for delivery in slack.deliverer.sent) > 1
    assert len(agent.asked) == len(slack.replies(asked)) == 1


async def test_a_busy_slack_is_waited_for(slack: SlackDouble, bot: None) -> None:
    for method in ("chat.startStream", "chat.update"):
        slack.fail(method, Fault(status=429))
    asked = slack.say(f"{BOT} hi")
    [reply] = await finished(slack, lambda: slack.replies(asked))
    assert "You said: hi" in visible_text(reply)


@pytest.mark.parametrize("reset", ["before", "after"])
@pytest.mark.parametrize("streams", [True, False])
async def test_a_broken_connection_at_every_call_leads_to_one_whole_answer(
    slack: SlackDouble, bot: None, reset: str, streams: bool
) -> None:
    if not streams:
        slack.withdraw("chat.startStream")
    for method in ("startStream", "appendStream", "stopStream", "postMessage", "update"):
        slack.fail(f"chat.{method}", Fault(reset=reset))
    asked = slack.say(f"{BOT} hi")
    await finished(slack, lambda: slack.replies(asked))
    [reply] = slack.replies(asked)
    assert visible_text(reply).count("You said: hi") == 1


async def test_a_stream_whose_start_was_lost_is_found_without_its_mark(
    slack: SlackDouble, bot: None, agent: ScriptedAgent
) -> None:
    slack.api.hides_streams = True
    earlier = slack.say(f"{BOT} earlier")
    await finished(slack, lambda: slack.replies(earlier))
    slack.fail("chat.startStream", Fault(reset="after"))
    slack.say("later", thread=earlier["ts"])
    replies = await finished(slack, lambda: slack.replies(earlier), 2)
    assert ["You said: earlier" in visible_text(replies[0]), "You said: later" in visible_text(replies[1])] == [
        True
    ] * 2
    assert len(slack.replies(earlier)) == 2
    assert calls(slack, "chat.postMessage") == []


async def test_server_errors_are_lived_through(slack: SlackDouble, bot: None) -> None:
    for method in ("startStream", "appendStream", "stopStream", "postMessage", "update"):
        slack.fail(f"chat.{method}", Fault(status=500))
    asked = slack.say(f"{BOT} hi")
    [reply] = await finished(slack, lambda: slack.replies(asked))
    assert visible_text(reply).count("You said: hi") == 1


async def test_a_stream_that_slack_ends_goes_on_as_edits(
    slack: SlackDouble, settings: Settings, database: Database
) -> None:
    agent = ScriptedAgent({"Q": "First half, second half."}, held=frozenset({"Q"}))
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        asked = slack.say(f"{BOT} Q")
        await slack.wait(lambda: "First half" in "".join(visible_text(m) for m in slack.replies(asked)))
        slack.replies(asked)[0]["streaming_state"] = "completed"  # as Slack does after some minutes
        agent.go.set()
        [reply] = await finished(slack, lambda: slack.replies(asked))
        assert visible_text(reply).count("First half, second half.") == 1


async def test_many_small_pieces_are_sent_together(slack: SlackDouble, bot: None) -> None:
    asked = slack.say(f"{BOT} {'word ' * 700}")
    await finished(slack, lambda: slack.replies(asked))
    assert 0 < len(calls(slack, "chat.appendStream")) < 10


async def test_parts_of_a_long_answer_are_not_doubled_by_a_broken_connection(
    slack: SlackDouble, settings: Settings, database: Database
) -> None:
    words = [f"word{n:04}" for n in range(2500)]
    agent = ScriptedAgent({"Q": " ".join(words)})
    slack.fail("chat.postMessage", Fault(reset="after"), times=3)
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        asked = slack.say(f"{BOT} Q")
        await slack.wait(lambda: slack.replies(asked) and feedback_values(slack.replies(asked)[-1]))
        shown = " ".join(visible_text(message) for message in slack.replies(asked))
        assert re.findall(r"word\d{4}", shown) == words


async def test_a_message_budget_of_one_a_second_is_kept(
    slack: SlackDouble, settings: Settings, database: Database
) -> None:
    slack.limits_messages = True
    agent = ScriptedAgent({"Q": "word " * 4000})
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        asked = slack.say(f"{BOT} Q")
        await slack.wait(lambda: len(slack.replies(asked)) == 3 and feedback_values(slack.replies(asked)[-1]))


@pytest.mark.parametrize("gone", ["channel_not_found", "is_archived"])
async def test_a_place_that_is_gone_ends_the_event(
    slack: SlackDouble, bot: None, database: Database, gone: str
) -> None:
    for method in ("chat.startStream", "chat.postMessage"):
        slack.fail(method, Fault(error=gone))
    asked = slack.say(f"{BOT} hi")
    query = b"SELECT fault FROM inbox WHERE id = %(id)s AND state = 'done'"
    row = None
    async with asyncio.timeout(10):
        while row is None:
            await asyncio.sleep(0.05)
            row = await database.fetch_one(query, {"id": f"slack:C1:{asked['ts']}"})
    assert row == {"fault": "no reply possible"}
    other = slack.say(f"{BOT} hi", channel="G1")
    await finished(slack, lambda: slack.replies(other))
    assert calls(slack, "chat.startStream")[-1]["channel"] == "G1"


async def test_refreshed_and_broken_connections_are_replaced(
    slack: SlackDouble, bot: None, agent: ScriptedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        before = list(slack.deliverer.sockets)
        if number == 1:
            for socket in before:
                await socket.close()
        else:
            await slack.deliverer.disconnect()
        await slack.wait(partial(_has_new_socket, slack, before))
        asked = slack.say(f"{BOT} question {number}")
        await finished(slack, partial(slack.replies, asked))
    assert len(agent.asked) == 3


def _has_new_socket(slack: SlackDouble, before: list[web.WebSocketResponse]) -> bool:
    return any(socket not in before for socket in slack.deliverer.sockets)


async def test_a_connection_url_that_has_run_out_is_replaced(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "NEW_URL_AFTER_S", 0.5)
    monkeypatch.setattr(receiving, "PING_EVERY_S", 0.3)
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        slack.deliverer.refuses = 3
        await slack.deliverer.disconnect()
        await slack.wait(lambda: slack.deliverer.refuses == 0 and slack.deliverer.sockets)
        asked = slack.say(f"{BOT} hi")
        await finished(slack, lambda: slack.replies(asked))


async def test_an_app_token_that_slack_refuses_ends_the_start(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    wrong = slack.connect(settings).model_copy(update={"slack_app_token": SecretStr("xapp-wrong")})
    with pytest.raises(TokenError, match="Slack refuses SLACK_APP_TOKEN"):
        async with serve_slack(wrong, database, agent, Inbox(database, settings)):
            raise AssertionError("it must not start")


async def test_two_replicas_answer_each_question_once(
    slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent
) -> None:
    async with AsyncExitStack() as replicas:
        for _ in range(2):
            inbox = Inbox(database, settings)
            await replicas.enter_async_context(serve_slack(slack.connect(settings), database, agent, inbox))
        assert len(slack.deliverer.sockets) == 2
        asked = [slack.say(f"{BOT} question {n}") for n in range(5)]
        for one in asked:
            await finished(slack, partial(slack.replies, one))
        await settled(slack)
        assert [len(slack.replies(one)) for one in asked] == [1] * 5
