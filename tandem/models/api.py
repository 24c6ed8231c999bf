"""The HTTP face of the model server, as OpenAI's: chat completions, embeddings, models; and queue, health, metrics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tandem.errors import ModelRejected, ModelUnavailable, TandemError
from tandem.models import failures
from tandem.models.adapters import Card
from tandem.models.bodies import ChatRequest, EmbeddingRequest
from tandem.models.endpoint import IN_SERVICE
from tandem.models.metrics import Counted, Metrics
from tandem.models.replies import ChatReply, embedding_reply
from tandem.models.schema import SchemaRejected
from tandem.models.sequence import Delta, Sequence
from tandem.models.serving import Serving, Ticket

LARGEST_BODY = 8 << 20
SETTLE_S = 0.05
"""What a request on an idle server may take to leave the queue, and still not be said to wait."""
LOOK_S = 0.25
"""How often a request that waits looks at its place in the queue."""
LONGEST_NAME = 512
LONGEST_TOKEN = 128
"""Characters; what vocabularies have for runs of spaces."""
Result = TypeVar("Result")


def make_app(serving: Serving) -> Starlette:
    """The application; it starts the engine's threads with itself and ends them with itself."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        serving.start()
        yield
        await asyncio.to_thread(serving.close)

    metrics = Metrics(serving)
    api = Api(serving, metrics)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.chat, methods=["POST"]),
            Route("/v1/embeddings", api.embed, methods=["POST"]),
            Route("/v1/models", api.models),
            Route("/v1/models/{id:path}", api.model),
            Route("/v1/queue/{name:path}", api.place),
            Route("/healthz", api.health),
            Route("/metrics", api.metrics),
        ],
        middleware=[Middleware(Counted, metrics)],
        exception_handlers={
            ValidationError: failures.describe_bad_body,
            failures.UnknownModel: failures.describe_unknown_model,
            failures.BodyTooLarge: failures.describe_large_body,
            SchemaRejected: failures.describe_bad_schema,
            TandemError: failures.describe_tandem_error,
            HTTPException: failures.describe_http_error,
            ClientDisconnect: failures.describe_departure,
            Exception: failures.describe_fault,
        },
        lifespan=lifespan,
    )


