"""Discord through a real client on real sockets: who is answered, in which conversation, and what people see."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.feedback import FORGOTTEN, THANKS
from graph.answers import AgentEvent, Delta, Done, Question
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.scripted import ScriptedAgent
from tests.doubles.discord_bots import Stage, open_stage


@pytest.fixture
async def stage(settings: Settings, database: Database) -> AsyncIterator[Stage]:
    async with open_stage(settings, database) as opened:
        yield opened


async def test_a_mention_is_answered_with_a_reply_to_it(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    question = stage.ada.say(double.general, f"{double.mention} what does <@{stage.bob.id}> do?")
    await stage.settle(events=1)
    [reply] = double.replies_to(question)
    assert reply.content.startswith("You said: what does @Bob do?")
    assert agent.asked[0].text == "what does @Bob do?"
    assert agent.asked[0].user == f"discord:{stage.ada.id}"
    assert [button["custom_id"] for button in reply.components[0]["components"]] == [
        f"tandem:up:answer-discord:{question.id}",
        f"tandem:down:answer-discord:{question.id}",
        f"tandem:correct:answer-discord:{question.id}",
    ]
    stage.bob.say(double.general, f"{double.mention} and something else?")
    await stage.settle(events=2)
    assert agent.asked[0].conversation != agent.asked[1].conversation


async def test_the_bots_own_role_calls_it_as_its_name_does(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    [role] = [role for role in double.guild.roles.values() if role.managed]
    stage.ada.say(double.general, f"<@&{role.id}> hello")
    await stage.settle(events=1)
    assert agent.asked[0].text == "hello"


async def test_what_is_not_for_the_bot_is_left_alone(stage: Stage) -> None:
    agent, double, ada = ScriptedAgent(), stage.double, stage.ada
    await stage.start(agent)
    colleague = double.backend.make_user("Another bot", bot=True)
    remark = ada.say(double.general, "hello all")
    ada.say(double.make_thread(double.general, ada), "and hello to this thread")
    stage.bob.say(double.general, "hello Ada", reply_to=remark)
    double.backend.create_message(double.general.id, colleague.id, f"{double.mention} are you there?")
    ada.say(double.general, f"{double.mention} hello")
    await stage.settle(events=1)
    assert [question.text for question in agent.asked] == ["hello"]
    assert len(double.bot_messages(double.general)) == 1  # Discord echoes that one to the bot, and it stays one


async def test_a_thread_is_one_conversation_that_needs_no_further_mention(stage: Stage) -> None:
    agent, double, ada, bob = ScriptedAgent(), stage.double, stage.ada, stage.bob
    await stage.start(agent)
    thread = double.make_thread(double.general, ada)
    ada.say(thread, "before anybody called the bot")
    ada.say(thread, f"{double.mention} first")
    await stage.settle(events=1)
    ada.say(thread, "second")
    await stage.settle(events=2)
    ada.say(thread, f"<@{bob.id}> what do you think?")
    bob.say(thread, "I agree", reply_to=ada.say(thread, "third"))
    await stage.settle(events=3)
    assert [question.text for question in agent.asked] == ["first", "second", "third"]
    assert {question.conversation for question in agent.asked} == {f"discord:{thread.id}"}
    assert len(double.bot_messages(thread)) == 3


@pytest.mark.parametrize("made_from", ["question", "answer"])
async def test_a_thread_made_from_a_message_continues_its_conversation(stage: Stage, made_from: str) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    question = stage.ada.say(double.general, f"{double.mention} first")
    await stage.settle(events=1)
    start = question if made_from == "question" else double.replies_to(question)[0]
    stage.bob.say(double.make_thread(double.general, stage.bob, message=start), "second")
    await stage.settle(events=2)
    assert [asked.conversation for asked in agent.asked] == [f"discord:{question.id}"] * 2


async def test_a_chain_of_replies_is_one_conversation(stage: Stage) -> None:
    agent, double = ScriptedAgent({"first": "word " * 600}), stage.double
    await stage.start(agent)
    first = stage.ada.say(double.general, f"{double.mention} first")
    await stage.settle(events=1)
    [answer] = double.replies_to(first)
    [continued] = double.replies_to(answer)
    second = stage.bob.say(double.general, "second", reply_to=continued)
    await stage.settle(events=2)
    stage.ada.say(double.general, "third", reply_to=double.replies_to(second)[0])
    await stage.settle(events=3)
    assert [asked.conversation for asked in agent.asked] == [f"discord:{first.id}"] * 3


async def test_the_permissions_of_the_invitation_are_enough(stage: Stage) -> None:
    found = re.search(r"permissions=(\d+)", (Path(__file__).parents[2] / "docs" / "discord.md").read_text())
    assert found
    double, guild, ada = stage.double, stage.double.guild, stage.ada
    roles = {role.name: role for role in guild.roles.values()}
    roles["Tandem"].permissions = int(found[1])
    roles["Ada's role"].permissions |= roles["@everyone"].permissions
    roles["@everyone"].permissions = 0
    await stage.start(ScriptedAgent({"Q": "word " * 600}))
    thread = double.make_thread(double.general, ada)
    asked = [ada.say(channel, f"{double.mention} Q") for channel in (double.general, thread)]
    ada.run(double.general, "ask", question="Q")
    await stage.settle(events=3)
    assert all(double.replies_to(double.replies_to(question)[0]) for question in asked)
    assert len(double.bot_messages(double.general)) == 4
    assert not [call for call in double.calls if call.status == 403]


async def test_a_direct_message_needs_no_mention(stage: Stage) -> None:
    agent, ada = ScriptedAgent(), stage.ada
    await stage.start(agent)
    ada.say(ada.dm, "hello")
    await stage.settle(events=1)
    ada.say(ada.dm, "and again")
    await stage.settle(events=2)
    assert {asked.conversation for asked in agent.asked} == {f"discord:{ada.dm.id}"}
    assert [message.content.split("\n")[0] for message in stage.double.bot_messages(ada.dm)] == [
        "You said: hello",
        "You said: and again",
    ]


async def test_the_viewer_is_the_channel_its_parent_and_what_the_settings_add(stage: Stage) -> None:
    agent, double, ada = ScriptedAgent(), stage.double, stage.ada
    added = {f"discord:{double.general.id}": ("hr",)}
    stage.settings = stage.settings.model_copy(update={"audiences": added})
    await stage.start(agent)
    thread = double.make_thread(double.general, ada)
    ada.say(thread, f"{double.mention} in a thread")
    ada.say(ada.dm, "in private")
    ada.run(thread, "ask", question="by command")
    await stage.settle(events=3)
    viewers = {asked.text: asked.viewer for asked in agent.asked}
    assert viewers["in a thread"].workspace == f"discord:{double.guild.id}"
    assert viewers["in a thread"].audiences == {f"discord:{thread.id}", f"discord:{double.general.id}", "hr"}
    assert viewers["by command"] == viewers["in a thread"]
    assert viewers["in private"].workspace == "discord:dm"
    assert viewers["in private"].audiences == {f"discord:{ada.dm.id}"}


class SlowTypist(ScriptedAgent):
    """Streams for four seconds, a word at a time."""

    async def answer(self, question: Question) -> AsyncIterator[AgentEvent]:
        async for event in super().answer(question):
            if isinstance(event, Done):
                for word in range(80):
                    yield Delta(f" word{word}")
                    await asyncio.sleep(0.05)
            yield event


async def test_a_streamed_answer_grows_by_few_edits_and_meets_no_rate_limit(stage: Stage) -> None:
    double = stage.double
    await stage.start(SlowTypist())
    stage.ada.say(double.general, f"{double.mention} hello")
    await stage.settle(events=1)
    edits = [call for call in double.calls if call.method == "PATCH"]
    texts = [call.body["content"] for call in edits]
    assert 3 <= len(edits) <= 5
    assert len(texts[0]) < len(texts[1]) < len(texts[2])
    assert not [call for call in double.calls if call.status == 429]
    streamed = edits[:-1]  # the last one finishes, at once
    assert all(after.at - before.at >= 1.1 for before, after in itertools.pairwise(streamed))


async def test_nobody_is_pinged_by_a_send_or_by_an_edit(stage: Stage) -> None:
    double, ada = stage.double, stage.ada
    role = double.backend.create_role(double.guild.id, "admins", mentionable=True)
    calls = f"@everyone @here <@{ada.id}> <@!{ada.id}> <@&{role.id}>"
    await stage.start(ScriptedAgent({"Q": f"{calls} {'word ' * 500} {calls}"}))
    ada.say(double.general, f"{double.mention} Q")
    ada.run(double.general, "ask", question="Q")
    await stage.settle(events=2)
    messages = double.bot_messages(double.general)
    assert len(messages) == 4  # two answers of two parts
    for message in messages:
        assert not any(call in message.content for call in calls.split())
    written = [call for call in double.calls if isinstance(call.body, dict) and call.body.get("content")]
    assert {call.method for call in written} == {"POST", "PATCH"}
    assert all(call.body["allowed_mentions"] == {"parse": []} for call in written)
    assert double.pings() == []


async def test_thumbs_are_stored_and_work_after_a_restart(stage: Stage) -> None:
    agent, double, ada = ScriptedAgent(), stage.double, stage.ada
    await stage.start(agent)
    question = ada.say(double.general, f"{double.mention} hello")
    await stage.settle(events=1)
    [reply] = double.replies_to(question)
    up = ada.click(reply, "👍")
    await double.wait_until(lambda: double.response_to(up))
    await stage.stop()
    await stage.start(agent)
    down = ada.click(reply, "👎")
    thanks = await double.wait_until(lambda: double.response_to(down))
    assert thanks.content == THANKS
    assert thanks.is_ephemeral
    user, answer = f"discord:{ada.id}", f"answer-discord:{question.id}"
    assert agent.feedback == [(answer, user, "up"), (answer, user, "down")]


async def test_a_thumb_for_a_forgotten_answer_says_so(stage: Stage) -> None:
    agent, double = ScriptedAgent(), stage.double
    await stage.start(agent)
    question = stage.ada.say(double.general, f"{double.mention} hello")
    await stage.settle(events=1)
    agent.given.clear()
    click = stage.ada.click(double.replies_to(question)[0], "👍")
    assert (await double.wait_until(lambda: double.response_to(click))).content == FORGOTTEN
