"""A Slack of its own on 127.0.0.1, over real sockets: Web API, Socket Mode, response URLs, and people who write in it.

It answers with Slack's limits and errors, echoes the bot's own messages as events, redelivers what is not acknowledged,
and fails on demand. The real slack-bolt talks to it once SLACK_API_URL points to `api_url`.
"""

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from tandem.settings import Settings
from tests.doubles.slack_api import WebApi
from tests.doubles.slack_blocks import SlackFault, check_content
from tests.doubles.slack_delivery import Deliverer, Delivery
from tests.doubles.slack_views import Form, Views
from tests.doubles.slack_workspace import APP_ID, BOT_USER, TEAM, Channel, Message, Workspace, visible_text

SCOPES = (
    "app_mentions:read,channels:history,chat:write,commands,groups:history,im:history,im:write,metadata.message:read,"
    "mpim:history,users:read"
)
RESPONSES = 5
RESPONSE_WITHIN_S = 30 * 60


@dataclass
class Fault:
    """What happens to a call: it is answered with `error` or `status`, or `reset` before or after it had its effect."""

    status: int = 200
    error: str | None = None
    reset: str | None = None
    retry_after_s: int = 1


@dataclass
class ResponseUrl:
    channel: str
    user: str
    until: float
    left: int = RESPONSES


