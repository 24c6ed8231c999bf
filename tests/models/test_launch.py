"""One model server for a home, whoever asks first; it goes when nobody uses it, also when its users are killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tandem.errors import ModelUnavailable, WeightsError
from tandem.models import users
from tandem.models.endpoint import find_healthy, write_address
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings
from tests.models.conftest import wait_until

USER = """
import asyncio, sys
from pathlib import Path
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings

async def use():
    async with ensure_model_server(Settings(home=Path(sys.argv[1]), _env_file=None)) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(use())
"""


class User:
    """Another process that uses the home's server until it is told to stop."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def start_user(weights_home: Path) -> Iterator[type[User]]:
    made: list[User] = []

    class Recorded(User):
        def __init__(self, home: Path) -> None:
            super().__init__(home)
            made.append(self)

    yield Recorded
    for user in made:
        user.close()


@pytest.fixture
def settings_here(weights_home: Path) -> Settings:
    return Settings(home=weights_home, _env_file=None)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def test_two_that_start_at_once_share_one_server(start_user: type[User], weights_home: Path) -> None:
    first, second = start_user(weights_home), start_user(weights_home)
    url = first.url
    assert url == second.url
    first.leave()
    assert answers(url)
    second.leave()
    wait_until(lambda: not answers(url))
    assert not (weights_home / "run" / "model.url").exists()


def test_the_server_of_a_killed_user_ends(start_user: type[User], weights_home: Path) -> None:
    user = start_user(weights_home)
    url = user.url
    assert answers(url)
    user.kill()
    wait_until(lambda: not answers(url))


async def test_a_server_that_runs_is_taken(start_user: type[User], weights_home: Path, settings_here: Settings) -> None:
    user = start_user(weights_home)
    url = await asyncio.to_thread(lambda: user.url)
    async with ensure_model_server(settings_here) as found:
        assert found == url
    await asyncio.to_thread(user.leave)


async def test_a_stale_address_is_seen_through(settings_here: Settings) -> None:
    write_address(settings_here, "http://127.0.0.1:1")
    assert await find_healthy(settings_here) is None
    async with ensure_model_server(settings_here) as url:
        assert url != "http://127.0.0.1:1"
        assert await asyncio.to_thread(answers, url)
    assert not await asyncio.to_thread(answers, url)


async def test_a_given_address_starts_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model_url="http://127.0.0.1:1", _env_file=None)
    async with ensure_model_server(settings) as url:
        assert url == "http://127.0.0.1:1"
    assert not (tmp_path / "run").exists()


async def test_weights_that_are_missing_are_said_before_any_start(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        async with ensure_model_server(Settings(home=tmp_path, model="/no/file.gguf", _env_file=None)):
            pass


async def test_a_server_that_cannot_start_gives_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + os.urandom(64))
    with pytest.raises(ModelUnavailable, match=r"broken\.gguf"):
        async with ensure_model_server(Settings(home=tmp_path, model=str(path), _env_file=None)):
            pass
    assert not users.is_used(Settings(home=tmp_path, _env_file=None))
