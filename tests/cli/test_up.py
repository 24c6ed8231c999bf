"""`tandem up` with everything real but Slack: each of its processes is killed, and nothing is lost or said twice."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from tandem.db.server import ensure_server
from tandem.settings import Settings
from tests.conftest import open_home
from tests.doubles.slack import SlackDouble
from tests.doubles.slack_workspace import BOT_USER, Message, feedback_values, visible_text

PAGES = 40
ANSWER_S = 90.0


@dataclass
class Stack:
    """A running `tandem up`, the Slack it talks to, and the folder it answers from."""

    slack: SlackDouble
    home: Path
    docs: Path
    environment: dict[str, str]

    def find(self, part: str) -> psutil.Process:
        """The process of this home that runs the part; the postmaster for `postgres`."""
        if part == "postgres":
            return psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if command[-3:] == ["-m", "tandem", part] and self._owns(process):
                return process
        raise LookupError(part)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return bool(process.environ().get("TANDEM_HOME") == str(self.home))
        except psutil.Error:
            return False

    async def kill(self, part: str) -> None:
        process = await asyncio.to_thread(self.find, part)
        process.send_signal(signal.SIGKILL)

    def ask(self, text: str, thread: Message | None = None) -> Message:
        mention = "" if thread else f"<@{BOT_USER}> "
        return self.slack.say(f"{mention}{text}", user="UADMIN", thread=thread["ts"] if thread else None)

    async def answered(self, root: Message, count: int = 1) -> list[str]:
        """What is visible in the thread once `count` finished answers are there, and a moment after."""

        def finished() -> bool:
            return sum(bool(feedback_values(reply)) for reply in self.slack.replies(root)) >= count

        await self.slack.wait(finished, within_s=ANSWER_S)
        await asyncio.sleep(1.0)
        return [visible_text(reply) for reply in self.slack.replies(root)]

    async def tandem(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tandem", *arguments]
        process = await asyncio.create_subprocess_exec(*command, env=self.environment, stdout=subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        return output.decode()


@pytest.fixture
def home() -> Iterator[Path]:
    with open_home() as folder:
        yield folder


@pytest.fixture
async def stack(tmp_path: Path, home: Path) -> AsyncIterator[Stack]:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(PAGES):
        (docs / f"room{number}.md").write_text(
            f"# Room {number}\n\nThe key of room {number} hangs on hook {number + 500}.\n"
        )
    async with SlackDouble.open() as slack:
        environment = os.environ | {
            "TANDEM_HOME": str(home),
            "TANDEM_MODEL_PORT": "0",
            "TANDEM_LEASE_S": "2",
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
        }
        stack = Stack(slack, home, docs, environment)
        log = (tmp_path / "log").open("wb")
        up = subprocess.Popen([sys.executable, "-m", "tandem", "up"], env=environment, stdout=log, stderr=log)
        try:
            await slack.wait(lambda: slack.deliverer.sockets, within_s=60)
            await stack.tandem("source", "add", str(docs), "--name", "rooms")
            yield stack
        finally:
            up.terminate()
            status = await asyncio.to_thread(up.wait, 60)
            log.close()
        assert status == 0
        assert "hangs on hook" not in (tmp_path / "log").read_text()
        assert not (home / "postgres" / "postmaster.pid").exists()


async def test_whatever_is_killed_each_question_gets_one_answer_and_each_page_is_indexed_once(stack: Stack) -> None:
    await _kill_the_worker_while_it_indexes(stack)
    for part in ("model", "slack", "postgres", "worker"):
        await _kill_while_it_answers(stack, part)
    await stack.slack.wait(lambda: stack.slack.deliverer.sockets, within_s=60)
    root = stack.ask("On which hook does the key of room 7 hang?")
    await stack.answered(root)
    stack.ask("And the key of room 8?", thread=root)
    assert len(await stack.answered(root, 2)) == 2


async def _kill_the_worker_while_it_indexes(stack: Stack) -> None:
    delivery = await stack.slack.command("/reindex", "rooms", user="UADMIN")
    assert delivery.acknowledged
    await asyncio.sleep(1.0)
    await stack.kill("worker")
    await stack.slack.wait(lambda: any("added" in visible_text(m) for m in stack.slack.roots()), within_s=ANSWER_S)
    assert len(stack.slack.roots()) == 1
    with psycopg.connect(ensure_server(Settings(home=stack.home, database_url=None, _env_file=None))) as connection:
        pages = connection.execute(
            "SELECT path, count(chunks.id) FROM documents LEFT JOIN chunks ON document_id = documents.id GROUP BY path"
        ).fetchall()
    assert len(pages) == PAGES
    assert {count for _, count in pages} == {1}


async def _kill_while_it_answers(stack: Stack, part: str) -> None:
    """Kills the part as soon as the reply is visible, and so before it is finished."""
    await stack.slack.wait(lambda: stack.slack.deliverer.sockets, within_s=60)
    root = stack.ask("On which hook does the key of room 31 hang?")
    await stack.slack.wait(lambda: stack.slack.replies(root), within_s=ANSWER_S)
    await stack.kill(part)
    if part == "slack":
        await stack.slack.wait(lambda: not stack.slack.deliverer.sockets)
    [reply] = await stack.answered(root)
    assert "531" in reply, part
    assert json.loads(await stack.tandem("search", "key of room 31", "-k", "1", "--json"))[0]["title"] == "Room 31"
