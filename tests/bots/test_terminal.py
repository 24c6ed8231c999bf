"""The terminal: the suite that all surfaces pass, and what only a terminal has."""

import asyncio
import io
import os
import re
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import ExitStack

import psycopg
import pytest
from rich.console import Console

from bots.commands import Agent
from bots.conversation import Conversation
from bots.inbox import Inbox
from bots.screen import Screen
from bots.seat import Seat, take_seat
from bots.surface import Event, Kind, Message
from bots.terminal import Chat, Terminal, converse
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.bots.conformance import Asked, Conformance
from tests.bots.scripted import ScriptedAgent

VIEWER = Viewer("local")
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class WatchedTerminal(Terminal):
    """Keeps what the screen shows for each event."""

    def __init__(self, screen: Screen, seat: Seat, shown: dict[str, list[str]]) -> None:
        super().__init__(screen, seat)
        self._watched = shown

    def show(self, event: Event, message: Message) -> None:
        output = self.screen.console.file
        assert isinstance(output, io.StringIO)
        self.screen.clear()  # of the draft
        before = len(output.getvalue())
        super().show(event, message)
        if printed := STYLES.sub("", output.getvalue()[before:]).strip():
            self._watched[event.id].append(printed)


class TerminalHarness:
    """The screens of one person, of which each replica has its own."""

    limit = None
    longest_input = 30_000

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._shown: dict[str, list[str]] = defaultdict(list)
        self._running: list[tuple[Conversation, asyncio.Task[None], ExitStack]] = []

    async def start(self, agent: Agent, inbox: Inbox) -> None:
        stack = ExitStack()
        seat = stack.enter_context(take_seat(self._settings.run_dir))
        console = Console(file=io.StringIO(), force_terminal=True, width=400, color_system=None)
        terminal = WatchedTerminal(Screen(console), seat, self._shown)
        conversation = Conversation(terminal, inbox, agent, self._database, self._settings)

        async def endless() -> AsyncIterator[str]:
            await asyncio.Event().wait()
            yield ""

        chat = asyncio.create_task(converse(conversation, terminal, VIEWER, seat, endless()))
        self._running.append((conversation, chat, stack))

    async def stop(self) -> None:
        for _, chat, _ in self._running:
            chat.cancel()
        await asyncio.gather(*(chat for _, chat, _ in self._running), return_exceptions=True)
        for *_, stack in self._running:
            stack.close()
        self._running.clear()

    async def ask(self, text: str, *, thread: Asked | None = None) -> Asked:
        return await self._send("question", text, thread)

    async def command(self, kind: Kind, text: str = "", *, thread: Asked | None = None) -> Asked:
        return await self._send(kind, text, thread)

    async def _send(self, kind: Kind, text: str, thread: Asked | None) -> Asked:
        name = self._running[0][0].surface.name
        place = thread.delivery.conversation if thread and isinstance(thread.delivery, Event) else uuid.uuid4().hex
        event = Event(f"{name}:{uuid.uuid4().hex}", name, kind, place, VIEWER, "me", text)
        await self._running[0][0].accept(event)
        return Asked(event.id, event)

    async def redeliver(self, asked: Asked) -> None:
        assert isinstance(asked.delivery, Event)
        for conversation, *_ in self._running:
            assert not await conversation.accept(asked.delivery)

    async def visible(self, asked: Asked) -> list[str]:
        drafts = [self._draft()] if not self._shown[asked.id] else []
        return [*drafts, *self._shown[asked.id]]

    def _draft(self) -> str:
        output = self._running[0][0].surface.screen.console.file  # type: ignore[attr-defined]
        return STYLES.sub("", output.getvalue())

    def lose_next_response(self) -> None:
        """A screen sends no response that could be lost."""

    def pings(self) -> list[str]:
        """A terminal notifies nobody, unless it is made to ring or to show a title."""
        outputs = [c.surface.screen.console.file.getvalue() for c, *_ in self._running]  # type: ignore[attr-defined]
        return [output for output in outputs if "\a" in output or "\x1b]" in output]


