"""The gateway half of the Discord double: HELLO, IDENTIFY, READY, heartbeats, RESUME with replay, and its close codes.

Payloads are simcord's; which of them a bot receives, and with what content, follows its intents as on the real gateway.
Frames are JSON text: compression is discord.py's own affair.
"""

import asyncio
import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import discord
from aiohttp import WSMessage, WSMsgType, web
from simcord import intents as intent_rules
from simcord.backend import Backend, serializers

HEARTBEAT_MS = 41_250


class Op(IntEnum):
    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Close(IntEnum):
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    DISALLOWED_INTENTS = 4014


@dataclass
class Session:
    """One identified bot process; it outlives its connection until it is invalidated."""

    id: str
    intents: discord.Intents
    socket: web.WebSocketResponse | None = None
    transport: asyncio.BaseTransport | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    outbox: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)

    def dispatch(self, event: str, payload: Mapping[str, Any]) -> None:
        frame = {"op": Op.DISPATCH, "t": event, "s": len(self.log) + 1, "d": payload}
        self.log.append(frame)
        if self.socket is not None:
            self.outbox.put_nowait(frame)


class Gateway:
    """All gateway connections of one application. `identifies` and `resumes` count the successful ones."""

    def __init__(self, backend: Backend, token: str, approved: discord.Intents) -> None:
        self._backend = backend
        self._token = token
        self._approved = approved
        self._numbers = itertools.count(1)
        self.sessions: dict[str, Session] = {}
        self.url = ""
        self.identifies = self.resumes = self.heartbeats = 0
        backend.subscribers.append(self._feed)

    def redeliver(self, snowflake: int) -> None:
        """Sends every session the message or interaction again, as a replay does that overlaps what was received."""
        for session in self.sessions.values():
            for frame in list(session.log):
                if frame["t"] in ("MESSAGE_CREATE", "INTERACTION_CREATE") and frame["d"]["id"] == str(snowflake):
                    session.dispatch(frame["t"], frame["d"])
                    break

    def drop(self, *, resumable: bool = True) -> None:
        """Cuts every connection. What happens from now on is replayed to those that resume, unless not resumable."""
        dropped = list(self.sessions.values())
        if not resumable:
            self.sessions.clear()
        for session in dropped:
            if session.socket is not None and isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
            session.socket = None

    async def ask_to_reconnect(self) -> None:
        for session in self.sessions.values():
            if session.socket is not None:
                await session.socket.send_json({"op": Op.RECONNECT, "d": None})

    async def close(self) -> None:
        for session in self.sessions.values():
            if session.socket is not None:
                await session.socket.close(code=1001)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": Op.HELLO, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        session: Session | None = None
        writer: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                frame = _read(message)
                if frame["op"] == Op.HEARTBEAT:
                    self.heartbeats += 1
                    await socket.send_json({"op": Op.HEARTBEAT_ACK, "d": None})
                elif frame["op"] in (Op.IDENTIFY, Op.RESUME):
                    enter = self._identify if frame["op"] == Op.IDENTIFY else self._resume
                    session = await enter(socket, frame["d"])
                    if session is not None:
                        session.transport = request.transport
                        writer = asyncio.create_task(_write(session, socket))
                elif session is None:
                    await socket.close(code=Close.NOT_AUTHENTICATED)
        except ConnectionError:
            pass  # the bot's process was killed
        finally:
            if writer is not None:
                writer.cancel()
            if session is not None and session.socket is socket:
                session.socket = None
        return socket

    async def _identify(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> Session | None:
        if data["token"] != self._token:
            await socket.close(code=Close.AUTHENTICATION_FAILED, message=b"Authentication failed.")
            return None
        intents = discord.Intents._from_value(data["intents"])
        if intent_rules.missing_privileged_intents(intents, self._approved):
            await socket.close(code=Close.DISALLOWED_INTENTS, message=b"Disallowed intent(s).")
            return None
        session = Session(f"session-{next(self._numbers)}", intents, socket)
        self.sessions[session.id] = session
        self.identifies += 1
        guilds = list(self._backend.guilds.values())
        session.dispatch(
            "READY",
            {
                "v": 10,
                "user": serializers.user_payload(self._backend.bot_user),
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "session_id": session.id,
                "resume_gateway_url": self.url,
                "application": {"id": str(self._backend.application_id), "flags": 0},
            },
        )
        for guild in guilds:
            self._deliver(session, "GUILD_CREATE", serializers.guild_create_payload(self._backend, guild))
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> Session | None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self._token:
            await socket.send_json({"op": Op.INVALID_SESSION, "d": False})
            return None
        session.outbox = asyncio.Queue()
        session.socket = socket
        for missed in session.log[data["seq"] :]:
            session.outbox.put_nowait(missed)
        session.dispatch("RESUMED", {})
        self.resumes += 1
        return session

    def _feed(self, event: str, payload: Mapping[str, Any]) -> None:
        for session in list(self.sessions.values()):
            self._deliver(session, event, payload)

    def _deliver(self, session: Session, event: str, payload: Mapping[str, Any]) -> None:
        gate = intent_rules.required_intent(event, payload)
        if gate is not None and not getattr(session.intents, gate):
            return
        shaped = copy.deepcopy(dict(payload))
        bot = self._backend.bot_user.id
        if event == "GUILD_CREATE":
            intent_rules.prune_guild_create(shaped, session.intents, bot)
            for role in shaped["roles"]:
                if role["managed"]:  # simcord leaves out whose it is
                    role["tags"] = {"bot_id": str(bot)}
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE") and not session.intents.message_content:
            intent_rules.censor_message(shaped, bot, backend=self._backend)
        session.dispatch(event, shaped)


async def _write(session: Session, socket: web.WebSocketResponse) -> None:
    outbox = session.outbox
    while not socket.closed:
        frame = await outbox.get()
        try:
            await socket.send_json(frame)
        except ConnectionError:
            return  # stays in the log, to be replayed


def _read(message: WSMessage) -> dict[str, Any]:
    assert message.type is WSMsgType.TEXT, message.type
    frame: dict[str, Any] = message.json()
    return frame
