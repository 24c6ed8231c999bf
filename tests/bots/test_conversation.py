"""The conversation layer under trouble, on a platform that fails as it is told to."""

import asyncio
import logging
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest

from bots.conversation import STOPPED, Conversation
from bots.inbox import Claim, Inbox
from bots.surface import Event, Kind, Message, ReplyImpossible
from index.audience import Viewer
from index.sources import add_source
from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server
from tandem.errors import ModelBusy, ModelUnavailable
from tandem.settings import Settings
from tests.bots.conformance import eventually
from tests.bots.scripted import ScriptedAgent

QUESTION = Event("test:1", "test", "question", "thread", Viewer("T1"), "U1", "Q", {"channel": "C1"})


@dataclass
class Platform:
    """Messages that people see. `faults` are raised by the calls of that name, one after the other."""

    name: str = "test"
    messages: dict[str, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    finished: list[Message] = field(default_factory=list)
    faults: dict[str, list[Exception]] = field(default_factory=lambda: defaultdict(list))

    async def find_reply(self, event: Event) -> "PlatformReply | None":
        self._call("find_reply")
        return PlatformReply(self, event.id) if event.id in self.messages else None

    async def open_reply(self, event: Event) -> "PlatformReply":
        assert event.id not in self.messages, "a second reply"
        self._call("open_reply")
        self.messages[event.id] = ""
        return PlatformReply(self, event.id)

    def resume(self, event: Event, reference: Mapping[str, str]) -> "PlatformReply":
        return PlatformReply(self, reference["key"])

    def _call(self, name: str) -> None:
        if self.faults[name]:
            raise self.faults[name].pop(0)


class PlatformReply:
    def __init__(self, platform: Platform, key: str) -> None:
        self._platform = platform
        self.reference = {"key": key}

    async def show_progress(self, line: str) -> None:
        self._write("show_progress", line)

    async def append(self, text: str) -> None:
        self._write("append", self._platform.messages[self.reference["key"]] + text)

    async def finish(self, message: Message) -> None:
        self._write("finish", message.markdown)
        self._platform.finished.append(message)

    def _write(self, call: str, text: str) -> None:
        self._platform._call(call)
        self._platform.messages[self.reference["key"]] = text
        self._platform.history.append(text)


Start = Callable[..., Awaitable[Conversation]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_s": 1.0})


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr("bots.conversation.LONGEST_DELAY_S", 0.1)
    monkeypatch.setattr("bots.conversation.FINISH_PAUSES_S", (0.01, 0.01, 0.01))
    return Platform()


@asynccontextmanager
async def running(conversation: Conversation) -> AsyncIterator[Conversation]:
    task = asyncio.create_task(conversation.run())
    try:
        yield conversation
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def start(platform: Platform, database: Database, settings: Settings) -> AsyncIterator[Start]:
    """Starts a replica."""
    async with AsyncExitStack() as stack:

        async def start_one(agent: ScriptedAgent, inbox: Inbox | None = None) -> Conversation:
            inbox = inbox or Inbox(database, settings)
            conversation = Conversation(platform, inbox, agent, database, settings)
            return await stack.enter_async_context(running(conversation))

        yield start_one


async def ask(conversation: Conversation, event: Event = QUESTION) -> None:
    """Returns once the event is done."""
    done = conversation.watch(event.id)
    await conversation.accept(event)
    async with asyncio.timeout(90):
        await done.wait()


async def read_row(database: Database, event_id: str = QUESTION.id) -> Mapping[str, object]:
    row = await database.fetch_one(b"SELECT * FROM inbox WHERE id = %(id)s", {"id": event_id})
    assert row is not None
    return row


async def test_progress_and_text_are_seen_while_they_come(platform: Platform, start: Start, database: Database) -> None:
    await ask(await start(ScriptedAgent({"Q": "abcd"})))
    assert platform.history == [
        "Searching the documents",
        "Searching the documentsab",
        "Searching the documentsabcd",
        "abcd",
    ]
    [message] = platform.finished
    assert message.feedback_for == "answer-test:1"
    row = await read_row(database)
    assert (row["state"], row["answer_id"], row["fault"]) == ("done", "answer-test:1", None)


async def test_a_channel_that_is_gone_ends_the_event_with_a_line_in_the_log(
    platform: Platform, start: Start, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    platform.faults["open_reply"] = [ReplyImpossible("The channel was deleted.")]
    await ask(await start(ScriptedAgent()))
    assert (await read_row(database))["fault"] == "no reply possible"
    assert "test:1 cannot be replied to: The channel was deleted." in caplog.text


async def test_a_platform_that_is_down_is_tried_until_it_is_back(platform: Platform, start: Start) -> None:
    platform.faults["open_reply"] = [ConnectionError()] * 2
    platform.faults["finish"] = [ConnectionError()]
    agent = ScriptedAgent({"Q": "At last."})
    await ask(await start(agent))
    assert platform.messages == {"test:1": "At last."}
    assert len(agent.asked) == 1


async def test_an_answer_that_the_platform_keeps_refusing_becomes_an_error(
    platform: Platform, start: Start, database: Database
) -> None:
    platform.faults["finish"] = [ValueError("invalid_blocks")] * 3
    await ask(await start(ScriptedAgent()))
    row = await read_row(database)
    assert f"number {row['fault']}" in platform.messages["test:1"]
    assert row["answer_id"] is None


async def test_trouble_with_the_stream_costs_the_answer_nothing(platform: Platform, start: Start) -> None:
    platform.faults["append"] = [ConnectionError()]
    await ask(await start(ScriptedAgent({"Q": "Whole."})))
    assert platform.messages == {"test:1": "Whole."}


async def test_an_event_that_kills_every_process_ends_in_an_error(
    platform: Platform, start: Start, database: Database, settings: Settings
) -> None:
    await Inbox(database, settings).accept(QUESTION)
    await database.execute(b"UPDATE inbox SET attempts = 3, fence = 3")
    agent = ScriptedAgent()
    await ask(await start(agent))
    row = await read_row(database)
    assert f"number {row['fault']}" in platform.messages["test:1"]
    assert agent.asked == []


async def test_an_event_that_could_not_be_replied_to_for_a_day_is_given_up(
    platform: Platform, start: Start, database: Database, settings: Settings
) -> None:
    await Inbox(database, settings).accept(QUESTION)
    await database.execute(b"UPDATE inbox SET accepted_at = now() - interval '25 hours'")
    await ask(await start(ScriptedAgent()))
    assert platform.messages == {}
    assert (await read_row(database))["fault"] == "no reply possible"


async def test_a_busy_model_is_waited_for(platform: Platform, start: Start) -> None:
    class BusyAgent(ScriptedAgent):
        def __init__(self) -> None:
            super().__init__({"Q": ModelBusy(retry_after_s=0.01)})

    agent = BusyAgent()
    conversation = await start(agent)
    done = conversation.watch(QUESTION.id)
    await conversation.accept(QUESTION)
    await eventually_true(lambda: len(agent.asked) >= 3)
    assert "The model is busy with other questions; yours waits its turn" in platform.history
    agent.script = {"Q": "Free now."}
    async with asyncio.timeout(30):
        await done.wait()
    assert platform.messages == {"test:1": "Free now."}


async def test_a_model_that_stays_busy_is_told_of(
    platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.commands.BUSY_WAIT_S", 0.05)
    await ask(await start(ScriptedAgent({"Q": ModelBusy(retry_after_s=0.02)})))
    assert platform.messages == {"test:1": "The model server's queue is full. Ask again in a moment."}


async def test_a_model_server_that_restarts_is_asked_again(
    platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.commands.AWAY_PAUSE_S", 0.05)
    agent = ScriptedAgent({"Q": ModelUnavailable("It broke off.")})
    conversation = await start(agent)
    done = conversation.watch(QUESTION.id)
    await conversation.accept(QUESTION)
    await eventually_true(lambda: len(agent.asked) == 2)
    agent.script = {"Q": "Back again."}
    async with asyncio.timeout(30):
        await done.wait()
    assert "The model server went away; I ask it again once it is back" in platform.history
    assert platform.messages == {"test:1": "Back again."}


async def test_a_model_server_that_stays_away_is_told_of_with_the_remedy(
    platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.commands.AWAY_PAUSE_S", 0.01)
    agent = ScriptedAgent({"Q": ModelUnavailable()})
    await ask(await start(agent))
    assert len(agent.asked) == 3
    assert platform.messages["test:1"].startswith("The model server cannot be reached. Start it with `tandem model`")


async def test_a_database_that_fails_each_time_ends_in_an_error(
    platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = ScriptedAgent({"Q": psycopg.OperationalError("disk full")})
    await ask(await start(agent))
    assert len(agent.asked) == 3
    assert "Something went wrong on my side" in platform.messages["test:1"]


async def test_an_agent_that_hangs_is_cut_off(
    platform: Platform, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.commands.ANSWER_S", 0.1)
    await ask(await start(ScriptedAgent(held=frozenset({"Q"}))))
    assert "Something went wrong on my side" in platform.messages["test:1"]


async def test_a_person_can_stop_an_answer_and_the_conversation_goes_on(platform: Platform, start: Start) -> None:
    agent = ScriptedAgent(held=frozenset({"Q"}))
    conversation = await start(agent)
    done = conversation.watch(QUESTION.id)
    await conversation.accept(QUESTION)
    await agent.begun.wait()
    conversation.stop(QUESTION.id)
    async with asyncio.timeout(30):
        await done.wait()
    await ask(conversation, replace(QUESTION, id="test:2", text="next"))
    assert platform.messages == {"test:1": STOPPED, "test:2": "You said: next"}


async def test_many_conversations_are_answered_at_once(platform: Platform, start: Start) -> None:
    agent = ScriptedAgent(held=frozenset({"Q"}))
    conversation = await start(agent)
    events = [replace(QUESTION, id=f"test:{n}", conversation=f"thread {n}") for n in range(10)]
    asking = [asyncio.create_task(ask(conversation, event)) for event in events]
    await eventually_true(lambda: len(agent.asked) == 8)
    await asyncio.sleep(0.7)
    assert len(agent.asked) == 8
    agent.go.set()
    await asyncio.gather(*asking)
    assert set(platform.messages) == {event.id for event in events}


async def test_reindexing_does_not_hold_up_questions(
    platform: Platform, start: Start, database: Database, tmp_path: Path
) -> None:
    await add_source(database, tmp_path, name="pages", added_by="test")
    conversation = await start(ScriptedAgent())
    for n in range(10):
        await conversation.accept(replace(QUESTION, id=f"look:{n}", kind="reindex", text=""))
    await ask(conversation)
    assert platform.messages["test:1"] == "You said: Q"
    await eventually_true(lambda: platform.messages.get("look:9") == "`pages`: queued")


async def test_a_replica_that_lost_the_event_does_not_write_any_more(
    platform: Platform, start: Start, database: Database
) -> None:
    agent = ScriptedAgent({"Q": "From the first."}, held=frozenset({"Q"}))
    conversation = await start(agent)
    await conversation.accept(QUESTION)
    await agent.begun.wait()
    await database.execute(b"UPDATE inbox SET fence = fence + 1, lease_until = now() + interval '1 hour'")
    agent.go.set()
    await asyncio.sleep(0.7)
    assert platform.finished == []
    assert (await read_row(database))["state"] == "answering"


async def test_a_cancellation_that_is_swallowed_is_repeated(
    platform: Platform, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bots.conversation.GOODBYE_S", 0.05)

    class SwallowingInbox(Inbox):
        swallowed = 0

        async def claim(self, surface: str, kinds: Sequence[Kind]) -> Claim | None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.swallowed += 1
            return None

    inbox = SwallowingInbox(database, settings)
    task = asyncio.create_task(Conversation(platform, inbox, ScriptedAgent(), database, settings).run())
    await asyncio.sleep(0.1)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(task, return_exceptions=True)
    assert inbox.swallowed >= 2
    assert task.cancelled()


async def test_postgres_killed_in_the_middle_of_an_answer_loses_nothing(
    platform: Platform, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    own = settings.model_copy(update={"database_url": None})
    conninfo = await asyncio.to_thread(ensure_server, own)
    await asyncio.to_thread(migrate, conninfo)
    postmaster = own.home / "postgres" / "postmaster.pid"
    agent = ScriptedAgent({"Q": "Still here."}, held=frozenset({"Q"}))
    async with Database.open(own) as database:
        async with running(Conversation(platform, Inbox(database, own), agent, database, own)) as conversation:
            asking = asyncio.create_task(ask(conversation))
            await agent.begun.wait()
            with caplog.at_level(logging.CRITICAL, "psycopg.pool"):
                os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
                agent.go.set()
                await asking
                await ask(conversation, replace(QUESTION, id="test:2", text="after"))
        assert platform.messages == {"test:1": "Still here.", "test:2": "You said: after"}
        assert len(agent.asked) == 2
    with psycopg.connect(conninfo.replace("dbname=tandem", "dbname=postgres")):
        os.kill(int(postmaster.read_text().split()[0]), signal.SIGTERM)


async def eventually_true(look: Callable[[], bool]) -> None:
    async def looked() -> bool:
        return look()

    await eventually(looked)
