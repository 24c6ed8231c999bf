"""Webhooks: a signed message from outside asks for a look at once, and is believed no further."""

import asyncio
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from index.connectors.forge import is_same_repository
from index.jobs import WEBHOOK, enqueue_look
from index.sources import Source, list_sources
from tandem.db.pool import Database
from tandem.errors import SettingsError, SourceError
from tandem.settings import Settings

GITHUB_SIGNATURE = "X-Hub-Signature-256"
SIGNATURE = "X-Tandem-Signature-256"
MAX_BODY = 5 * 2**20
MAX_AT_ONCE = 8
BODY_S = 10
GRACE_S = 3
log = logging.getLogger(__name__)


def make_receiver(database: Database, settings: Settings) -> Starlette:
    """Returns the application: `POST /github` and `POST /look`, each with the secret's HMAC of its body.

    Who does not know the secret is told nothing, whatever they ask about. A message that comes twice does no harm: it
    asks for a look, and a source has one open look. Raises SettingsError without a secret.
    """
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    if not secret.strip():
        raise SettingsError(
            "TANDEM_WEBHOOK_SECRET is not set.", remedy="Set it to a long random text, here and at the sender."
        )
    receiver = _Receiver(database, settings, secret.encode())
    return Starlette(
        routes=[
            Route("/github", receiver.take_github, methods=["POST"]),
            Route("/look", receiver.take_look, methods=["POST"]),
            Route("/healthz", _say_alive, methods=["GET"]),
        ]
    )


async def serve_webhooks(database: Database, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises SettingsError without a secret, or when the port is taken."""
    app = make_receiver(database, settings)
    try:
        listener = socket.create_server((settings.webhook_host, settings.webhook_port))
    except OSError as error:
        raise SettingsError(
            f"TANDEM_WEBHOOK_PORT: {settings.webhook_host}:{settings.webhook_port} cannot be had ({error.strerror})."
        ) from error
    log.info("webhooks are received at http://%s:%d", *listener.getsockname()[:2])
    config = uvicorn.Config(
        app, ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S, server_header=False
    )
    await uvicorn.Server(config).serve(sockets=[listener])


class _Receiver:
    def __init__(self, database: Database, settings: Settings, secret: bytes) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    async def take_github(self, request: Request) -> Response:
        """A push, as GitHub and Gitea send it; other events are taken and lead to nothing."""
        body = await self._read_signed(request, GITHUB_SIGNATURE)
        if isinstance(body, Response):
            return body
        if request.headers.get("X-GitHub-Event") != "push":
            return JSONResponse({"looks": []}, 202)
        repository, reference = body.get("repository"), body.get("ref")
        if not isinstance(repository, dict) or not isinstance(reference, str):
            return _refuse(400, "That is no push.")
        given = (repository.get(key) for key in ("clone_url", "ssh_url", "git_url", "html_url"))
        addresses = [address for address in given if isinstance(address, str)]
        branch, default = reference.removeprefix("refs/heads/"), repository.get("default_branch")
        return await self._ask(
            lambda source: (
                source.kind == "git"
                and any(is_same_repository(source.location, address) for address in addresses)
                and branch == source.options.get("branch", default)
            )
        )

    async def take_look(self, request: Request) -> Response:
        """`{"source": NAME}`, from whatever knows that something changed."""
        body = await self._read_signed(request, SIGNATURE)
        if isinstance(body, Response):
            return body
        name = body.get("source")
        if not isinstance(name, str):
            return _refuse(400, 'Send {"source": "NAME"}.')
        return await self._ask(lambda source: source.name == name)

    async def _read_signed(self, request: Request, header: str) -> dict[str, Any] | Response:
        """The message, once it is known who sent it."""
        given = request.headers.get(header, "").removeprefix("sha256=")
        if not given.isascii():
            return _refuse(401, "The signature is wrong.")
        async with self._slots:
            try:
                async with asyncio.timeout(BODY_S):
                    body = await _read_body(request)
            except (TimeoutError, ClientDisconnect):
                return _refuse(408, "The message did not come in time.")
        if body is None:
            return _refuse(413, f"A message has at most {MAX_BODY} bytes.")
        if not hmac.compare_digest(hmac.new(self._secret, body, hashlib.sha256).hexdigest(), given.lower()):
            return _refuse(401, "The signature is wrong.")
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return _refuse(400, "The message is no JSON; choose application/json at the sender.")
        return message if isinstance(message, dict) else _refuse(400, "The message is no JSON object.")

    async def _ask(self, is_meant: Callable[[Source], bool]) -> Response:
        meant = [source for source in await list_sources(self._database) if is_meant(source)]
        looks = []
        for source in meant:
            try:
                looks.append(await enqueue_look(self._database, self._settings, source, requested_by=WEBHOOK))
            except SourceError:
                log.info("source %d was removed while a webhook asked for it", source.id)
        log.info("looks that a webhook asked for: %d", len(looks))
        return JSONResponse({"looks": looks}, 202)


async def _read_body(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


async def _say_alive(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _refuse(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
