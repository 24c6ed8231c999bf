"""The model server as the rest of Tandem sees it: messages in, pieces of an answer out; texts in, vectors out.

Speaks OpenAI's protocol and needs nothing beyond it, so that any such server can stand in the local one's place.
"""

import asyncio
import base64
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from numpy.typing import NDArray

from tandem.errors import ModelBusy, ModelMisconfigured, ModelRejected, ModelUnavailable, TandemError
from tandem.models.endpoint import IN_SERVICE, PACKAGED_ADAPTER, PACKAGED_MODEL, read_address
from tandem.models.snapshot import Snapshot
from tandem.settings import Settings

PATIENCE_S = 10.0
"""How long a server that restarts is waited for."""
PAUSE_S = 0.1
SWAP_NOTICED_S = 1.0
"""How long after a swap the description may still tell of the adapter before; answers are the new one's at once."""
CONNECT_S = 5.0
KEPT_S = 4.0
"""How long a connection is kept for the next request: servers end theirs after five seconds."""
SILENCE_S = 300.0
"""Longest wait for the next byte; a request may queue behind long ones."""
EMBEDDED_AT_ONCE = 256
EMBEDDING_NAMES = ("embed", "minilm", "bge", "e5-", "gte")
"""What tells an embedding model's name, for servers that list models without their kind."""
_HERE = (None, "localhost", "127.0.0.1", "::1")
_OF_THE_REQUEST = frozenset({400, 413, 422})
"""What a server answers to one request and not to the next."""


@dataclass(frozen=True)
class ChatMessage:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class ChatDelta:
    """Counts and `asked` come with the last delta only. `logprobs`: natural log of the probability of each token in
    this delta, empty if the server gives none. `asked`: the prompt's last tokens with theirs, where wanted."""

    text: str
    logprobs: tuple[float, ...] = ()
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    asked: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class ModelDescription:
    """`id` is what requests name; `model` the weights, `adapter` what is in service on them. `context` in tokens."""

    id: str
    model: str
    adapter: str | None
    embedding_model: str
    context: int
    is_own: bool
    """Tandem's own server, which takes more than OpenAI's protocol."""

    @property
    def is_packaged(self) -> bool:
        """The weights that need no download, as they come: no adapter of the team's own is on them."""
        return self.model == PACKAGED_MODEL and self.adapter in (None, PACKAGED_ADAPTER)


class ModelClient:
    """Finds a restarted server again.

    Raises ModelUnavailable, ModelBusy (ask later), ModelRejected; of those ModelMisconfigured where no other request
    would fare better.
    """

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._http = http
        self._description: ModelDescription | None = None
        self._described_until = math.inf
        self._snapshot: tuple[str, Snapshot | None] | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["ModelClient"]:
        """Connects to nothing yet; the first request does."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S)
        elsewhere = urlsplit(settings.model_url or "").hostname not in _HERE  # and a proxy may stand before it
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=elsewhere) as http:
            yield cls(settings, http)

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        model: str | None = None,
        grammar: str | None = None,
        asked: int = 0,
    ) -> AsyncGenerator[ChatDelta, None]:
        """Streams the answer of what is in service, or of the named `model`, which may be an adapter.

        `grammar` is Lark, `asked` how many of the last message's last tokens are to come with their log-probabilities:
        both for Tandem's own server, no other is sent them. Closing the generator cancels the request; a broken stream
        raises ModelUnavailable.
        """
        body: dict[str, Any] = {
            "model": model or (await self.describe()).id,
            "messages": [asdict(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "logprobs": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if stop:
            body["stop"] = list(stop)
        if grammar is not None and (await self.describe()).is_own:
            body["response_format"] = {"type": "grammar", "syntax": "lark", "definition": grammar}
        if asked and (await self.describe()).is_own:
            body["last_prompt_logprobs"] = asked
        async with self._answer("POST", "/v1/chat/completions", body) as answer:
            async for delta in _deltas(_events(answer)):
                yield delta

    async def embed(self, texts: Sequence[str], *, bulk: bool = False) -> NDArray[np.float32]:
        """Vectors (n, d) with rows of length 1. `bulk` lets questions go first, where the server can do that."""
        if not texts:
            return np.empty((0, 0), np.float32)
        name = (await self.describe()).embedding_model
        parts = [
            await self._embed_some(name, texts[start : start + EMBEDDED_AT_ONCE], bulk=bulk)
            for start in range(0, len(texts), EMBEDDED_AT_ONCE)
        ]
        vectors = np.concatenate(parts)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)
        return unit

    async def describe(self) -> ModelDescription:
        """What the server serves; asked again after a restart, and each second where adapters are swapped."""
        if self._description is None or time.monotonic() > self._described_until:
            async with self._answer("GET", "/v1/models", None) as answer:
                listed = await _json(answer)
            self._description = _description(listed, self._settings)
            lasting = self._description.id != IN_SERVICE
            self._described_until = math.inf if lasting else time.monotonic() + SWAP_NOTICED_S
        return self._description

    async def read_snapshot(self) -> Snapshot | None:
        """Which documents the adapter in service has seen; None where it says nothing, or there is none."""
        described = await self.describe()
        if described.adapter is None:
            return None
        if self._snapshot is None or self._snapshot[0] != described.adapter:
            async with self._answer("GET", f"/v1/models/{described.adapter}", None) as answer:
                seen = (await _json(answer)).get("snapshot")
            self._snapshot = described.adapter, Snapshot.model_validate(seen) if seen else None
        return self._snapshot[1]

    async def _embed_some(self, name: str, texts: Sequence[str], *, bulk: bool) -> NDArray[np.float32]:
        body = {"model": name, "input": list(texts), "encoding_format": "base64"}
        headers = {"x-priority": "bulk"} if bulk else {}
        async with self._answer("POST", "/v1/embeddings", body, headers) as answer:
            data = (await _json(answer))["data"]
        rows = [_vector(item["embedding"]) for item in sorted(data, key=lambda item: int(item["index"]))]
        if len(rows) != len(texts):
            raise ModelUnavailable(f"The model server gave {len(rows)} vectors for {len(texts)} texts.")
        return np.stack(rows)

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        answer = await self._send(method, path, body, {**self._key, **(headers or {})})
        try:
            if answer.status == HTTPStatus.NOT_FOUND:
                self._description = None  # another model may be served by now
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise _explain(answer.status, answer.headers, await answer.read())
            yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ModelUnavailable(f"The model server's answer broke off ({type(error).__name__}).") from error
        finally:
            answer.close()

    @property
    def _key(self) -> dict[str, str]:
        """For the server at MODEL_URL; the local one asks for none."""
        key = self._settings.model_key if self._settings.model_url else None
        return {"authorization": f"Bearer {key.get_secret_value()}"} if key is not None else {}

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """Tries again while no server answers at all, reading its address anew each time, as it may have moved."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            url = read_address(self._settings)
            try:
                if url is not None:
                    return await self._http.request(
                        method, url + path, json=body, headers=headers, allow_redirects=False
                    )
                reason = "no server has left its address"
            except TimeoutError as error:
                raise ModelUnavailable(f"The model server at {url} is silent.") from error
            except aiohttp.ClientError as error:
                reason = f"nothing answers at {url}: {error or type(error).__name__}"
                self._description = None
            if time.monotonic() > deadline:
                raise ModelUnavailable(f"The model server cannot be reached: {reason}.")
            await asyncio.sleep(PAUSE_S)


