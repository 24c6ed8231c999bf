"""The terminal chat as a process of its own, with the real agent and the real model, on a pipe and on a terminal."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import psycopg
import pytest

from index.jobs import enqueue_look, run_next_job
from index.sources import add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

PROGRAM = (
    sys.executable,
    "-c",
    "import asyncio; from bots.terminal import run_terminal; from index.audience import Viewer;"
    " from tandem.settings import read_settings; asyncio.run(run_terminal(read_settings(), viewer=Viewer('local')))",
)
RECEIPT = re.compile(r"^(documents|model|no answer) · .*\d s", re.MULTILINE)
PROMPT_IS_READY = "\x1b[?2004h"
PATIENCE_S = 120.0


@pytest.fixture
def environment(model_settings: Settings) -> dict[str, str]:
    assert model_settings.database_url
    assert model_settings.model_url
    return os.environ | {
        "TANDEM_HOME": str(model_settings.home),
        "DATABASE_URL": model_settings.database_url,
        "MODEL_URL": model_settings.model_url,
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "xterm",
    }


@pytest.fixture
async def handbook(database: Database, model_settings: Settings, tmp_path: Path) -> None:
    """One page, indexed."""
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "doors.md").write_text("# The office door\n\nThe door of the Lisbon office is painted teal.\n")
    source = await add_source(database, folder, name="handbook", added_by="test")
    await enqueue_look(database, model_settings, source, requested_by="test")
    async with ModelClient.open(model_settings) as model:
        did = True
        while did:
            did = await run_next_job(database, model, model_settings, worker="test")


def wait_until_answering(conninfo: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while not connection.execute("SELECT id FROM inbox WHERE state = 'answering'").fetchall():
            assert time.monotonic() < deadline
            time.sleep(0.02)


async def run_on_a_pipe(environment: dict[str, str], lines: str) -> str:
    """What the chat prints for these lines."""
    process = await asyncio.create_subprocess_exec(*PROGRAM, env=environment, stdin=PIPE, stdout=PIPE)
    try:
        output, _ = await asyncio.wait_for(process.communicate(lines.encode()), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    return output.decode()


async def test_questions_from_a_pipe_are_answered_one_after_the_other(
    environment: dict[str, str], handbook: None
) -> None:
    lines = "What colour is the door of the Lisbon office?\n/why\n/sources\n/nonsense\n"
    shown = await run_on_a_pipe(environment, lines)
    assert len(RECEIPT.findall(shown)) == 1
    assert "doors.md" in shown
    assert "You asked: `What colour is the door of the Lisbon office?`" in shown
    assert "- `handbook` (folder): 1 document, 1 passage" in shown
    assert "There is no command /nonsense" in shown
    assert "\x1b" not in shown


async def test_a_question_whose_terminal_was_killed_is_answered_by_the_next_one(
    environment: dict[str, str], database: Database
) -> None:
    killed = await asyncio.create_subprocess_exec(*PROGRAM, env=environment, stdin=PIPE, stdout=PIPE)
    try:
        assert killed.stdin
        killed.stdin.write(b"Write a poem about the sea.\n")
        await asyncio.to_thread(wait_until_answering, database.conninfo)
    finally:
        killed.kill()
        await killed.communicate()
    for times in (1, 0):  # the next terminal shows it, and the one after that does not
        shown = await run_on_a_pipe(environment, "")
        assert shown.count("> Write a poem about the sea.  (asked before Tandem was stopped)") == times
        assert len(RECEIPT.findall(shown)) == times
    rows = await database.fetch_all(b"SELECT state, attempts FROM inbox")
    assert rows == [{"state": "done", "attempts": 2}]


class Screen:
    """A terminal that a program runs on."""

    def __init__(self, process: "subprocess.Popen[bytes]", end: int) -> None:
        self.process = process
        self._end = end
        self._text = ""

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def wait_for(self, text: str) -> None:
        """Reads on until the text has come, and forgets what came before it."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self._text:
            assert time.monotonic() < deadline, self._text[-2000:]
            try:
                self._text += os.read(self._end, 65536).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
        self._text = self._text.partition(text)[2]


@contextmanager
def on_a_terminal(environment: dict[str, str]) -> Iterator[Screen]:
    end, far_end = os.openpty()
    os.set_blocking(end, False)
    process = subprocess.Popen(PROGRAM, env=environment, stdin=far_end, stdout=far_end, stderr=far_end)
    os.close(far_end)
    try:
        yield Screen(process, end)
    finally:
        process.kill()
        process.wait()
        os.close(end)


def test_on_a_terminal_keys_do_what_people_expect(environment: dict[str, str], model_settings: Settings) -> None:
    with on_a_terminal(environment) as screen:
        screen.wait_for(PROMPT_IS_READY)
        screen.type("half a line\x03")  # ctrl-C empties the line
        screen.type("/help\r")
        screen.wait_for("the up arrow brings back")
        screen.type("Please write a very long story about the sea.\r")
        wait_until_answering(environment["DATABASE_URL"])
        screen.process.send_signal(signal.SIGINT)
        screen.wait_for("Stopped.")
        screen.wait_for(PROMPT_IS_READY)
        screen.type("\x1b[A")  # the up arrow
        screen.wait_for("very long story about the sea.")
        screen.type("\x03hello\r")
        screen.wait_for("set reply · ")
        screen.wait_for(PROMPT_IS_READY)
        screen.type("\x04")  # ctrl-D leaves
        assert screen.process.wait(PATIENCE_S) == 0
    history = (model_settings.home / "chat_history").read_text()
    assert "very long story" in history
    assert "half a line" not in history
