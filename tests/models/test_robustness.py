"""Peers that stall, lie, break off or just sit there: they are cut off in the end, and the others notice nothing."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from tandem.models import connection
from tandem.models.api import make_app
from tandem.models.connection import Connection
from tandem.models.serving import Serving
from tandem.settings import Settings
from tests.models.conftest import wait_until

CHAT = "/v1/chat/completions"
HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 8}
SILENT = 1000


@contextmanager
def raw(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as opened:
        yield opened


def post(body: bytes, *, length: int | None = None, path: str = CHAT) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body) if length is None else length}\r\n\r\n".encode() + body


async def say_hello(url: str) -> str:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        answer = await http.post(CHAT, json=HELLO)
    assert answer.status_code == 200
    return str(answer.json()["choices"][0]["message"]["content"])


async def test_a_thousand_silent_connections_are_not_noticed(model_url: str) -> None:
    before = await say_hello(model_url)
    parts = urlsplit(model_url)
    silent = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(SILENT)]
    try:
        assert await asyncio.gather(*(say_hello(model_url) for _ in range(3))) == [before] * 3
    finally:
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xfe\x00\x01" * 50 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/models/%ff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        post(b"{}", length=-1),
        post(b'{"messages": "\xff\xfe"}'),
        post(b'{"messages":' + b"[" * 50_000),
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".encode(),
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
def test_nonsense_is_refused_or_cut_off(model_url: str, sent: bytes) -> None:
    with raw(model_url) as peer:
        try:
            peer.sendall(sent)
            answer = peer.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert httpx.get(f"{model_url}/healthz").status_code == 200


async def test_a_body_that_stops_half_way_costs_nobody_anything(model_url: str) -> None:
    body = json.dumps(HELLO).encode()
    with raw(model_url) as one, raw(model_url) as two:
        one.sendall(post(body[:20], length=len(body)))
        two.sendall(post(body, length=len(body) + 100))
        assert await say_hello(model_url)
    async with httpx.AsyncClient(base_url=model_url) as http:
        health = (await http.get("/healthz")).json()
    assert (health["running"], health["queue"]["waiting"]) == (0, 0)


@pytest.fixture
def hasty_server(weights_home: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Serving]]:
    """The same server, which waits a second where the real one waits a minute."""
    monkeypatch.setattr(connection, "REQUEST_S", 1.0)
    monkeypatch.setattr(connection, "READING_S", 1.0)
    settings = Settings(home=weights_home, model_context=4096, model_sequences=2, model_queue=4, _env_file=None)
    serving = Serving(settings)
    config = uvicorn.Config(make_app(serving), log_config=None, timeout_graceful_shutdown=1, http=Connection)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # soon full
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", serving
        server.should_exit = True
        thread.join()


@asynccontextmanager
async def steady_reader(url: str) -> AsyncIterator["asyncio.Task[str]"]:
    """Somebody who reads an answer all the while, as everybody should go on to do."""
    reading = asyncio.create_task(say_hello(url))
    yield reading
    assert await reading


async def test_one_who_sends_a_byte_now_and_then_is_cut_off(hasty_server: tuple[str, Serving]) -> None:
    url, _ = hasty_server
    for sent in (b"GET /healthz HT", post(b'{"mess', length=1000)):
        async with steady_reader(url):
            with raw(url) as slow:
                slow.sendall(sent)
                with pytest.raises((ConnectionResetError, BrokenPipeError)):
                    await drip(slow)


async def drip(slow: socket.socket) -> None:
    for _ in range(40):
        await asyncio.sleep(0.1)
        slow.sendall(b"x")


def test_one_who_says_nothing_is_cut_off(hasty_server: tuple[str, Serving]) -> None:
    with raw(hasty_server[0]) as silent, suppress(ConnectionResetError):
        assert silent.recv(1) == b""


def test_a_connection_serves_many_requests_also_after_some_time(hasty_server: tuple[str, Serving]) -> None:
    with httpx.Client(base_url=hasty_server[0]) as http:
        for pause in (0.5, 0.7, 0.9):
            assert http.get("/healthz").status_code == 200
            time.sleep(pause)
        assert http.get("/healthz").status_code == 200


async def test_one_who_never_reads_loses_place_and_connection(hasty_server: tuple[str, Serving]) -> None:
    """While another answer is read to its end."""
    url, serving = hasty_server
    body = HELLO | {
        "messages": [{"role": "user", "content": "Tell a story."}],
        "max_tokens": 3000,
        "stream": True,
        "logprobs": True,
        "top_logprobs": 20,
        "logit_bias": {"0": -100, "2": -100, "4": -100},
    }
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", urlsplit(url).port))
        deaf.sendall(post(json.dumps(body).encode()))
        await asyncio.to_thread(wait_until, lambda: serving.engine.status().running == 1)
        assert await say_hello(url)
        await asyncio.to_thread(wait_until, lambda: serving.engine.status().running == 0)
        async with httpx.AsyncClient(base_url=url) as http:
            text = (await http.get("/metrics")).text
    assert 'tandem_requests_total{outcome="gone",route="chat"} 1.0' in text
