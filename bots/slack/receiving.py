"""How Slack reaches the app: Socket Mode, or signed HTTP requests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bots.slack.client import LOST, token_error, unreachable
from tandem.errors import TokenError
from tandem.settings import Settings

PATH = "/slack/events"
PING_EVERY_S = 5.0
NEW_URL_AFTER_S = 20.0

log = logging.getLogger(__name__)


def check_receiving(settings: Settings) -> None:
    """Raises TokenError when what this way of receiving needs is not set."""
    if settings.slack_http_port is not None:
        if not _secret(settings):
            raise TokenError(
                "SLACK_SIGNING_SECRET is not set, and without it requests over HTTP cannot be trusted.",
                remedy="Copy the Signing Secret from your app's page on api.slack.com, under Basic Information.",
            )
    elif not app_token(settings).startswith("xapp-"):
        wrong = "does not begin with xapp-" if settings.slack_app_token else "is not set"
        raise TokenError(
            f"SLACK_APP_TOKEN {wrong}.",
            remedy="Make an App-Level Token with the scope connections:write on your app's page on api.slack.com, under"
            " Basic Information; or set TANDEM_SLACK_HTTP_PORT to receive requests over HTTP.",
        )


@asynccontextmanager
async def receive(app: AsyncApp, settings: Settings) -> AsyncIterator[None]:
    """Receives while the body runs. Raises TokenError when Slack refuses the app token."""
    if settings.slack_http_port is None:
        async with _receive_over_socket(app, settings):
            yield
    else:
        async with _receive_over_http(app, settings, settings.slack_http_port):
            yield


@asynccontextmanager
async def _receive_over_socket(app: AsyncApp, settings: Settings) -> AsyncIterator[None]:
    handler = AsyncSocketModeHandler(app, app_token(settings), ping_interval=PING_EVERY_S)
    watch = asyncio.create_task(_renew_url(handler.client))
    try:
        try:
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
        except SlackApiError as error:
            raise token_error("SLACK_APP_TOKEN", error) from error
        except LOST as error:
            raise unreachable(error) from error
        await handler.client.connect()  # type: ignore[no-untyped-call]
        log.info("connected to Slack over Socket Mode")
        yield
    finally:
        watch.cancel()
        await handler.client.close()  # type: ignore[no-untyped-call]


async def _renew_url(client: SocketModeClient) -> None:
    """A connection URL is good once and not for long, yet the SDK tries the same one until it succeeds."""
    while True:
        await asyncio.sleep(NEW_URL_AFTER_S)
        if not await client.is_connected():
            client.wss_uri = None


@asynccontextmanager
async def _receive_over_http(app: AsyncApp, settings: Settings, port: int) -> AsyncIterator[None]:
    served = app.server(port=port, path=PATH).web_app
    served.middlewares.append(_refuse_garbled_time)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port).start()  # noqa: S104  Slack comes through a proxy on another host
        log.info("receiving Slack's requests on port %d at %s", runner.addresses[0][1], PATH)
        yield
    finally:
        await runner.cleanup()


@web.middleware
async def _refuse_garbled_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """401, as for any other request that Slack did not sign; bolt's own check fails on a time that is no number."""
    if not request.headers.get("X-Slack-Request-Timestamp", "0").isdecimal():
        return web.json_response({"error": "invalid request"}, status=401)
    return await handler(request)


def app_token(settings: Settings) -> str:
    """The app-level token, empty if there is none."""
    return settings.slack_app_token.get_secret_value().strip() if settings.slack_app_token else ""


def _secret(settings: Settings) -> str:
    return settings.slack_signing_secret.get_secret_value().strip() if settings.slack_signing_secret else ""
