"""What the model server counts and times, for Prometheus. No text and nobody's id; a registry for each app."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.models.failures import GONE
from tandem.models.sequence import Delta
from tandem.models.serving import Serving

ROUTES = {"/v1/chat/completions": "chat", "/v1/embeddings": "embeddings"}
FIRST_TOKEN_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120)
TOKEN_GAP_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    def __init__(self, serving: Serving) -> None:
        self._registry = registry = CollectorRegistry()
        outcomes = "Requests: answered, refused (4xx), busy (429), gone (the client left), failed (5xx)"
        self._requests = Counter("tandem_requests", outcomes, ["route", "outcome"], registry=registry)
        kinds = "Tokens: of prompts, of those reused from the cache, of answers"
        self._tokens = Counter("tandem_tokens", kinds, ["kind"], registry=registry)
        self._texts = Counter("tandem_embedded_texts", "Texts turned into vectors", registry=registry)
        first, gap = "From a question to the first piece of its answer", "Between two pieces of an answer"
        self._first = Histogram("tandem_first_token_seconds", first, buckets=FIRST_TOKEN_S, registry=registry)
        self._gap = Histogram("tandem_token_gap_seconds", gap, buckets=TOKEN_GAP_S, registry=registry)
        engine, embedder, weights = serving.engine, serving.embedder, serving.weights
        now: dict[str, tuple[str, Callable[[], float]]] = {
            "tandem_running": ("Questions being answered", lambda: engine.status().running),
            "tandem_waiting": ("Questions in the queue", lambda: engine.status().waiting),
            "tandem_queue_limit": ("Questions that may wait", lambda: serving.queue),
            "tandem_embedding_requests": ("Embedding requests waiting or under way", lambda: embedder.waiting),
        }
        for name, (text, value) in now.items():
            Gauge(name, text, registry=registry).set_function(value)
        model = Info("tandem_model", "What is served", registry=registry)
        model.info({"name": weights.name, "file": weights.file.name, "digest": serving.digest})

    def page(self) -> bytes:
        """In Prometheus's text format, version 0.0.4."""
        return generate_latest(self._registry)

    def count(self, route: str, outcome: str) -> None:
        self._requests.labels(route, outcome).inc()

    def count_texts(self, number: int) -> None:
        self._texts.inc(number)

    async def watch(self, deltas: AsyncIterator[Delta], prompt_tokens: int) -> AsyncIterator[Delta]:
        """Passes an answer on, and times it from now."""
        before = time.monotonic()
        histogram = self._first
        async for delta in deltas:
            now = time.monotonic()
            if delta.text:
                histogram.observe(now - before)
                before, histogram = now, self._gap
            if delta.finish_reason:
                self._tokens.labels("prompt").inc(prompt_tokens)
                self._tokens.labels("reused").inc(delta.reused_tokens)
                self._tokens.labels("answer").inc(delta.answer_tokens)
            yield delta


class Counted:
    """The application, whose requests are counted by how they ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = ROUTES.get(scope["path"]) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        status, finished = GONE, False

        async def note(message: Message) -> None:
            nonlocal status, finished
            if message["type"] == "http.response.start":
                status = message["status"]
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        outcome = "failed"
        try:
            await self._app(scope, receive, note)
            # what a stream came to shows only after its status was sent
            outcome = scope.get("state", {}).get("outcome") or (_outcome(status) if finished else "gone")
        except asyncio.CancelledError:
            outcome = "gone"
            raise
        finally:
            self._metrics.count(route, outcome)


def _outcome(status: int) -> str:
    if status < 400:
        return "answered"
    return {429: "busy", GONE: "gone"}.get(status, "refused" if status < 500 else "failed")
