"""What every surface must do, whatever the platform. Its tests subclass `Conformance` and supply the fixture `harness`.

A harness has a platform (a double, or a screen) that outlives the bot, and starts replicas of the bot on it. It never
needs to know about crashes: the suite takes the inbox's power away (`MortalInbox.die`) before it calls `stop`, which
leaves everything as SIGKILL would. So `stop` must send nothing to the platform.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from bots.commands import Agent
from bots.inbox import Inbox
from bots.surface import Kind
from index.jobs import run_next_job
from index.sources import add_source
from tandem.db.pool import Database
from tandem.errors import WeightsError
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tests.bots.scripted import MortalInbox, ScriptedAgent

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Asked:
    """One thing that a person sent. `id` is the inbox's id of it; `delivery` is the harness's own."""

    id: str
    delivery: object = None


class Harness(Protocol):
    """A platform with one person on it who may do everything, and the bot."""

    limit: int | None
    """Characters that one message of the bot may have; None where there is no limit."""
    longest_input: int
    """Characters that the platform lets a person send."""

    async def start(self, agent: Agent, inbox: Inbox) -> None:
        """Connects one more replica: a surface, and a `Conversation` of it that runs."""

    async def stop(self) -> None:
        """Ends all replicas at once, by cancelling; sends nothing to the platform."""

    async def ask(self, text: str, *, thread: Asked | None = None) -> Asked:
        """The person asks: with a mention where that is needed, or as a plain follow-up in the thread of `thread`."""

    async def command(self, kind: Kind, text: str = "", *, thread: Asked | None = None) -> Asked:
        """The person gives the command `/reindex`, `/sources` or `/why`, in the place where `thread` was asked."""

    async def redeliver(self, asked: Asked) -> None:
        """The platform delivers the same event once more."""

    async def visible(self, asked: Asked) -> list[str]:
        """The bot's replies to this event, as a person sees them now: one, or the parts of a long one in order."""

    def lose_next_response(self) -> None:
        """The next message that the bot posts arrives, but the connection breaks before the bot learns of it."""

    def pings(self) -> list[str]:
        """Everybody whom the bot's messages have notified so far."""


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Waits until it is so; the test fails if that takes longer than anybody's patience."""
    async with asyncio.timeout(PATIENCE_S):
        while not await look():
            await asyncio.sleep(0.02)


Wait = Callable[[Asked], Awaitable[None]]