@dataclass
class SlackDouble:
    url: str = ""
    bot_token: str = "xoxb-double"
    app_token: str = "xapp-double"
    signing_secret: str = "double-secret"
    workspace: Workspace = field(default_factory=Workspace)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    responses: list[Message] = field(default_factory=list)
    """What was posted to response URLs."""
    limits_messages: bool = False
    """Whether a second chat.postMessage to a channel within a second gets 429, as Slack does under load."""

    def __post_init__(self) -> None:
        self.deliverer = Deliverer(self.signing_secret)
        self.api = WebApi(self.workspace, self._announce)
        self.api.scopes = set(SCOPES.split(","))
        self.views = Views()
        self.api.methods["views.open"] = self.views.open
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._unavailable: set[str] = set()
        self._posted_at: dict[str, float] = {}
        self._response_urls: dict[str, ResponseUrl] = {}
        self.workspace.add_channel("C1")
        self.workspace.add_channel("G1", "group")
        self.workspace.add_channel("D1", "im")
        self.workspace.add_channel("COTHER", has_bot=False)
        for user, is_admin in (("U1", False), ("U2", False), ("UADMIN", True)):
            self.workspace.add_user(user, is_admin=is_admin)

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator["SlackDouble"]:
        double = cls()
        app = web.Application()
        app.router.add_route("*", "/api/{method}", double._serve_api)
        app.router.add_get("/link", double.deliverer.serve_socket)
        app.router.add_post("/response/{id}", double._serve_response)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield double
        finally:
            await double.deliverer.close()
            await runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def connect(self, settings: Settings) -> Settings:
        """The settings of a bot that has this Slack's tokens."""
        return settings.model_copy(
            update={
                "slack_api_url": self.api_url,
                "slack_bot_token": SecretStr(self.bot_token),
                "slack_app_token": SecretStr(self.app_token),
                "slack_signing_secret": SecretStr(self.signing_secret),
            }
        )

    # What goes wrong

    def fail(self, method: str, fault: Fault, *, times: int = 1) -> None:
        """The next calls of this method meet this fault, after those that were ordered before."""
        self._faults[method] += [fault] * times

    def withdraw(self, *methods: str) -> None:
        """These methods are unknown from now on."""
        self._unavailable |= set(methods)

    # What people do

    def say(
        self, text: str, *, channel: str = "C1", user: str = "U1", thread: str | None = None, **extra: Any
    ) -> Message:
        """A person writes; the app gets the message event, and beside it app_mention when mentioned in a channel."""
        place = self.workspace.channels[channel]
        content = {"user": user, "text": text, "team": TEAM, "client_msg_id": str(uuid.uuid4())} | extra
        message = self.workspace.add_message(place, content | ({"thread_ts": thread} if thread else {}))
        self._announce(place, message)
        if f"<@{BOT_USER}>" in text and place.kind != "im" and place.has_bot and "subtype" not in extra:
            self.deliverer.send_event(_shown(message) | {"type": "app_mention"})
        return message

    def change(self, message: Message, text: str) -> None:
        """A person edits what they wrote."""
        place = self.workspace.channels[message["channel"]]
        before, message["text"] = dict(message), text
        message["edited"] = {"user": message["user"], "ts": self.workspace.next_ts()}
        changed = {
            "type": "message",
            "subtype": "message_changed",
            "ts": self.workspace.next_ts(),
            "previous_message": before,
        }
        self._announce(place, changed | {"message": message})

    def remove(self, message: Message) -> None:
        """A person deletes what they wrote."""
        self.workspace.remove_message(self.workspace.channels[message["channel"]], message)

    async def command(self, command: str, text: str = "", *, channel: str = "C1", user: str = "U1") -> Delivery:
        """A person enters a slash command; returns once it was acknowledged or timed out."""
        return await self.deliverer.send(
            "slash_commands",
            {
                "token": "unused",
                "team_id": TEAM,
                "team_domain": "tandem",
                "channel_id": channel,
                "channel_name": "general",
                "user_id": user,
                "user_name": user.lower(),
                "command": command,
                "text": text,
                "api_app_id": APP_ID,
                "is_enterprise_install": "false",
                "response_url": self._issue_response_url(channel, user),
                "trigger_id": f"{uuid.uuid4().hex}.{TEAM}",
            },
        )

    async def click(self, message: Message, value: str, *, user: str = "U1") -> Delivery:
        """A person presses the button under the message that has this value."""
        block, element = next(
            (block, element)
            for block in message["blocks"]
            if block["type"] == "context_actions"
            for element in block["elements"]
            if value in (element["positive_button"]["value"], element["negative_button"]["value"])
        )
        pressed = "positive" if element["positive_button"]["value"] == value else "negative"
        action = {"type": "feedback_buttons", "text": element[f"{pressed}_button"]["text"], "value": value}
        return await self._act(message, user, block, action | {"action_id": element.get("action_id", "generated")})

    async def press(self, message: Message, label: str, *, user: str = "U1") -> Delivery:
        """A person presses the button under the message that begins with this label."""
        block, element = next(
            (block, element)
            for block in message["blocks"]
            if block["type"] == "actions"
            for element in block["elements"]
            if element["text"]["text"].startswith(label)
        )
        action = {key: element[key] for key in ("type", "action_id", "text", "value")}
        return await self._act(message, user, block, action)

    async def send(self, form: Form, text: str) -> Delivery:
        """The person who sees the form sends it with this text in its one input."""
        delivery = await self.deliverer.send("interactive", self.views.submission(form, text))
        self.views.settle(form, delivery)
        return delivery

    async def _act(self, message: Message, user: str, block: dict[str, Any], action: dict[str, Any]) -> Delivery:
        identified = {"block_id": block.get("block_id", "generated"), "action_ts": self.workspace.next_ts()}
        return await self.deliverer.send(
            "interactive",
            {
                "type": "block_actions",
                "team": {"id": TEAM, "domain": "tandem"},
                "user": {"id": user, "team_id": TEAM},
                "api_app_id": APP_ID,
                "token": "unused",
                "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]},
                "trigger_id": self.views.issue_trigger(user),
                "channel": {"id": message["channel"], "name": "general"},
                "message": _shown(message),
                "response_url": self._issue_response_url(message["channel"], user),
                "actions": [action | identified],
            },
        )

    # What can be seen

    def replies(self, root: Message | str, *, channel: str = "C1") -> list[Message]:
        """The bot's messages in the thread, oldest first."""
        thread = root if isinstance(root, str) else root["ts"]
        place = self.workspace.channels[channel if isinstance(root, str) else root["channel"]]
        return [
            m for m in place.messages if m.get("thread_ts") == thread and m["ts"] != thread and m["user"] == BOT_USER
        ]

    def roots(self, *, channel: str = "C1") -> list[Message]:
        """The bot's messages in the channel itself, oldest first."""
        messages = self.workspace.channels[channel].messages
        return [m for m in messages if m["user"] == BOT_USER and m.get("thread_ts") in (None, m["ts"])]

    async def wait(self, holds: Callable[[], Any], *, within_s: float = 20.0) -> Any:
        """The first true value of `holds`; AssertionError with all that is visible when there is none in time."""
        deadline = time.monotonic() + within_s
        while not (value := holds()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {within_s} s; visible: {self.transcript()}")
            await asyncio.sleep(0.02)
        return value

    def transcript(self) -> list[tuple[str, str, str]]:
        return [(c.id, m["user"], visible_text(m)) for c in self.workspace.channels.values() for m in c.messages]

    # The server

    def _announce(self, channel: Channel, message: Message) -> None:
        if channel.has_bot:
            extra = {"channel": channel.id, "channel_type": channel.kind, "event_ts": message["ts"]}
            self.deliverer.send_event(_shown(message) | extra)

    def _issue_response_url(self, channel: str, user: str) -> str:
        number = uuid.uuid4().hex
        self._response_urls[number] = ResponseUrl(channel, user, time.monotonic() + RESPONSE_WITHIN_S)
        return f"{self.url}/response/{number}"

    async def _serve_api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments = await _read_arguments(request)
        fault = self._faults[method].pop(0) if self._faults[method] else Fault()
        if fault.reset == "before":
            return _reset(request)
        if fault.status == 429 or self._is_too_fast(method, arguments):
            headers = {"Retry-After": str(fault.retry_after_s)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if fault.status != 200:
            return web.Response(status=fault.status, text="<html>Server Error</html>", content_type="text/html")
        answer = self._answer(request, method, arguments, fault.error)
        if fault.reset == "after":
            return _reset(request)
        return web.json_response(answer, headers={"x-oauth-scopes": ",".join(sorted(self.api.scopes))})

    def _answer(
        self, request: web.Request, method: str, arguments: dict[str, Any], error: str | None
    ) -> dict[str, Any]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ") or arguments.pop("token", "")
        self.calls.append((method, arguments))
        try:
            return self._call(token, method, arguments, error)
        except SlackFault as fault:
            answer = {"ok": False, "error": fault.code} | fault.fields
            return answer | ({"response_metadata": {"messages": fault.notes}} if fault.notes else {})

    def _call(self, token: str, method: str, arguments: dict[str, Any], error: str | None) -> dict[str, Any]:
        if error:
            raise SlackFault(error)
        if not token:
            raise SlackFault("not_authed")
        if token not in (self.bot_token, self.app_token):
            raise SlackFault("invalid_auth")
        if method in self._unavailable:
            raise SlackFault("unknown_method")
        if (method == "apps.connections.open") != (token == self.app_token):
            raise SlackFault("not_allowed_token_type")
        if method == "apps.connections.open":
            link = self.url.replace("http", "ws", 1)
            return {"ok": True, "url": f"{link}/link?ticket={self.deliverer.issue_ticket()}&app_id={APP_ID}"}
        return self.api.call(method, arguments)

    def _is_too_fast(self, method: str, arguments: dict[str, Any]) -> bool:
        if not self.limits_messages or method not in ("chat.postMessage", "chat.startStream"):
            return False
        channel, now = str(arguments.get("channel")), time.monotonic()
        too_fast = now - self._posted_at.get(channel, -1.0) < 1.0
        if not too_fast:
            self._posted_at[channel] = now
        return too_fast

    async def _serve_response(self, request: web.Request) -> web.Response:
        fault = self._faults["response_url"].pop(0) if self._faults["response_url"] else Fault()
        target = self._response_urls.get(request.match_info["id"])
        if target is None or target.left == 0 or time.monotonic() > target.until:
            return web.Response(status=404, text="used_url")
        if fault.status != 200:
            return web.Response(status=fault.status, text="error")
        content = json.loads(await request.text())
        try:
            check_content(content)
        except SlackFault as refused:
            return web.Response(status=500, text=refused.code)
        target.left -= 1
        shown = {"response_type": "ephemeral", "channel": target.channel, "to": target.user} | content
        self.workspace.note_pings(shown, links_names=False)
        self.responses.append(shown)
        return _reset(request) if fault.reset == "after" else web.Response(text="ok")


def _shown(message: Message) -> Message:
    """The message as an event carries it: metadata and the double's own notes are left out."""
    return {key: value for key, value in message.items() if key not in ("metadata", "stream_of", "streaming_state")}


async def _read_arguments(request: web.Request) -> dict[str, Any]:
    if request.method == "GET":
        return dict(request.query)
    if request.content_type == "application/json":
        arguments: dict[str, Any] = json.loads(await request.text() or "{}")
        return arguments
    form = dict(request.query) | {key: str(value) for key, value in (await request.post()).items()}
    return {key: json.loads(value) if value[:1] in "[{" and value else value for key, value in form.items()}


def _reset(request: web.Request) -> web.Response:
    """The connection breaks before any answer is sent."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
