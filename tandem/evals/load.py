"""Load on a model server: people who each ask, read the stream to its end, and ask again; with every moment noted."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tandem.errors import ModelUnavailable
from tandem.models.client import EMBEDDING_NAMES

SILENCE_S = 600.0
"""Longest wait for the next byte: servers that answer one after the other keep the sixteenth waiting."""
CONNECT_S = 5.0

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Target:
    """`url` without a trailing `/v1`."""

    url: str
    model: str


@dataclass(frozen=True)
class Timing:
    """One request. `began` and `arrivals` (of each piece of text) are seconds of one clock.

    `tokens` is what the server says that it generated, or the number of pieces where it says nothing. A request that
    failed has a `failure` and counts no tokens.
    """

    began: float
    arrivals: tuple[float, ...]
    tokens: int
    failure: str | None = None


@dataclass(frozen=True)
class Load:
    """What `put_load` saw, and the seconds from the first question to the last answer's end."""

    timings: tuple[Timing, ...]
    seconds: float


def open_http() -> aiohttp.ClientSession:
    """For any number of requests at once. aiohttp reads streams in C: whoever measures on the server's own cores has to
    be light. Each request gets a connection of its own, as a server may close an idle one just as it is used again."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
    return aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0, force_close=True))


async def find_target(http: aiohttp.ClientSession, url: str) -> Target:
    """The first chat model that the server lists. Raises ModelUnavailable."""
    url = url.rstrip("/").removesuffix("/v1")
    try:
        async with http.get(f"{url}/v1/models") as answer:
            answer.raise_for_status()
            listed = await answer.json(content_type=None)
        models = [model for model in listed["data"] if _chats(model)]
        return Target(url, str(models[0]["id"]))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ModelUnavailable(
            f"No model server answers at {url}: {error or type(error).__name__}.",
            remedy="Start it, or correct --url; `curl URL/v1/models` shows whether it is there.",
        ) from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelUnavailable(
            f"{url} lists no chat model at /v1/models.", remedy="--url takes servers that speak OpenAI's protocol."
        ) from error


async def put_load(
    http: aiohttp.ClientSession,
    target: Target,
    prompts: Sequence[Messages],
    *,
    concurrency: int,
    answer_tokens: int,
    on_answer: Callable[[], None] = lambda: None,
) -> Load:
    """Asks each prompt once, `concurrency` at any time (fewer only at the end), at temperature 0."""
    waiting = iter(prompts)
    timings: list[Timing] = []

    async def ask_on() -> None:
        for prompt in waiting:
            timings.append(await ask(http, target, prompt, answer_tokens))
            on_answer()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as people:
        for _ in range(concurrency):
            people.create_task(ask_on())
    return Load(tuple(timings), time.perf_counter() - began)


async def ask(http: aiohttp.ClientSession, target: Target, prompt: Messages, answer_tokens: int) -> Timing:
    """One streamed answer; what goes wrong is in the timing's `failure`."""
    body = {
        "model": target.model,
        "messages": prompt,
        "max_tokens": answer_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    arrivals: list[float] = []
    tokens: int | None = None
    finished = False
    began = time.perf_counter()
    try:
        async with http.post(f"{target.url}/v1/chat/completions", json=body) as answer:
            if answer.status != 200:
                return Timing(began, (), 0, f"{answer.status}: {(await answer.text())[:300]}")
            async for line in answer.content:
                moment = time.perf_counter()
                if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
                    continue
                event = json.loads(line[5:])
                if "error" in event:
                    return Timing(began, tuple(arrivals), 0, str(event["error"])[:300])
                tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
                for choice in event.get("choices") or []:
                    finished = finished or bool(choice.get("finish_reason"))
                    if (choice.get("delta") or {}).get("content"):
                        arrivals.append(moment)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return Timing(began, tuple(arrivals), 0, f"{type(error).__name__}: {error}")
    if not finished:
        return Timing(began, tuple(arrivals), 0, "the stream ended before the answer did")
    return Timing(began, tuple(arrivals), len(arrivals) if tokens is None else tokens)


def _chats(model: dict[str, Any]) -> bool:
    if "kind" in model:
        return bool(model["kind"] == "chat")
    return not any(part in str(model["id"]).lower() for part in EMBEDDING_NAMES)
