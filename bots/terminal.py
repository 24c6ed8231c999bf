"""The chat in a terminal: the same conversation as anywhere else, with one person in it."""

import asyncio
import itertools
import os
import signal
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory
from rich.console import Console

from bots.conversation import Conversation
from bots.corrections import CorrectionRefused, keep_correction
from bots.inbox import DATABASE_TROUBLE, Inbox
from bots.screen import Screen
from bots.seat import Seat, take_seat
from bots.surface import Event, Kind, Message
from graph.agent import Agent
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable
from tandem.models.client import ModelClient
from tandem.settings import Settings

PROMPT = "> "
COMMANDS: Mapping[str, Kind] = {"/why": "why", "/sources": "sources", "/reindex": "reindex"}
HELP = """\
Ask anything. Tandem answers from the model or from the documents, and says which it was.

/why             how the last answer came about
/sources         what the documents are, and how many
/reindex [name]  look at the documents again, at one source or at all; `/reindex cancel [name]` ends that
/correct TEXT    what the last answer should have said; an adapter may learn it, once somebody has approved it
/new             a new conversation that knows nothing of this one
/help            this text
/quit            leave (ctrl-D too)

Ctrl-C stops an answer; the up arrow brings back what you asked before."""


class TerminalReply:
    """A reply on the screen; its draft is redrawn as it grows, and gives way to the finished text."""

    def __init__(self, terminal: "Terminal", event: Event) -> None:
        self._terminal = terminal
        self._event = event
        self._draft = ""

    @property
    def reference(self) -> Mapping[str, str]:
        return {"terminal": self._terminal.name}

    async def show_progress(self, line: str) -> None:
        self._draft = ""
        self._terminal.screen.show_progress(line)

    async def append(self, text: str) -> None:
        self._draft += text
        self._terminal.screen.show_draft(self._draft)

    async def finish(self, message: Message) -> None:
        self._terminal.show(self._event, message)


class Terminal:
    """The surface of one process. What a killed one left unanswered, the next one that starts answers."""

    def __init__(self, screen: Screen, seat: Seat) -> None:
        self.screen = screen
        self._seat = seat
        self._shown = set(seat.dead.values())

    @property
    def name(self) -> str:
        return self._seat.name

    async def find_reply(self, event: Event) -> TerminalReply | None:
        return None  # nobody can look at a screen; `show` knows what has been on it

    async def open_reply(self, event: Event) -> TerminalReply:
        reply = TerminalReply(self, event)
        await reply.show_progress("Reading your question")
        return reply

    def resume(self, event: Event, reference: Mapping[str, str]) -> TerminalReply:
        return TerminalReply(self, event)

    def show(self, event: Event, message: Message) -> None:
        """Prints the reply, unless it has been on the screen already."""
        if event.id in self._shown:
            return
        if event.surface != self.name:
            self.screen.say(f"{PROMPT}{event.text or event.kind}  (asked before Tandem was stopped)")
        self.screen.show(message)
        self._shown.add(event.id)
        self._seat.note_shown(event.id)


class Chat:
    """What the person types, line by line."""

    def __init__(self, conversation: Conversation, terminal: Terminal, viewer: Viewer) -> None:
        self._conversation = conversation
        self._terminal = terminal
        self._viewer = viewer
        self._thread = _new_thread()

    async def take(self, line: str) -> bool:
        """Does what the line says and returns once that is done; False when it says to leave."""
        line = line.strip()
        if line in ("/quit", "/exit"):
            return False
        try:
            await self._carry_out(line)
        except DATABASE_TROUBLE:
            self._terminal.screen.say(str(DatabaseUnavailable()))
        return True

    async def _carry_out(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "/help":
            self._terminal.screen.say(HELP)
        elif word == "/new":
            await self._conversation.agent.forget(self._thread)
            self._thread = _new_thread()
            self._terminal.screen.say("This is a new conversation.")
        elif word == "/correct":
            self._terminal.screen.say(await self._correct(rest.strip()))
        elif word in COMMANDS:
            await self._ask(COMMANDS[word], rest.strip())
        elif word.startswith("/"):
            self._terminal.screen.say(f"There is no command {word}; /help lists them.")
        elif word:
            await self._ask("question", line)

    async def _correct(self, text: str) -> str:
        if not text:
            return "Say what the answer should have been: /correct TEXT"
        agent = self._conversation.agent
        last = await agent.explain_last(self._thread, self._viewer)
        if last is None:
            return "Nothing has been answered in this conversation yet."
        try:
            return await keep_correction(agent, last.id, self._viewer, user=f"terminal:{os.getuid()}", text=text)
        except CorrectionRefused as refused:
            return str(refused)

    async def _ask(self, kind: Kind, text: str) -> None:
        name = self._terminal.name
        event = Event(f"{name}:{uuid.uuid4().hex}", name, kind, self._thread, self._viewer, str(os.getuid()), text)
        done = self._conversation.watch(event.id)
        await self._conversation.accept(event)
        presses = itertools.count()

        def interrupt() -> None:  # the second time, nobody wants to wait for the end either
            done.set() if next(presses) else self._conversation.stop(event.id)

        with _on_interrupt(interrupt):
            await done.wait()


async def run_terminal(settings: Settings, *, viewer: Viewer) -> None:
    """Chats until the person leaves or the input ends. Raises DatabaseUnavailable if there is no database at first.

    Where the input is no terminal, each line is a question, and the answers are printed plainly.
    """
    async with (
        Database.open(settings) as database,
        ModelClient.open(settings) as model,
        Agent.open(settings, database, model) as agent,
    ):
        with take_seat(settings.run_dir) as seat:
            terminal = Terminal(Screen(Console()), seat)
            conversation = Conversation(terminal, Inbox(database, settings), agent, database, settings)
            lines = _prompt(settings) if sys.stdin.isatty() else _read_lines()
            await converse(conversation, terminal, viewer, seat, lines)


async def converse(
    conversation: Conversation, terminal: Terminal, viewer: Viewer, seat: Seat, lines: AsyncIterator[str]
) -> None:
    """First answers what killed terminals left open, then line after line."""
    inherited = [one for name in seat.dead for one in await conversation.inbox.adopt(name, heir=seat.name)]
    answered = [conversation.watch(event_id) for event_id in inherited]
    chat = Chat(conversation, terminal, viewer)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(conversation.run())
        for done in answered:
            await done.wait()
        async for line in lines:
            if not await chat.take(line):
                break
        running.cancel()


async def _prompt(settings: Settings) -> AsyncIterator[str]:
    history = settings.home / "chat_history"
    prompt: PromptSession[str] = PromptSession(history=FileHistory(history))
    while True:
        try:
            yield await prompt.prompt_async(PROMPT)
        except KeyboardInterrupt:
            continue  # ctrl-C empties the line
        except EOFError:
            return


async def _read_lines() -> AsyncIterator[str]:
    """Standard input, read by a thread that the process need not wait for at its end."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


@contextmanager
def _on_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C calls this instead of ending the program."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


def _new_thread() -> str:
    return f"terminal:{uuid.uuid4().hex}"