class Api:
    def __init__(self, serving: Serving, metrics: Metrics) -> None:
        self._serving = serving
        self._metrics = metrics
        self._named: dict[str, Sequence] = {}
        """Requests under way that said how they may be asked for."""

    async def chat(self, request: Request) -> Response:
        body = ChatRequest.model_validate_json(await _read_body(request))
        await self._serving.adapters.refresh()
        base = self._serving.weights.name
        adapters = [one.card.name for one in self._serving.adapters.all if one.adapter]
        model = self._check_model(body.model, IN_SERVICE, base, *adapters)
        if model == IN_SERVICE:
            model = card.name if (card := self._serving.adapters.in_service) else base
        sampling = body.sampling(self._serving.model.vocabulary_size)
        self._check_length(sum(len(message.text) for message in body.messages))
        form = body.form
        ticket = await self._serving.ask(
            [("system" if m.role == "developer" else m.role, m.text) for m in body.messages],
            max_tokens=body.max_completion_tokens or body.max_tokens,
            sampling=sampling,
            stops=body.stops,
            constraint=None if form is None else await self._serving.constraints.compile(form),
            adapter=None if model == base else model,
            scored=body.last_prompt_logprobs or 0,
        )
        reply = ChatReply(model, self._serving.model, ticket.prompt_tokens, sampling.logprobs)
        deltas = self._metrics.watch(ticket.deltas, ticket.prompt_tokens)
        name = request.headers.get("x-client-request-id")
        if body.stream:
            with_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
            events = self._events(request, reply, ticket, deltas, with_usage=with_usage)
            return _ChatStream(events, self._holding(ticket, name))
        with self._holding(ticket, name):
            return _json(reply.whole(await _while_connected(request, _collect(deltas))))

    async def embed(self, request: Request) -> Response:
        body = EmbeddingRequest.model_validate_json(await _read_body(request))
        name = self._check_model(body.model, self._serving.embedder.name)
        bulk = request.headers.get("x-priority") == "bulk"
        embeddings = await _while_connected(request, self._serving.embedder.embed(body.texts, bulk=bulk))
        self._metrics.count_texts(len(body.texts))
        return _json(embedding_reply(name, embeddings, as_base64=body.encoding_format == "base64"))

    async def place(self, request: Request) -> Response:
        """Of a chat request under way, by the X-Client-Request-Id that it was sent with: 0 is being answered."""
        sequence = self._named.get(request.path_params["name"])
        if sequence is None:
            raise HTTPException(404, "No request with this X-Client-Request-Id is under way")
        engine = self._serving.engine
        return JSONResponse({"position": engine.position(sequence), "waiting": engine.status().waiting})

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.page(), media_type=CONTENT_TYPE_LATEST)

    async def models(self, _: Request) -> Response:
        await self._serving.adapters.refresh()
        return JSONResponse({"object": "list", "data": self._models()})

    async def model(self, request: Request) -> Response:
        await self._serving.adapters.refresh()
        wanted = request.path_params["id"]
        for model in self._models():
            if model["id"] == wanted:
                card = next((a.card for a in self._serving.adapters.all if a.card.name == model.get("adapter")), None)
                whole = card.snapshot.model_dump(mode="json") if card and card.snapshot else None
                return JSONResponse(model | {"snapshot": whole} if card else model)
        raise self._unknown(wanted)

    async def health(self, _: Request) -> Response:
        serving, engine = self._serving, self._serving.engine
        await serving.adapters.refresh()
        status = engine.status()
        return JSONResponse(
            {
                "status": "ok",
                "model": serving.weights.name,
                "file": serving.weights.file.name,
                "digest": f"sha256:{serving.digest}",
                "source": serving.weights.source.name,
                "source_digest": f"sha256:{serving.weights.source_digest}",
                "adapters": [
                    {"name": a.card.name, "digest": f"sha256:{a.card.digest}", "problem": a.problem}
                    for a in serving.adapters.all
                ],
                "in_service": serving.adapters.in_service.name if serving.adapters.in_service else None,
                "embedding_model": serving.embedder.name,
                "embedding_precision": serving.embedder.precision,
                "bulk_embedding_precision": serving.embedder.bulk_precision,
                "context": engine.context_tokens,
                "sequences": serving.sequences,
                "threads": serving.threads,
                "running": status.running,
                "prefix_cache_bytes": status.prefix_bytes,
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
        adapters = [chat | _describe_adapter(a.card, serving.weights.name) for a in serving.adapters.all if a.adapter]
        in_service = serving.adapters.in_service
        default = _describe_adapter(in_service, serving.weights.name) if in_service else {"parent": chat["id"]}
        default = chat | default | {"id": IN_SERVICE}
        embedding = {"id": serving.embedder.name, "kind": "embedding", "dimensions": serving.embedder.width}
        return [common | model for model in (default, chat, *adapters, embedding)]

    def _check_length(self, characters: int) -> None:
        """Megabytes that no context could hold would take ten seconds to be counted in tokens."""
        context = self._serving.engine.context_tokens
        if characters > context * LONGEST_TOKEN:
            raise ModelRejected(f"The prompt has {characters} characters; the context has {context} tokens.")

    def _check_model(self, wanted: str | None, *served: str) -> str:
        """The first is what is meant when nothing is said."""
        if wanted is None:
            return served[0]
        if wanted not in served:
            raise self._unknown(wanted)
        return wanted

    def _unknown(self, wanted: str) -> failures.UnknownModel:
        known = ", ".join(model["id"] for model in self._models())
        return failures.UnknownModel(f"The model '{wanted}' is not served here.", remedy=f"Served are: {known}.")

    async def _events(
        self, request: Request, reply: ChatReply, ticket: Ticket, deltas: AsyncIterator[Delta], *, with_usage: bool
    ) -> AsyncIterator[bytes]:
        """Comments, which clients skip, tell the place in the queue; then the answer as OpenAI's chunks."""
        coming = asyncio.ensure_future(anext(deltas))
        try:
            told, pause = 0, SETTLE_S
            while not (await asyncio.wait((coming,), timeout=pause))[0]:
                place = self._serving.engine.position(ticket.sequence)
                if not place:
                    break
                if place != told:
                    yield b": waiting %d\n\n" % place
                told, pause = place, LOOK_S
            yield _event(reply.first_chunk())
            delta = await coming
        finally:
            coming.cancel()
        while delta.finish_reason is None:
            yield _event(reply.chunk(delta))
            delta = await anext(deltas)
        if delta.finish_reason in ("error", "refused"):
            request.state.outcome = "failed" if delta.finish_reason == "error" else "refused"
            kind = "server_error" if delta.finish_reason == "error" else "invalid_request_error"
            yield _event(failures.error_body(delta.text, kind))
            return
        yield _event(reply.chunk(delta))
        if with_usage:
            yield _event(reply.usage_chunk(delta))
        yield b"data: [DONE]\n\n"

    @contextlib.contextmanager
    def _holding(self, ticket: Ticket, name: str | None) -> Iterator[None]:
        """Frees the request's place however it ends."""
        if name is not None and len(name) <= LONGEST_NAME:
            self._named[name] = ticket.sequence
        try:
            yield
        finally:
            self._serving.engine.cancel(ticket.sequence)
            if name is not None and self._named.get(name) is ticket.sequence:
                del self._named[name]


class _ChatStream(StreamingResponse):
    """Holds its request's place until it has been sent, or the client has gone away."""

    def __init__(self, events: AsyncIterator[bytes], holding: contextlib.AbstractContextManager[None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})
        self._holding = holding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._holding:
            await super().__call__(scope, receive, send)


def _describe_adapter(card: Card, base: str) -> dict[str, Any]:
    seen = card.snapshot and {"taken_at": card.snapshot.taken_at.isoformat(), "documents": len(card.snapshot.documents)}
    return {
        "id": card.name,
        "adapter": card.name,
        "parent": base,
        "digest": f"sha256:{card.digest}",
        "licence": card.licence,
        "snapshot": seen,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def _json(value: dict[str, Any]) -> Response:
    """orjson writes a batch of vectors in milliseconds, where `json` would hold up everybody's answers for a second."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


async def _collect(deltas: AsyncIterator[Delta]) -> list[Delta]:
    whole = [delta async for delta in deltas]
    if whole[-1].finish_reason == "error":
        raise ModelUnavailable(whole[-1].text)
    if whole[-1].finish_reason == "refused":
        raise ModelRejected(whole[-1].text)
    return whole


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
