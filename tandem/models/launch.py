"""A model server for whoever needs one: the one there is, else a child that lives as long as somebody uses it."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator

from tandem.errors import ModelUnavailable
from tandem.models import users
from tandem.models.endpoint import find_healthy
from tandem.models.weights import fetch_weights
from tandem.settings import Settings

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05
_left_to_others: "list[subprocess.Popen[str]]" = []  # so that Python does not warn of children that go on
SETTINGS_OF_THE_SERVER = {
    "home", "log_level", "model", "model_host", "model_context", "model_sequences", "model_queue", "model_threads",
    "model_cache_mb", "model_port",
}  # fmt: skip


@contextlib.asynccontextmanager
async def ensure_model_server(settings: Settings) -> AsyncIterator[str]:
    """Yields the URL of a healthy server. Never starts two for one home, however many processes call it at once.

    A child that this starts is stopped with the last user, also if that one is killed.
    Raises ModelUnavailable with the end of the child's log, or WeightsError.
    """
    if settings.model_url:
        yield settings.model_url
        return
    child: subprocess.Popen[str] | None = None
    try:
        async with _lock(users.use(settings)):
            async with _lock(users.start_alone(settings)):
                url = await find_healthy(settings)
                if url is None:
                    await asyncio.to_thread(fetch_weights, settings)  # here, where a person sees its progress
                    child = _start(settings)
                    url = await _wait_until_healthy(settings, child)
            yield url
    finally:
        if child is not None:
            await asyncio.to_thread(_stop_if_unused, settings, child)


@contextlib.asynccontextmanager
async def _lock(context: contextlib.AbstractContextManager[None]) -> AsyncIterator[None]:
    """Enters, which may block, in a thread."""
    await asyncio.to_thread(context.__enter__)
    try:
        yield
    finally:
        context.__exit__(None, None, None)


def _start(settings: Settings) -> "subprocess.Popen[str]":
    with (settings.run_dir / "model.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tandem.models.server", "--only-while-used"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C in a chat is the chat's
        )
    if child.stdin is None:
        raise AssertionError("stdin is a pipe")
    any_port = settings.model_copy(update={"model_port": 0})
    with child.stdin:
        child.stdin.write(any_port.model_dump_json(include=SETTINGS_OF_THE_SERVER))
    return child


async def _wait_until_healthy(settings: Settings, child: "subprocess.Popen[str]") -> str:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT_S):
            while child.poll() is None:
                if url := await find_healthy(settings):
                    return url
                await asyncio.sleep(POLL_S)
    child.kill()
    child.wait()
    log = (settings.run_dir / "model.log").read_text(errors="replace").strip().splitlines()
    raise ModelUnavailable(
        f"The model server did not start: {' '.join(log[-1:]) or 'it says nothing'}",
        remedy=f"Its log is {settings.run_dir / 'model.log'}.",
    )


def _stop_if_unused(settings: Settings, child: "subprocess.Popen[str]") -> None:
    """Waits for the child, which ends by itself within a second, unless another process uses it."""
    if users.is_used(settings):
        _left_to_others.append(child)
        return
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
