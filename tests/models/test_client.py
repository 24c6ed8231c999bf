"""Tandem's own client: streams, gives up its place, finds a killed server again, and bears other servers' ways."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.errors import ModelBusy, ModelRejected, ModelUnavailable, TandemError
from tandem.models import client as client_module
from tandem.models.client import ChatDelta, ChatMessage, ModelClient, _deltas, _description, _explain, _vector
from tandem.models.endpoint import write_address
from tandem.models.serving import Serving
from tandem.settings import Settings
from tests.models.conftest import wait_until

QUESTION = [ChatMessage("user", "Say hello.")]
Small = tuple[str, Serving]


@pytest.fixture
def at_server(tmp_path: Path, model_url: str) -> Settings:
    return Settings(home=tmp_path, model_url=model_url, _env_file=None)


@pytest.fixture
def at_small_server(tmp_path: Path, small_server: Small) -> Settings:
    return Settings(home=tmp_path, model_url=small_server[0], _env_file=None)


async def collect(deltas: AsyncIterator[ChatDelta]) -> list[ChatDelta]:
    return [delta async for delta in deltas]


async def test_an_answer_comes_in_pieces_with_logprobs_and_counts(at_server: Settings) -> None:
    async with ModelClient.open(at_server) as client:
        deltas = await collect(client.chat(QUESTION, max_tokens=12, model=(await client.describe()).model))
    assert len(deltas) > 3
    last = deltas[-1]
    assert last.finish_reason in ("stop", "length")
    assert last.prompt_tokens is not None
    logprobs = [logprob for delta in deltas for logprob in delta.logprobs]
    assert last.answer_tokens == len(logprobs)
    assert all(logprob <= 0 for logprob in logprobs)
    assert all(delta.prompt_tokens is None for delta in deltas[:-1])


async def test_closing_the_answer_frees_its_place(at_small_server: Settings, small_server: Small) -> None:
    async with ModelClient.open(at_small_server) as client:
        answer = client.chat(QUESTION, max_tokens=450)
        await anext(answer)
        await answer.aclose()
        await asyncio.to_thread(wait_until, lambda: small_server[1].engine.status().running == 0)


async def test_vectors_have_length_one_and_keep_their_order(at_server: Settings) -> None:
    async with ModelClient.open(at_server) as client:
        many = await client.embed([f"page {number % 7}" for number in range(300)], bulk=True)
        one = await client.embed(["page 3"])
        assert (await client.embed([])).shape[0] == 0
    assert many.shape == (300, 384)
    assert many.dtype == np.float32
    assert np.linalg.norm(many, axis=1) == pytest.approx(1, abs=1e-5)
    assert [float(many[number] @ one[0]) > 0.99 for number in range(7)] == [number == 3 for number in range(7)]


async def test_the_server_is_described(at_server: Settings) -> None:
    async with ModelClient.open(at_server) as client:
        description = await client.describe()
    assert (description.model, description.adapter) == ("SmolLM2-135M-Instruct", "reader")
    assert (description.embedding_model, description.context) == ("all-MiniLM-L6-v2", at_server.model_context)


async def test_a_refusal_carries_the_server_s_reason(at_small_server: Settings) -> None:
    async with ModelClient.open(at_small_server) as client:
        with pytest.raises(ModelRejected, match="the context has 512"):
            await collect(client.chat([ChatMessage("user", "word " * 600)], max_tokens=4))


async def test_a_full_queue_is_said_with_the_time_to_wait(at_small_server: Settings, small_server: Small) -> None:
    async with ModelClient.open(at_small_server) as client:
        hog = client.chat(QUESTION, max_tokens=450)
        await anext(hog)
        waiting = asyncio.create_task(collect(client.chat(QUESTION, max_tokens=2)))
        await asyncio.to_thread(wait_until, lambda: small_server[1].engine.status().waiting == 1)
        with pytest.raises(ModelBusy) as caught:
            await collect(client.chat(QUESTION, max_tokens=2))
        await hog.aclose()
        assert caught.value.retry_after_s >= 1
        assert (await waiting)[-1].finish_reason


async def test_no_server_is_said_after_some_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PATIENCE_S", 0.3)
    for url in (None, "http://127.0.0.1:1"):
        async with ModelClient.open(Settings(home=tmp_path, model_url=url, _env_file=None)) as client:
            with pytest.raises(ModelUnavailable, match=r"cannot be reached.*tandem model"):
                await client.embed(["x"])


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


async def test_a_killed_server_is_found_again_at_its_new_address(
    weights_home: Path, processes: list["subprocess.Popen[bytes]"]
) -> None:
    settings = Settings(home=weights_home, _env_file=None)
    environment = os.environ | {"TANDEM_HOME": str(weights_home), "TANDEM_MODEL_PORT": "0", "TANDEM_LOG_LEVEL": "ERROR"}

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-m", "tandem.models.server"], env=environment)
        processes.append(process)
        return process

    first = start()
    async with ModelClient.open(settings) as client:
        before = await client.embed(["leave"])
        address = (weights_home / "run" / "model.url").read_text()
        answer = client.chat(QUESTION, max_tokens=400)
        await anext(answer)
        first.send_signal(signal.SIGKILL)
        with pytest.raises(ModelUnavailable, match="broke off"):
            await collect(answer)
        first.wait()
        assert (weights_home / "run" / "model.url").read_text() == address
        start()
        after = await client.embed(["leave"])
        assert float(before[0] @ after[0]) > 0.999
        assert (await collect(client.chat(QUESTION, max_tokens=4)))[-1].finish_reason
    (weights_home / "run" / "model.url").unlink()


async def replay(events: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for event in events:
        yield event


def piece(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish, **more}]}


async def test_a_server_without_logprobs_or_usage_is_borne() -> None:
    deltas = await collect(_deltas(replay([piece("He"), piece("llo", logprobs=None), piece(None, "stop")])))
    assert [delta.text for delta in deltas] == ["He", "llo", ""]
    assert deltas[-1] == ChatDelta("", (), "stop", None, None)


async def test_usage_may_come_with_the_last_choice_or_after_it() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    for events in (
        [piece("x"), piece("", "stop") | {"usage": usage}],
        [piece("x", "stop"), {"choices": [], "usage": usage}],
    ):
        last = (await collect(_deltas(replay(events))))[-1]
        assert (last.finish_reason, last.prompt_tokens, last.answer_tokens) == ("stop", 3, 1)


async def test_a_stream_that_just_ends_is_no_answer() -> None:
    with pytest.raises(ModelUnavailable, match="broke off"):
        await collect(_deltas(replay([piece("half an ans")])))


def test_vectors_may_be_plain_numbers() -> None:
    assert _vector([1, 2.5]).tolist() == [1.0, 2.5]


def test_models_of_other_servers_are_told_apart_by_name(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, model="qwen-b", _env_file=None)
    listed = {"data": [{"id": "nomic-embed-text"}, {"id": "qwen-a"}, {"id": "qwen-b", "max_model_len": 9000}]}
    description = _description(listed, settings)
    assert (description.model, description.embedding_model, description.context) == ("qwen-b", "nomic-embed-text", 9000)
    with pytest.raises(ModelUnavailable, match="no chat model"):
        _description({"data": [{"id": "bge-small"}]}, settings)


@pytest.mark.parametrize(
    ("status", "body", "error"), [(502, b"Bad gateway", ModelUnavailable), (418, b"[1]", ModelRejected)]
)
def test_errors_that_are_not_openai_s_are_still_said(status: int, body: bytes, error: type[TandemError]) -> None:
    said = _explain(status, {}, body)
    assert isinstance(said, error)
    assert str(status) in str(said)


class Foreign:
    """A small OpenAI-compatible server that wants a key and has no embeddings, as llama-server has none by default."""

    KEY = "sk-very-secret"

    def __init__(self) -> None:
        self.keys: list[str | None] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            ]
        )

    def _refusal(self, request: Request) -> JSONResponse | None:
        self.keys.append(request.headers.get("authorization"))
        if self.keys[-1] == f"Bearer {self.KEY}":
            return None
        return JSONResponse({"error": {"message": "Invalid API Key", "code": 401}}, 401)

    async def models(self, request: Request) -> Response:
        listed = {"object": "list", "data": [{"id": "qwen3.gguf", "meta": {"n_ctx_train": 40960}}]}
        return self._refusal(request) or JSONResponse(listed)

    async def chat(self, request: Request) -> Response:
        events = [piece(None), piece("Hi"), piece(None, "stop")]
        body = ": ping\n\n" + "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        return self._refusal(request) or Response(body, media_type="text/event-stream")

    async def embeddings(self, request: Request) -> Response:
        reason = {"error": {"message": "This server does not support embeddings.", "code": 501}}
        return self._refusal(request) or JSONResponse(reason, 501)


@pytest.fixture
def foreign() -> Iterator[tuple[str, Foreign]]:
    served = Foreign()
    server = uvicorn.Server(uvicorn.Config(served.app(), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1", served
    server.should_exit = True
    thread.join()


async def test_a_foreign_server_gets_its_key_and_is_understood(
    tmp_path: Path, foreign: tuple[str, Foreign], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings = Settings(home=tmp_path, model_url=foreign[0], model_key=SecretStr(Foreign.KEY), _env_file=None)
    async with ModelClient.open(settings) as client:
        assert (await client.describe()).model == "qwen3.gguf"
        assert [delta.text for delta in await collect(client.chat(QUESTION, max_tokens=4))] == ["Hi", ""]
        with pytest.raises(ModelRejected, match=r"does not support embeddings.*unset MODEL_URL"):
            await client.embed(["x"])
    assert set(foreign[1].keys) == {f"Bearer {Foreign.KEY}"}
    assert Foreign.KEY not in caplog.text + repr(settings) + settings.model_dump_json()


async def test_a_wrong_key_is_said_with_the_remedy(tmp_path: Path, foreign: tuple[str, Foreign]) -> None:
    for key in (None, SecretStr("sk-wrong")):
        settings = Settings(home=tmp_path, model_url=foreign[0], model_key=key, _env_file=None)
        async with ModelClient.open(settings) as client:
            with pytest.raises(ModelRejected, match=r"Invalid API Key Set MODEL_KEY"):
                await client.embed(["x"])
    assert foreign[1].keys == [None, "Bearer sk-wrong"]


async def test_the_key_goes_to_no_server_of_the_home(tmp_path: Path, foreign: tuple[str, Foreign]) -> None:
    settings = Settings(home=tmp_path, model_key=SecretStr(Foreign.KEY), _env_file=None)
    write_address(settings, foreign[0].removesuffix("/v1"))
    async with ModelClient.open(settings) as client:
        with pytest.raises(ModelRejected):
            await client.describe()
    assert foreign[1].keys == [None]
