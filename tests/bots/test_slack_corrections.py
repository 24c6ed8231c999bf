"""Corrections in Slack: a button under the answer opens a form, and what is sent is kept as a correction."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.corrections import KEPT, LONGEST_CORRECTION
from bots.inbox import Inbox
from bots.slack.app import serve_slack
from bots.slack.listeners import correction
from graph.answers import Answer
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings
from tandem.tuning.collecting import collect_answers
from tests.bots.keeping import KeepingAgent, corrections
from tests.doubles.slack import Fault, SlackDouble
from tests.doubles.slack_views import Form
from tests.doubles.slack_watching import finished
from tests.doubles.slack_workspace import BOT_USER, Message

BOT = f"<@{BOT_USER}>"
SAID = "On **Tuesday** & <!channel>, says <@U2> [1]."
LONG = "word " * 700


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open() as double:
        yield double


@pytest.fixture
async def agent(settings: Settings, database: Database) -> AsyncIterator[KeepingAgent]:
    async with KeepingAgent.open(settings, database, {"When?": SAID, "Why?": LONG}) as opened:
        yield opened


@pytest.fixture
async def bot(slack: SlackDouble, settings: Settings, database: Database, agent: KeepingAgent) -> AsyncIterator[None]:
    async with serve_slack(slack.connect(settings), database, agent, Inbox(database, settings)):
        yield


async def answer_to(slack: SlackDouble, question: str, channel: str = "C1") -> Message:
    asked = slack.say(f"{BOT} {question}", channel=channel)
    [answer, *_] = await finished(slack, lambda: slack.replies(asked))
    return answer


async def form_for(slack: SlackDouble, answer: Message, user: str = "U1") -> Form:
    assert (await slack.press(answer, "Correct", user=user)).acknowledged
    assert slack.responses == []
    return slack.views.forms[-1]


async def test_what_a_form_says_is_kept_with_who_said_it_and_they_alone_are_told_what_follows(
    slack: SlackDouble, bot: None, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await answer_to(slack, "When?")
    shown = slack.transcript()
    form = await form_for(slack, answer, user="U2")
    assert (form.user, form.input["element"]["initial_value"]) == ("U2", SAID)
    assert (await slack.send(form, "On Wednesday & <b>, says <!channel> [1].")).acknowledged
    assert form.errors == {}
    assert form.text == KEPT
    assert "tandem tune review" in KEPT
    assert await corrections(database) == {"slack:U2": "On Wednesday & <b>, says <!channel> [1]."}
    assert await collect_answers(database) == []
    [draft] = await collect_answers(database, {"slack:C1"})
    assert draft.author == "slack:U2"
    assert "On Wednesday" in draft.answer
    assert slack.transcript() == shown
    assert slack.workspace.pings == []
    assert "Wednesday" not in caplog.text


async def test_a_person_has_one_correction_of_an_answer_however_often_they_send_it(
    slack: SlackDouble, bot: None, database: Database
) -> None:
    answer = await answer_to(slack, "When?")
    first, second = await form_for(slack, answer), await form_for(slack, answer)
    slack.deliverer.deaf = 1  # the acknowledgement is lost, so the form stays open and is sent again
    slack.deliverer.ack_within_s = 0.5
    assert not (await slack.send(first, "On Wednesday.")).acknowledged
    slack.deliverer.ack_within_s = 3.0
    assert (await slack.send(first, "On Wednesday.")).acknowledged
    assert await corrections(database) == {"slack:U1": "On Wednesday."}
    await slack.send(second, "On Friday.")
    await slack.send(await form_for(slack, answer, user="U2"), "On Sunday.")
    assert await corrections(database) == {"slack:U1": "On Friday.", "slack:U2": "On Sunday."}


async def test_what_corrects_nothing_stays_in_the_form_with_the_reason(
    slack: SlackDouble, bot: None, database: Database
) -> None:
    form = await form_for(slack, await answer_to(slack, "When?"))
    for text, reason in ((f"{SAID}\n", "That is what the answer says already."), (" \n", "The correction is empty.")):
        await slack.send(form, text)
        assert form.is_open
        assert reason in form.errors[form.input["block_id"]]
    assert await corrections(database) == {}


async def test_an_answer_too_long_for_the_form_is_not_cut_but_left_out(
    slack: SlackDouble, bot: None, database: Database
) -> None:
    form = await form_for(slack, await answer_to(slack, "Why?"))
    element = form.input["element"]
    assert "initial_value" not in element
    assert "too long to be shown" in element["placeholder"]["text"]
    assert element["max_length"] == LONGEST_CORRECTION
    await slack.send(form, "x" * LONGEST_CORRECTION)
    assert await corrections(database) == {"slack:U1": "x" * LONGEST_CORRECTION}


@pytest.mark.parametrize("fault", ["unknown", "other channel", "other workspace", "withdrawn page"])
async def test_an_answer_that_may_not_be_seen_here_is_not_shown(
    slack: SlackDouble, bot: None, database: Database, fault: str
) -> None:
    answer = await answer_to(slack, "When?", channel="G1" if fault == "other channel" else "C1")
    [button] = next(block for block in answer["blocks"] if block["type"] == "actions")["elements"]
    if fault == "unknown":
        button["value"] = "no such answer"
    elif fault == "other workspace":
        await database.execute(b"UPDATE answers SET workspace = 'slack:TOTHER'")
    elif fault == "withdrawn page":
        await database.execute(b"UPDATE answers SET citations = jsonb_set(citations, '{0,document_id}', '77')")
    await slack.press(answer | {"channel": "C1"}, "Correct")
    [refusal] = await slack.wait(lambda: slack.responses)
    assert (refusal["response_type"], refusal["to"], refusal["replace_original"]) == ("ephemeral", "U1", False)
    assert "I no longer have that answer" in refusal["text"]
    assert slack.views.forms == []


async def test_an_answer_that_went_away_while_the_form_was_open_is_not_corrected(
    slack: SlackDouble, bot: None, database: Database
) -> None:
    form = await form_for(slack, await answer_to(slack, "When?"))
    await database.execute(b"DELETE FROM answers")
    await slack.send(form, "On Wednesday.")
    assert "I no longer have that answer" in form.errors[form.input["block_id"]]


async def test_without_a_database_it_says_so_and_the_words_are_not_lost(
    slack: SlackDouble, bot: None, agent: KeepingAgent, database: Database
) -> None:
    answer = await answer_to(slack, "When?")
    form = await form_for(slack, answer)
    agent.trouble = DatabaseUnavailable()
    await slack.send(form, "On Wednesday.")
    assert form.is_open
    assert form.errors == {form.input["block_id"]: correction.NOT_KEPT}
    assert (await slack.press(answer, "Correct")).acknowledged
    [told] = await slack.wait(lambda: slack.responses)
    assert told["text"] == correction.NOT_OPENED
    agent.trouble = None
    await slack.send(form, "On Wednesday.")
    assert await corrections(database) == {"slack:U1": "On Wednesday."}


@pytest.mark.parametrize("fault", ["expired", "refused", "slow"])
async def test_a_form_that_slack_does_not_open_is_told_of_in_time(
    slack: SlackDouble, bot: None, agent: KeepingAgent, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await answer_to(slack, "When?")
    if fault == "expired":
        slack.views.trigger_s = 0.0
    elif fault == "refused":
        slack.fail("views.open", Fault(status=500))
    else:
        monkeypatch.setattr(correction, "ACCEPT_WITHIN_S", 0.2)

        async def hang(answer_id: str, viewer: Viewer) -> Answer | None:
            await asyncio.Event().wait()
            return None

        monkeypatch.setattr(agent, "find_answer", hang)
    assert (await slack.press(answer, "Correct")).acknowledged
    [told] = await slack.wait(lambda: slack.responses)
    assert (told["to"], told["text"]) == ("U1", correction.NOT_OPENED)
    assert slack.views.forms == []


async def test_where_the_bot_is_no_member_a_command_s_answer_is_corrected_by_who_asked(
    slack: SlackDouble, bot: None, database: Database
) -> None:
    assert (await slack.command("/ask", "When?", channel="COTHER")).acknowledged
    [answer] = await slack.wait(lambda: slack.responses)
    slack.responses.clear()
    await slack.send(await form_for(slack, answer | {"ts": slack.workspace.next_ts()}), "On Wednesday.")
    assert await corrections(database) == {"slack:U1": "On Wednesday."}