class TestTerminal(Conformance):
    @pytest.fixture
    async def harness(self, database: Database, settings: Settings) -> AsyncIterator[TerminalHarness]:
        harness = TerminalHarness(database, settings)
        yield harness
        await harness.stop()


class TestChat:
    """What the lines do that a person types."""

    @pytest.fixture
    def agent(self) -> ScriptedAgent:
        return ScriptedAgent()

    @pytest.fixture
    def output(self) -> io.StringIO:
        return io.StringIO()

    @pytest.fixture
    async def chat(
        self, database: Database, settings: Settings, agent: ScriptedAgent, output: io.StringIO
    ) -> AsyncIterator[Chat]:
        with take_seat(settings.run_dir) as seat:
            terminal = Terminal(Screen(Console(file=output)), seat)
            conversation = Conversation(terminal, Inbox(database, settings), agent, database, settings)
            running = asyncio.create_task(conversation.run())
            yield Chat(conversation, terminal, VIEWER)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def test_a_new_conversation_knows_nothing_of_the_old_one(self, chat: Chat, agent: ScriptedAgent) -> None:
        for line in ("first\n", "second", "/new", "third"):
            assert await chat.take(line)
        assert [question.text for question in agent.asked] == ["first", "second", "third"]
        old, same, new = (question.conversation for question in agent.asked)
        assert old == same != new
        assert agent.forgotten == [old]

    async def test_a_line_may_be_empty_a_command_or_the_last_one(self, chat: Chat, output: io.StringIO) -> None:
        assert await chat.take("  \n")
        assert output.getvalue() == ""
        assert await chat.take("/help")
        assert "/reindex [name]" in output.getvalue()
        assert await chat.take("/frobnicate now")
        assert "There is no command /frobnicate; /help lists them." in output.getvalue()
        assert not await chat.take("/quit")

    async def test_why_explains_the_answer_before_it(self, chat: Chat, output: io.StringIO) -> None:
        await chat.take("/why")
        assert "Nothing has been answered in this conversation yet." in output.getvalue()
        await chat.take("How?")
        await chat.take("/why")
        assert "You asked: `How?`" in output.getvalue()

    async def test_a_correction_is_of_the_answer_before_it(
        self, chat: Chat, agent: ScriptedAgent, output: io.StringIO
    ) -> None:
        await chat.take("/correct Because.")
        assert "Nothing has been answered in this conversation yet." in output.getvalue()
        await chat.take("How?")
        await chat.take("/correct")
        assert "/correct TEXT" in output.getvalue()
        await chat.take("/correct By hand.")
        assert "Thank you, that is kept." in output.getvalue()
        assert "tandem tune review" in output.getvalue()
        [answer] = agent.given.values()
        assert agent.corrections == [(answer.id, f"terminal:{os.getuid()}", "By hand.")]

    async def test_a_correction_that_corrects_nothing_or_is_too_long_is_refused(
        self, chat: Chat, agent: ScriptedAgent, output: io.StringIO
    ) -> None:
        await chat.take("How?")
        await chat.take("/correct You said:  How?")
        assert "That is what the answer says already." in output.getvalue()
        await chat.take("/correct " + "x" * 3001)
        assert "The correction has 3,001 characters; I keep at most 3,000." in " ".join(output.getvalue().split())
        assert agent.corrections == []

    async def test_without_a_database_it_says_so_and_goes_on(
        self, chat: Chat, agent: ScriptedAgent, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(conversation: str) -> None:
            raise psycopg.OperationalError("the connection is lost")

        monkeypatch.setattr(agent, "forget", fail)
        assert await chat.take("/new")
        assert "Postgres cannot be reached." in output.getvalue()
        assert await chat.take("And now?")
        assert "You said: And now?" in output.getvalue()
