"""How the Slack double reaches the app: Socket Mode envelopes over a websocket, or signed HTTP requests.

What is not acknowledged in time is delivered again, three times at most, as the Events API does; slash commands and
clicks are delivered once. Source: docs.slack.dev on Socket Mode, the Events API, and verifying requests.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.doubles.slack_workspace import APP_ID, TEAM

ACK_WITHIN_S = 3.0
RETRY_AFTER_S = (0.1, 0.5, 1.0)
"""Slack waits 0, 60 and 300 s; the order and the number are its own."""

Payload = dict[str, Any]
KINDS = {"events_api": "json", "slash_commands": "form", "interactive": "payload"}


@dataclass
class Delivery:
    """One event on its way: how often it was sent, and what the app said at the end."""

    kind: str
    payload: Payload
    attempts: int = 0
    acknowledged: bool = False
    response: Payload | None = None
    statuses: list[int] = field(default_factory=list)


class Deliverer:
    """Sends to `http_url` if it is set, else over the open sockets in turn."""

    def __init__(self, signing_secret: str) -> None:
        self.http_url: str | None = None
        self.signing_secret = signing_secret
        self.ack_within_s = ACK_WITHIN_S
        self.deaf = 0
        """As many of the next acknowledgements are lost on the way, after the app has sent them."""
        self.refuses = 0
        """As many of the next connections are refused, and their tickets are spent all the same."""
        self.sent: list[Delivery] = []
        self.sockets: list[web.WebSocketResponse] = []
        self._tickets: set[str] = set()
        self._waiting: dict[str, asyncio.Future[Payload | None]] = {}
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[Delivery]] = set()

    def issue_ticket(self) -> str:
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return ticket

    def send(self, kind: str, payload: Payload) -> "asyncio.Task[Delivery]":
        task = asyncio.create_task(self._deliver(Delivery(kind, payload)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def send_event(self, event: Payload) -> "asyncio.Task[Delivery]":
        return self.send(
            "events_api",
            {
                "token": "unused",
                "team_id": TEAM,
                "api_app_id": APP_ID,
                "type": "event_callback",
                "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}",
                "event_time": int(time.time()),
                "event": event,
            },
        )

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self.sockets):
            await socket.close()

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Tells every socket to reconnect, as Slack does every few hours."""
        for socket in list(self.sockets):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "double"}})

    async def _deliver(self, delivery: Delivery) -> Delivery:
        self.sent.append(delivery)
        pauses = RETRY_AFTER_S if delivery.kind == "events_api" else ()
        reason = None
        for pause in (0.0, *pauses):
            await asyncio.sleep(pause)
            reason = await self._attempt(delivery, reason)
            if reason is None:
                delivery.acknowledged = True
                break
        return delivery

    async def _attempt(self, delivery: Delivery, reason: str | None) -> str | None:
        """Sends once. Returns why it counts as undelivered, or None."""
        retry = (
            {"retry_attempt": delivery.attempts, "retry_reason": reason or ""} if delivery.kind == "events_api" else {}
        )
        delivery.attempts += 1
        if self.http_url:
            return await self._post(delivery, reason)
        open_sockets = [socket for socket in self.sockets if not socket.closed]
        if not open_sockets:
            return "no_connection"
        envelope_id = str(uuid.uuid4())
        answer: asyncio.Future[Payload | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = answer
        accepts = {"accepts_response_payload": delivery.kind != "events_api"}
        envelope = {"envelope_id": envelope_id, "type": delivery.kind, "payload": delivery.payload} | accepts | retry
        try:
            await open_sockets[next(self._turn) % len(open_sockets)].send_json(envelope)
            async with asyncio.timeout(self.ack_within_s):
                delivery.response = await answer
        except (TimeoutError, ConnectionError):
            return "timeout"
        finally:
            del self._waiting[envelope_id]
        return None

    async def _post(self, delivery: Delivery, reason: str | None) -> str | None:
        body, content_type = encode(delivery.kind, delivery.payload)
        headers = sign(self.signing_secret, body) | {"Content-Type": content_type}
        if delivery.kind == "events_api" and delivery.attempts > 1:
            headers |= {"X-Slack-Retry-Num": str(delivery.attempts - 1), "X-Slack-Retry-Reason": reason or ""}
        timeout = aiohttp.ClientTimeout(total=self.ack_within_s)
        assert self.http_url is not None
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.http_url, data=body, headers=headers) as answer,
            ):
                text = await answer.text()
        except TimeoutError:
            return "http_timeout"
        except aiohttp.ClientError:
            return "connection_failed"
        delivery.statuses.append(answer.status)
        if answer.status != 200:
            return "http_error"
        if self._loses_answer():
            return "http_timeout"
        delivery.response = json.loads(text) if text.startswith("{") else ({"text": text} if text else None)
        return None

    def _loses_answer(self) -> bool:
        self.deaf -= 1
        return self.deaf >= 0

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """One Socket Mode connection; its ticket is good for one use."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=408)
        self._tickets.remove(ticket)
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self.sockets) + 1,
                "connection_info": {"app_id": APP_ID},
                "debug_info": {"host": "double", "approximate_connection_time": 18060},
            }
        )
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type == aiohttp.WSMsgType.TEXT:
                    answer = json.loads(message.data)
                    waiting = self._waiting.get(answer.get("envelope_id"))
                    if waiting is not None and not waiting.done() and not self._loses_answer():
                        waiting.set_result(answer.get("payload"))
        finally:
            self.sockets.remove(socket)
        return socket


def encode(kind: str, payload: Payload) -> tuple[str, str]:
    """The body and content type that Slack gives each kind of HTTP request."""
    match KINDS[kind]:
        case "json":
            return json.dumps(payload), "application/json"
        case "form":
            return urlencode(payload), "application/x-www-form-urlencoded"
        case _:
            return urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded"


def sign(secret: str, body: str, *, at: float | None = None) -> dict[str, str]:
    """The headers of a request that was sent `at` (Unix seconds, now by default)."""
    timestamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
