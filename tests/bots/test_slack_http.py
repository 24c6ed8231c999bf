"""Slack over HTTP: what Slack signed is answered, anything else is turned away and leads to nothing."""

import json
import socket
import time
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import pytest

from bots.corrections import KEPT
from bots.inbox import Inbox
from bots.slack.app import serve_slack
from bots.slack.receiving import PATH
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.scripted import ScriptedAgent
from tests.doubles.slack import SlackDouble
from tests.doubles.slack_delivery import encode, sign
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
async def url(slack: SlackDouble, settings: Settings, database: Database, agent: ScriptedAgent) -> AsyncIterator[str]:
    """Where the bot receives; it has no app token, and opens no socket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    connected = slack.connect(settings).model_copy(update={"slack_app_token": None, "slack_http_port": port})
    async with serve_slack(connected, database, agent, Inbox(database, settings)):
        slack.deliverer.http_url = f"http://127.0.0.1:{port}{PATH}"
        yield slack.deliverer.http_url
    assert not [method for method, _ in slack.calls if method == "apps.connections.open"]


async def test_events_commands_and_clicks_arrive(slack: SlackDouble, url: str, agent: ScriptedAgent) -> None:
    asked = slack.say(f"{BOT} hi & bye")
    await slack.wait(lambda: slack.replies(asked) and feedback_values(slack.replies(asked)[0]))
    [reply] = slack.replies(asked)
    assert "You said: hi & bye" in visible_text(reply)

    assert (await slack.click(reply, feedback_values(reply)[0])).statuses == [200]
    assert [verdict for _, _, verdict in agent.feedback] == ["up"]

    assert (await slack.press(reply, "Correct")).statuses == [200]
    [form] = slack.views.forms
    assert (await slack.send(form, "hi and bye")).statuses == [200]
    assert [text for _, _, text in agent.corrections] == ["hi and bye"]
    assert form.text == KEPT

    delivery = await slack.command("/ask", "and you?")
    assert (delivery.acknowledged, delivery.response) == (True, None)
    await slack.wait(lambda: slack.roots() and feedback_values(slack.roots()[0]))

    refusal = (await slack.command("/reindex")).response
    assert refusal is not None
    assert "Only admins" in refusal["text"]


async def test_the_address_is_confirmed_to_slack(slack: SlackDouble, url: str) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c-1", "token": "unused"})
    assert await post(url, body, sign(slack.signing_secret, body)) == (200, '{"challenge": "c-1"}')


@pytest.mark.parametrize("fault", ["none", "forged", "stale", "missing", "altered", "garbled"])
async def test_only_what_slack_signed_just_now_is_taken(
    slack: SlackDouble, url: str, agent: ScriptedAgent, database: Database, fault: str
) -> None:
    slack.deliverer.http_url = None  # this test delivers it itself
    asked = slack.say(f"{BOT} hi")
    event = {key: value for key, value in asked.items() if key != "metadata"} | {"type": "app_mention"}
    body, _ = encode("events_api", {"type": "event_callback", "team_id": "T0TANDEM", "event": event})
    headers = {
        "none": sign(slack.signing_secret, body),
        "forged": sign("another secret", body),
        "stale": sign(slack.signing_secret, body, at=time.time() - 301),
        "missing": {},
        "altered": sign(slack.signing_secret, body + " "),
        "garbled": sign(slack.signing_secret, body) | {"X-Slack-Request-Timestamp": "yesterday"},
    }[fault]
    status, _ = await post(url, body, headers)
    rows = await database.fetch_all(b"SELECT id FROM inbox")
    if fault == "none":
        assert status == 200
        await slack.wait(partial(slack.replies, asked))
    else:
        assert status == 401
        assert rows == []


async def post(url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers | {"Content-Type": "application/json"}) as answer,
    ):
        return answer.status, await answer.text()
