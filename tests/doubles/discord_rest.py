"""The REST half of the Discord double: API v10 over HTTP, on simcord's state, permissions and error codes.

Added to simcord: tokens, nonces, rate limits with their headers, expired interaction tokens, pages of history,
and faults that a test orders.
"""

import asyncio
import fnmatch
import json
import socket
import struct
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from simcord.backend import Backend
from simcord.backend.errors import BackendError, invalid_form_body
from simcord.http import routes as _routes  # noqa: F401  (registers every route)
from simcord.http.router import RouteNotImplemented, UnsupportedField, dispatch

PREFIX = "/api/v10"
NONCE_S = 300
NONCE_LENGTH = 25
LIMITED = {"POST": "messages", "PATCH": "messages"}
LIMIT, WINDOW_S = 5, 5.0

FaultKind = Literal["reset_before", "reset_after", "status", "rate_limit"]


@dataclass
class Fault:
    """What the next `times` requests that match meet with. `reset_after` resets the connection once all was stored."""

    kind: FaultKind
    method: str
    path: str
    times: int = 1
    status: int = 500
    retry_after_s: float = 0.2


@dataclass(frozen=True)
class Call:
    """One request as it arrived, at `at` seconds of the monotonic clock, and the status it got."""

    method: str
    path: str
    body: Any
    status: int
    at: float


class Rest:
    """Answers requests. `gaps` lists what simcord does not model; a test that leaves any has shown nothing."""

    def __init__(self, backend: Backend, token: str) -> None:
        self._backend = backend
        self._token = token
        self._nonces: dict[tuple[str, str], tuple[int, float]] = {}
        self._spent: dict[str, deque[float]] = defaultdict(deque)
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.gaps: list[str] = []
        self.gateway_url = ""
        self.flags = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(PREFIX)
        text = await request.text()
        sent = json.loads(text) if text else None
        fault = self._next_fault(request.method, path)
        if fault is not None and fault.kind == "reset_before":
            return _reset(request)
        headers = {"Via": "1.1 google"}
        if fault is not None and fault.kind == "status":
            status, answer = fault.status, {"code": 0, "message": f"{fault.status}: ordered by the test"}
        elif fault is not None and fault.kind == "rate_limit":
            status, answer = 429, _limited(fault.retry_after_s)
        elif not self._authorized(request, path):
            status, answer = 401, {"code": 0, "message": "401: Unauthorized"}
        elif (wait := self._spend(request.method, path, headers)) > 0:
            status, answer = 429, _limited(wait)
        else:
            status, answer = self._answer(request.method, path, sent, dict(request.query))
        self.calls.append(Call(request.method, path, sent, status, time.monotonic()))
        if fault is not None and fault.kind == "reset_after":
            return _reset(request)
        if status == 429:
            headers["Retry-After"] = str(answer["retry_after"])
        if answer is None:
            return web.Response(status=204, headers=headers)
        body = json.dumps(
            answer
        ).encode()  # discord.py knows JSON by a content type without a charset, as Discord sends it
        return web.Response(body=body, status=status, headers=headers, content_type="application/json")

    def _next_fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.method == method and fnmatch.fnmatch(path, fault.path):
                fault.times -= 1
                if fault.times == 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _authorized(self, request: web.Request, path: str) -> bool:
        if path.startswith(("/webhooks/", "/interactions/")):
            return True  # the token in the path is the credential
        return request.headers.get("Authorization") == f"Bot {self._token}"

    def _spend(self, method: str, path: str, headers: dict[str, str]) -> float:
        """Takes one of the five per five seconds that each channel has; returns seconds to wait where none is left."""
        parts = path.strip("/").split("/")
        if parts[0] != "channels" or LIMITED.get(method) not in parts[2:]:
            return 0.0
        now = time.monotonic()
        bucket = f"{method}-messages"
        spent = self._spent[f"{bucket}:{parts[1]}"]
        while spent and now - spent[0] > WINDOW_S:
            spent.popleft()
        left = WINDOW_S - (now - spent[0]) if spent else WINDOW_S
        if len(spent) < LIMIT:
            spent.append(now)
            wait = 0.0
        else:
            wait = left
        headers["X-RateLimit-Bucket"] = bucket
        headers["X-RateLimit-Limit"] = str(LIMIT)
        headers["X-RateLimit-Remaining"] = str(LIMIT - len(spent))
        headers["X-RateLimit-Reset"] = str(time.time() + left)
        headers["X-RateLimit-Reset-After"] = f"{left:.3f}"
        return wait

    def _answer(self, method: str, path: str, body: Any, query: dict[str, str]) -> tuple[int, Any]:
        try:
            self._refuse_expired_token(path)
            if (method, path) == ("GET", "/gateway/bot"):
                limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
                return 200, {"url": self.gateway_url, "shards": 1, "session_start_limit": limit}
            if method == "GET" and path in ("/applications/@me", "/oauth2/applications/@me"):
                return 200, self._dispatch(method, "/oauth2/applications/@me") | {"flags": self.flags}
            if method == "GET" and path.endswith("/messages"):
                return 200, self._page(path, query)
            if method == "POST" and path.endswith("/messages"):
                return 200, self._create(path, body)
            answer = self._dispatch(method, path, body, query)
        except (RouteNotImplemented, UnsupportedField) as gap:
            self.gaps.append(str(gap))
            return 501, gap.to_json()
        except BackendError as error:
            return error.status, error.to_json()
        return (204, None) if answer is None else (200, answer)

    def _dispatch(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        answer: dict[str, Any] = dispatch(self._backend, method, path, json=body, params=dict(query or {}))
        return answer

    def _refuse_expired_token(self, path: str) -> None:
        parts = path.strip("/").split("/")
        if parts[0] != "webhooks" or len(parts) < 3:
            return
        record = self._backend.interactions.get(self._backend.interaction_tokens.get(parts[2], 0))
        if record is not None and record.expires_at is not None and self._backend.now_iso() >= record.expires_at:
            raise BackendError(401, 50027, "Invalid Webhook Token")

    def _page(self, path: str, query: dict[str, str]) -> Any:
        """With `after`, the page nearest to it, as Discord has it; simcord would give the newest."""
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise invalid_form_body("limit: int value should be between 1 and 100")
        if "after" not in query:
            return self._dispatch("GET", path, None, query)
        everything: Any = self._dispatch("GET", path, None, query | {"limit": 10**6})
        return everything[-limit:]

    def _create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """With `enforce_nonce`, a nonce that was used here in the last minutes gives the message that it made."""
        nonce = body.get("nonce")
        if nonce is None:
            return self._dispatch("POST", path, body)
        if len(str(nonce)) > NONCE_LENGTH:
            raise invalid_form_body(f"nonce: Must be {NONCE_LENGTH} or fewer in length.")
        known, made_at = self._nonces.get((path, str(nonce)), (0, 0.0))
        now = self._backend.clock.now().timestamp()
        if body.get("enforce_nonce") and now - made_at < NONCE_S:
            message = self._dispatch("GET", f"{path}/{known}")
        else:
            message = self._dispatch("POST", path, body)
            self._nonces[path, str(nonce)] = int(message["id"]), now
        return message | {"nonce": nonce}


def _limited(retry_after_s: float) -> dict[str, Any]:
    return {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": False}


def _reset(request: web.Request) -> web.StreamResponse:
    """Ends the connection with a TCP reset and no answer."""
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    return web.Response()
