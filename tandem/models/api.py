"""The HTTP face of the model server, as OpenAI's: chat completions, embeddings, models; and its health."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tandem.errors import ModelUnavailable, TandemError
from tandem.models import failures
from tandem.models.bodies import ChatRequest, EmbeddingRequest
from tandem.models.replies import ChatReply, embedding_reply
from tandem.models.sampling import Sampling
from tandem.models.serving import Serving, Ticket

LARGEST_BODY = 8 << 20
Result = TypeVar("Result")


def make_app(serving: Serving) -> Starlette:
    """The application; it starts the engine's threads with itself and ends them with itself."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        serving.start()
        yield
        await asyncio.to_thread(serving.close)

    api = Api(serving)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.chat, methods=["POST"]),
            Route("/v1/embeddings", api.embed, methods=["POST"]),
            Route("/v1/models", api.models),
            Route("/v1/models/{id:path}", api.model),
            Route("/healthz", api.health),
        ],
        exception_handlers={
            ValidationError: failures.describe_bad_body,
            failures.UnknownModel: failures.describe_unknown_model,
            failures.BodyTooLarge: failures.describe_large_body,
            TandemError: failures.describe_tandem_error,
            HTTPException: failures.describe_http_error,
            Exception: failures.describe_fault,
        },
        lifespan=lifespan,
    )


class Api:
    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def chat(self, request: Request) -> Response:
        body = ChatRequest.model_validate_json(await _read_body(request))
        name = self._check_model(body.model, self._serving.weights.name)
        sampling = Sampling(
            1.0 if body.temperature is None else body.temperature,
            1.0 if body.top_p is None else body.top_p,
            body.seed,
            bool(body.logprobs),
            body.top_logprobs or 0,
        )
        ticket = await self._serving.ask(
            [("system" if m.role == "developer" else m.role, m.text) for m in body.messages],
            max_tokens=body.max_completion_tokens or body.max_tokens,
            sampling=sampling,
            stops=body.stops,
        )
        reply = ChatReply(name, self._serving.model, ticket.prompt_tokens, sampling.logprobs)
        if body.stream:
            with_usage = body.stream_options is not None and body.stream_options.include_usage
            return _ChatStream(self._serving, ticket, _events(reply, ticket, with_usage=with_usage))
        try:
            deltas = await _while_connected(request, _collect(ticket))
        finally:
            self._serving.engine.cancel(ticket.sequence)
        return JSONResponse(reply.whole(deltas))

    async def embed(self, request: Request) -> Response:
        body = EmbeddingRequest.model_validate_json(await _read_body(request))
        name = self._check_model(body.model, self._serving.embedder.name)
        bulk = request.headers.get("x-priority") == "bulk"
        embeddings = await _while_connected(request, self._serving.embedder.embed(body.texts, bulk=bulk))
        reply = embedding_reply(name, embeddings, as_base64=body.encoding_format == "base64")
        return JSONResponse(reply)

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": self._models()})

    async def model(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        for model in self._models():
            if model["id"] == wanted:
                return JSONResponse(model)
        raise self._unknown(wanted)

    async def health(self, _: Request) -> Response:
        serving, engine = self._serving, self._serving.engine
        status = engine.status()
        return JSONResponse(
            {
                "status": "ok",
                "model": serving.weights.name,
                "file": serving.weights.file.name,
                "digest": f"sha256:{serving.digest}",
                "source": serving.weights.source.name,
                "source_digest": f"sha256:{serving.weights.source_digest}",
                "adapter": None,
                "embedding_model": serving.embedder.name,
                "embedding_precision": serving.embedder.precision,
                "context": engine.context_tokens,
                "sequences": serving.sequences,
                "threads": serving.threads,
                "running": status.running,
                "queue": {"waiting": status.waiting, "limit": serving.queue, "embedding": serving.embedder.waiting},
                "gpu": {
                    "supported": serving.gpu_supported,
                    "devices": serving.gpu_devices,
                    "layers_offloaded": serving.model.layers_offloaded,
                    "layers": serving.model.layers,
                },
            }
        )

    def _models(self) -> list[dict[str, Any]]:
        serving = self._serving
        created = int(serving.weights.source.stat().st_mtime)
        common = {"object": "model", "created": created, "owned_by": "tandem"}
        chat = {
            "id": serving.weights.name,
            "kind": "chat",
            "context_length": serving.engine.context_tokens,
            "file": serving.weights.file.name,
            "file_type": serving.weights.file_type,
            "digest": f"sha256:{serving.digest}",
            "adapter": None,
        }
        embedding = {"id": serving.embedder.name, "kind": "embedding", "dimensions": serving.embedder.width}
        return [common | chat, common | embedding]

    def _check_model(self, wanted: str | None, served: str) -> str:
        if wanted not in (None, served):
            raise self._unknown(str(wanted))
        return served

    def _unknown(self, wanted: str) -> failures.UnknownModel:
        known = ", ".join(model["id"] for model in self._models())
        return failures.UnknownModel(f"The model '{wanted}' is not served here.", remedy=f"Served are: {known}.")


class _ChatStream(StreamingResponse):
    """Frees the request's place however the stream ends, also when the client just goes away."""

    def __init__(self, serving: Serving, ticket: Ticket, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
        self._serving = serving
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._serving.engine.cancel(self._ticket.sequence)


async def _events(reply: ChatReply, ticket: Ticket, *, with_usage: bool) -> AsyncIterator[str]:
    yield _event(reply.first_chunk())
    async for delta in ticket.deltas:
        if delta.finish_reason == "error":
            yield _event({"error": {"message": delta.text, "type": "server_error", "param": None, "code": None}})
            return
        yield _event(reply.chunk(delta))
        if delta.finish_reason and with_usage:
            yield _event(reply.usage_chunk(delta))
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


async def _collect(ticket: Ticket) -> list[Any]:
    deltas = [delta async for delta in ticket.deltas]
    if deltas[-1].finish_reason == "error":
        raise ModelUnavailable(deltas[-1].text)
    return deltas


async def _read_body(request: Request) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST_BODY:
            raise failures.BodyTooLarge(remedy=f"Send at most {LARGEST_BODY >> 20} MiB.")
    return bytes(data)


async def _while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; it is cancelled when the client goes away. Raises ClientDisconnect then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
