"""`tandem slack`: one process that answers in Slack. Any number of them may run on one database."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult

from bots.commands import Agent
from bots.conversation import Conversation
from bots.inbox import Inbox
from bots.reviews import tell_owners
from bots.slack.client import Identity, identify, make_client
from bots.slack.incoming import Incoming
from bots.slack.listeners import Desk, register_listeners
from bots.slack.owners import SlackOwners
from bots.slack.posts import Posts
from bots.slack.receiving import check_receiving, receive
from bots.slack.surface import SlackSurface
from bots.slack.threads import Threads
from graph.agent import Agent as GraphAgent
from tandem.cancelling import end_tasks
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

log = logging.getLogger(__name__)


async def run_slack(settings: Settings) -> None:
    """Answers until SIGTERM. Raises TokenError, which names the setting, before anything is answered."""
    check_receiving(settings)
    await identify(make_client(settings))
    async with (
        Database.open(settings) as database,
        ModelClient.open(settings) as model,
        GraphAgent.open(settings, database, model) as agent,
    ):
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        try:
            async with serve_slack(settings, database, agent, Inbox(database, settings)) as answering:
                answering.add_done_callback(lambda _: stopped.set())  # it ends by itself only if something is broken
                await stopped.wait()
                if answering.done():
                    answering.result()  # raises what broke it
        finally:
            loop.remove_signal_handler(signal.SIGTERM)


@asynccontextmanager
async def serve_slack(
    settings: Settings, database: Database, agent: Agent, inbox: Inbox
) -> AsyncIterator[asyncio.Task[None]]:
    """Receives and answers while the body runs, which is given the task that answers. Raises TokenError before that."""
    client = make_client(settings)
    identity = await identify(client)
    posts = Posts(client, identity.bot)
    incoming = Incoming(identity, settings)
    conversation = Conversation(SlackSurface(posts, identity), inbox, agent, database, settings)
    desk = Desk(settings, conversation, incoming, Threads(client, incoming, database), posts, database)
    async with receive(_make_app(settings, identity, desk), settings):
        answering = asyncio.create_task(conversation.run())
        telling = asyncio.create_task(tell_owners(SlackOwners(client, incoming), conversation.accept, database))
        try:
            yield answering
        finally:
            await end_tasks(telling, answering)


def _make_app(settings: Settings, identity: Identity, desk: Desk) -> AsyncApp:
    client = make_client(settings)
    token, client.token = client.token, None

    async def authorize() -> AuthorizeResult:
        """Known from the start: bolt's own auth.test would acknowledge, and so lose, an event when it fails."""
        return AuthorizeResult(
            enterprise_id=None, team_id=identity.team, bot_user_id=identity.user, bot_id=identity.bot, bot_token=token
        )

    bolt_log = log.getChild("bolt")
    bolt_log.setLevel(logging.ERROR)  # below that it writes what people said
    app = AsyncApp(
        logger=bolt_log,
        client=client,
        authorize=authorize,
        signing_secret=settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else "",
        process_before_response=True,  # else events are acknowledged before their listener runs, and a crash loses them
    )
    register_listeners(app, desk)
    return app