def _explain(status: int, headers: Mapping[str, str], body: bytes) -> TandemError:
    """What an answer of 400 or more means to whoever asked."""
    message = _message(status, body)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = headers.get("retry-after", "1")
        return ModelBusy(message, retry_after_s=float(wait) if wait.replace(".", "", 1).isdigit() else 1.0)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ModelMisconfigured(message, remedy="Set MODEL_KEY to a key that the server at MODEL_URL takes.")
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return ModelMisconfigured(message, remedy="Choose a server that can, or unset MODEL_URL to use Tandem's own.")
    if status in _OF_THE_REQUEST:
        return ModelRejected(message)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ModelMisconfigured(message)
    return ModelUnavailable(f"The model server answers {status}: {message}")


def _message(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {status} and gives no reason"


async def _json(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    body = await answer.read()
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ModelUnavailable("The model server answers with something that is no JSON.") from error
    if not isinstance(value, dict):
        raise ModelUnavailable("The model server answers with something unknown.")
    return value


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Server-sent events, as OpenAI writes them: one JSON object a line."""
    async for line in answer.content:
        if not line.startswith(b"data:"):
            continue
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            raise ModelUnavailable(f"The model server failed: {event['error'].get('message', 'it gives no reason')}")
        yield event


async def _deltas(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[ChatDelta]:
    """Joins the last choice with the usage that follows it."""
    finish: str | None = None
    usage: dict[str, Any] = {}
    asked: list[dict[str, Any]] = []
    async for event in events:
        usage = event.get("usage") or usage
        for choice in event.get("choices", []):
            finish = choice.get("finish_reason") or finish
            asked = choice.get("prompt_logprobs") or asked
            text = choice.get("delta", {}).get("content") or ""
            entries = (choice.get("logprobs") or {}).get("content") or []
            if text or entries:
                yield ChatDelta(text, tuple(float(entry["logprob"]) for entry in entries))
    if finish is None:
        raise ModelUnavailable("The model server's answer broke off.")
    scored = tuple((entry["token"], float(entry["logprob"])) for entry in asked)
    yield ChatDelta("", (), finish, usage.get("prompt_tokens"), usage.get("completion_tokens"), scored)


def _vector(value: object) -> NDArray[np.float32]:
    """From base64, or from the numbers that servers send which know no base64."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value), "<f4").astype(np.float32)
    return np.asarray(value, np.float32)


def _description(listed: dict[str, Any], settings: Settings) -> ModelDescription:
    models = [model for model in listed.get("data", []) if "id" in model]
    embedders = [model for model in models if _embeds(model)]
    chats = [model for model in models if model not in embedders]
    if not chats:
        raise ModelUnavailable("The model server lists no chat model.")
    chosen = next((model for model in chats if model["id"] == settings.model), chats[0])
    return ModelDescription(
        chosen["id"],
        chosen.get("parent") or chosen["id"],
        chosen.get("adapter"),
        embedders[0]["id"] if embedders else chosen["id"],
        int(chosen.get("context_length") or chosen.get("max_model_len") or settings.model_context),
        chosen.get("owned_by") == "tandem",
    )


def _embeds(model: dict[str, Any]) -> bool:
    if "kind" in model:
        return bool(model["kind"] == "embedding")
    return any(part in str(model["id"]).lower() for part in EMBEDDING_NAMES)