class Conformance:
    """The suite. Subclass it as `Test…` and define the fixture `harness` from `settings` and `database`."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """A dead replica's event is taken up after a second."""
        return settings.model_copy(update={"lease_s": 1.0})

    @pytest.fixture
    def inbox(self, database: Database, settings: Settings) -> MortalInbox:
        return MortalInbox(database, settings)

    @pytest.fixture
    def done(self, database: Database) -> Wait:
        """Waits until the event is done."""

        async def wait(asked: Asked) -> None:
            query = b"SELECT FROM inbox WHERE id = %(id)s AND state = 'done'"

            async def is_done() -> bool:
                return await database.fetch_one(query, {"id": asked.id}) is not None

            await eventually(is_done)

        return wait

    async def test_a_question_gets_one_reply_with_its_source_and_receipt(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        await harness.start(ScriptedAgent({"How do I book time off?": "In the calendar [1]."}), inbox)
        asked = await harness.ask("How do I book time off?")
        await done(asked)
        [reply] = await harness.visible(asked)
        assert "In the calendar" in reply
        assert "Time off" in reply
        assert "documents · 1 source · 1.2 s" in reply

    async def test_a_follow_up_continues_the_conversation(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        agent = ScriptedAgent()
        await harness.start(agent, inbox)
        first = await harness.ask("How much leave do I get?")
        await done(first)
        second = await harness.ask("And in Germany?", thread=first)
        await done(second)
        assert [question.text for question in agent.asked] == ["How much leave do I get?", "And in Germany?"]
        assert agent.asked[0].conversation == agent.asked[1].conversation
        assert len(await harness.visible(first)) == len(await harness.visible(second)) == 1

    async def test_questions_of_one_conversation_are_answered_one_after_the_other(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        agent = ScriptedAgent(held=frozenset({"first"}))
        await harness.start(agent, inbox)
        start = await harness.ask("hello there")
        await done(start)
        first = await harness.ask("first", thread=start)
        await eventually(_is(lambda: len(agent.asked) == 2))
        second = await harness.ask("second", thread=start)
        await asyncio.sleep(1.2)  # two looks at the inbox
        assert [question.text for question in agent.asked] == ["hello there", "first"]
        agent.go.set()
        await done(first)
        await done(second)
        assert agent.asked[-1].text == "second"

    async def test_a_redelivered_event_is_answered_once(self, harness: Harness, inbox: MortalInbox, done: Wait) -> None:
        agent = ScriptedAgent(held=frozenset({"once"}))
        await harness.start(agent, inbox)
        asked = await harness.ask("once")
        await agent.begun.wait()
        await harness.redeliver(asked)
        agent.go.set()
        await done(asked)
        await harness.redeliver(asked)
        await asyncio.sleep(0.7)
        assert len(agent.asked) == 1
        assert len(await harness.visible(asked)) == 1

    async def test_two_replicas_answer_once(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        settings: Settings,
        done: Wait,
    ) -> None:
        agent = ScriptedAgent()
        await harness.start(agent, inbox)
        await harness.start(agent, MortalInbox(database, settings))
        asked = [await harness.ask(f"question {n}") for n in range(4)]
        for one in asked:
            await harness.redeliver(one)
        for one in asked:
            await done(one)
            assert len(await harness.visible(one)) == 1
        assert sorted(question.text for question in agent.asked) == [f"question {n}" for n in range(4)]

    @pytest.mark.parametrize("moment", ["record_reply", "finish"])
    async def test_a_crash_around_the_post_leads_to_one_whole_reply(
        self,
        harness: Harness,
        database: Database,
        settings: Settings,
        done: Wait,
        moment: str,
    ) -> None:
        agent = ScriptedAgent({"Q": "The whole answer."})
        doomed = MortalInbox(database, settings, dies_at=moment)
        await harness.start(agent, doomed)
        asked = await harness.ask("Q")
        async with asyncio.timeout(PATIENCE_S):
            await doomed.dead.wait()
        await harness.stop()
        await harness.start(agent, MortalInbox(database, settings))
        await done(asked)
        [reply] = await harness.visible(asked)
        assert reply.count("The whole answer.") == 1

    async def test_a_crash_in_the_middle_of_an_answer_leads_to_one_whole_reply(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        settings: Settings,
        done: Wait,
    ) -> None:
        agent = ScriptedAgent({"Q": "First half, second half."}, held=frozenset({"Q"}))
        await harness.start(agent, inbox)
        asked = await harness.ask("Q")
        await agent.begun.wait()
        inbox.die()
        await harness.stop()
        agent.go.set()
        await harness.start(agent, MortalInbox(database, settings))
        await done(asked)
        [reply] = await harness.visible(asked)
        assert reply.count("First half, second half.") == 1

    async def test_an_orderly_stop_hands_the_question_over(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        settings: Settings,
        done: Wait,
    ) -> None:
        agent = ScriptedAgent({"Q": "Answered after the restart."}, held=frozenset({"Q"}))
        await harness.start(agent, inbox)
        asked = await harness.ask("Q")
        await agent.begun.wait()
        await harness.stop()
        agent.go.set()
        await harness.start(agent, MortalInbox(database, settings))
        await done(asked)
        [reply] = await harness.visible(asked)
        assert reply.count("Answered after the restart.") == 1
        row = await database.fetch_one(b"SELECT attempts FROM inbox WHERE id = %(id)s", {"id": asked.id})
        assert row == {"attempts": 1}

    async def test_a_lost_response_leads_to_no_second_reply(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        await harness.start(ScriptedAgent({"Q": "Said once."}), inbox)
        harness.lose_next_response()
        asked = await harness.ask("Q")
        await done(asked)
        [reply] = await harness.visible(asked)
        assert reply.count("Said once.") == 1

    async def test_a_long_answer_arrives_whole_in_parts_that_the_platform_takes(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        words = [f"word{n:05}" for n in range((harness.limit or 3000) // 6)]
        prose, code = words[: len(words) // 2], words[len(words) // 2 :]
        paragraphs = [" ".join(prose[n : n + 40]) + "." for n in range(0, len(prose), 40)]
        text = "\n\n".join(paragraphs) + "\n\n```python\n" + "\n".join(code) + "\n```\n\nThat is all."
        await harness.start(ScriptedAgent({"Q": text}), inbox)
        asked = await harness.ask("Q")
        await done(asked)
        parts = await harness.visible(asked)
        assert max(len(part) for part in parts) <= (harness.limit or sys.maxsize)
        assert all(part.count("```") % 2 == 0 for part in parts)
        assert re.findall(r"word\d{5}", "\n".join(parts)) == words
        assert "That is all." in parts[-1]

    async def test_a_crash_after_a_long_answer_adds_nothing(
        self, harness: Harness, database: Database, settings: Settings, done: Wait
    ) -> None:
        words = [f"word{n:05}" for n in range((harness.limit or 3000) // 6)]
        agent = ScriptedAgent({"Q": " ".join(words)})
        doomed = MortalInbox(database, settings, dies_at="finish")
        await harness.start(agent, doomed)
        asked = await harness.ask("Q")
        async with asyncio.timeout(PATIENCE_S):
            await doomed.dead.wait()
        await harness.stop()
        await harness.start(agent, MortalInbox(database, settings))
        await done(asked)
        assert re.findall(r"word\d{5}", "\n".join(await harness.visible(asked))) == words

    async def test_mentions_in_an_answer_ping_nobody(self, harness: Harness, inbox: MortalInbox, done: Wait) -> None:
        text = "Tell @everyone and @here, <!channel>, <!here|x>, <!subteam^S1>, <@U1>, <@1> <@!1> <@&1> and @admin."
        await harness.start(ScriptedAgent({"Q": text}), inbox)
        asked = await harness.ask("Q")
        await done(asked)
        assert "everyone" in "".join(await harness.visible(asked))
        assert harness.pings() == []

    async def test_an_error_that_a_person_can_mend_says_how(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        await harness.start(ScriptedAgent({"Q": WeightsError()}), inbox)
        asked = await harness.ask("Q")
        await done(asked)
        [reply] = await harness.visible(asked)
        assert "The model's weights cannot be used." in reply
        assert "unset it to use the packaged weights" in reply

    async def test_any_other_error_gives_a_number_that_the_log_has_and_no_text(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        done: Wait,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        await harness.start(ScriptedAgent({"My secret question": KeyError("My secret question")}), inbox)
        asked = await harness.ask("My secret question")
        await done(asked)
        [reply] = await harness.visible(asked)
        number = re.search(r"number ([A-Z0-9]{6})", reply)
        assert number
        assert number[1] in caplog.text
        assert "builtins.KeyError" in caplog.text
        assert "secret" not in caplog.text
        row = await database.fetch_one(b"SELECT fault FROM inbox WHERE id = %(id)s", {"id": asked.id})
        assert row == {"fault": number[1]}

    async def test_an_empty_question_gets_a_hint(self, harness: Harness, inbox: MortalInbox, done: Wait) -> None:
        agent = ScriptedAgent()
        await harness.start(agent, inbox)
        asked = await harness.ask("")
        await done(asked)
        [reply] = await harness.visible(asked)
        assert "Ask me something" in reply
        assert agent.asked == []

    async def test_a_question_that_is_too_long_is_refused_with_both_numbers(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        if harness.longest_input <= 4000:
            pytest.skip("the platform takes no message that is too long for us")
        length = min(30_000, harness.longest_input)
        await harness.start(ScriptedAgent(), inbox)
        asked = await harness.ask("x" * length)
        await done(asked)
        [reply] = await harness.visible(asked)
        assert f"{length:,}" in reply
        assert "4,000" in reply

    async def test_why_tells_how_the_last_answer_came_about(
        self, harness: Harness, inbox: MortalInbox, done: Wait
    ) -> None:
        await harness.start(ScriptedAgent({"Q": "In the calendar [1]."}), inbox)
        asked = await harness.ask("Q")
        await done(asked)
        why = await harness.command("why", thread=asked)
        await done(why)
        told = "\n".join(await harness.visible(why))
        assert "the best passage covers 90%" in told
        assert "1,234" in told
        assert "scripted" in told

    async def test_sources_are_listed_and_a_reindex_shows_its_progress_to_the_end(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        settings: Settings,
        model_url: str,
        tmp_path: Path,
        done: Wait,
    ) -> None:
        folder = tmp_path / "pages"
        folder.mkdir()
        for n in range(3):
            (folder / f"page{n}.md").write_text(f"# Page {n}\n\nThe answer to number {n} is {n * n}.\n")
        await add_source(database, folder, name="pages", added_by="test")
        await harness.start(ScriptedAgent(), inbox)

        reindex = await harness.command("reindex", "pages")
        await eventually(_shows(harness, reindex, "queued"))
        async with ModelClient.open(settings.model_copy(update={"model_url": model_url})) as model:
            did = True
            while did:
                did = await run_next_job(database, model, settings, worker="test")
        await done(reindex)
        [reply] = await harness.visible(reindex)
        assert "3 added" in reply

        sources = await harness.command("sources")
        await done(sources)
        listed = "\n".join(await harness.visible(sources))
        assert "pages" in listed
        assert "3 documents" in listed

    async def test_a_reindex_of_an_unknown_source_names_the_known_ones(
        self,
        harness: Harness,
        inbox: MortalInbox,
        database: Database,
        tmp_path: Path,
        done: Wait,
    ) -> None:
        await add_source(database, tmp_path, name="handbook", added_by="test")
        await harness.start(ScriptedAgent(), inbox)
        asked = await harness.command("reindex", "handbok")
        await done(asked)
        [reply] = await harness.visible(asked)
        assert "handbok" in reply
        assert "handbook" in reply


def _is(look: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def looked() -> bool:
        return look()

    return looked


def _shows(harness: Harness, asked: Asked, text: str) -> Callable[[], Awaitable[bool]]:
    async def looked() -> bool:
        with suppress(LookupError):  # the platform has not seen a reply yet
            return any(text in part for part in await harness.visible(asked))
        return False

    return looked
