"""A chat server over real HTTP whose pace, counts and failures are known, since the tests set them."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WAIT_S, GAP_S = 0.1, 0.02
START_S = 10


@dataclass
class PacedServer:
    """`tokens` pieces after WAIT_S, GAP_S apart. `counts`: what it says in `usage`, nothing if None. `status`: what it
    answers instead, from the `failing_from`-th request on. `cut`: the stream just ends. `error`: it ends in one."""

    tokens: int = 5
    counts: int | None = 5
    status: int = 200
    failing_from: int = 0
    cut: bool = False
    error: bool = False
    models: Any = field(default_factory=lambda: [{"id": "all-MiniLM-L6-v2"}, {"id": "talker"}])
    asked: list[dict[str, Any]] = field(default_factory=list)
    busy: list[tuple[float, float]] = field(default_factory=list)
    """From when to when it had requests under way, one pair a request."""
    ports: set[int] = field(default_factory=set)
    """Of the connections that requests came by."""
    url: str = ""

    async def list_models(self, _: Request) -> Response:
        return JSONResponse({"data": self.models})

    async def chat(self, request: Request) -> Response:
        began = time.monotonic()
        self.asked.append(await request.json())
        assert request.client
        self.ports.add(request.client.port)
        if self.status != 200 and len(self.asked) > self.failing_from:
            return JSONResponse({"error": {"message": "too many"}}, self.status)
        return StreamingResponse(self._stream(began), media_type="text/event-stream")

    async def _stream(self, began: float) -> AsyncIterator[str]:
        yield _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        await asyncio.sleep(WAIT_S)
        for number in range(self.tokens):
            if number:
                await asyncio.sleep(GAP_S)
            yield _event({"choices": [{"index": 0, "delta": {"content": f"word{number} "}}]})
        if self.error:
            yield _event({"error": {"message": "out of memory"}})
        elif not self.cut:
            yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            if self.counts is not None:
                yield _event({"choices": [], "usage": {"completion_tokens": self.counts}})
            yield "data: [DONE]\n\n"
        self.busy.append((began, time.monotonic()))

    @property
    def most_at_once(self) -> int:
        return max(sum(begin <= moment < end for begin, end in self.busy) for moment, _ in self.busy)


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


@contextmanager
def serve(server: PacedServer) -> Iterator[PacedServer]:
    routes = [Route("/v1/models", server.list_models), Route("/v1/chat/completions", server.chat, methods=["POST"])]
    process = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_config=None))
    thread = threading.Thread(target=process.run)
    thread.start()
    deadline = time.monotonic() + START_S
    while not process.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.url = f"http://127.0.0.1:{process.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        process.should_exit = True
        thread.join()


Serve = Callable[..., PacedServer]


@pytest.fixture
def paced() -> Iterator[Serve]:
    """Starts a PacedServer with the given fields."""
    with ExitStack() as running:
        yield lambda **fields: running.enter_context(serve(PacedServer(**fields)))
