"""The process `tandem discord`: a discord.py client that takes in what is asked and runs the conversation layer."""

import asyncio
import logging
import signal
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.commands import Agent
from bots.conversation import Conversation
from bots.discord.catchup import find_missed
from bots.discord.commands import COMMANDS, register_commands
from bots.discord.corrections import CorrectionButton, take_correction
from bots.discord.feedback import FeedbackButton
from bots.discord.incoming import Incoming
from bots.discord.memory import Memory
from bots.discord.messages import NETWORK_TROUBLE, SILENT
from bots.discord.owners import DiscordOwners
from bots.discord.rulings import RulingButton
from bots.discord.surface import DiscordSurface
from bots.inbox import DATABASE_TROUBLE, Inbox
from bots.reviews import tell_owners
from graph.agent import Agent as GraphAgent
from tandem.cancelling import end_tasks
from tandem.db.pool import Database
from tandem.errors import TandemError, TokenError
from tandem.models.client import ModelClient
from tandem.settings import Settings

INTENTS = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)
RETRY_EVERY_S = 2.0
BAD_TOKEN = 4004

discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody needs to know that it cannot speak

log = logging.getLogger(__name__)


class DiscordUnavailable(TandemError):
    """Discord cannot be reached."""

    remedy = "Check the network and DISCORD_API_URL, and start the bot again."


class TandemClient(discord.Client):
    """What discord.py's callbacks find on `interaction.client`."""

    def __init__(self, settings: Settings, database: Database, agent: Agent, inbox: Inbox) -> None:
        super().__init__(intents=INTENTS, allowed_mentions=SILENT, max_messages=None)
        self.settings = settings
        self.database = database
        self.agent = agent
        self.memory = Memory(database)
        self.incoming = Incoming(self, self.memory, settings)
        self.surface = DiscordSurface(self)
        self.conversation = Conversation(self.surface, inbox, agent, database, settings)
        self.tree = app_commands.CommandTree(self)
        self._messages: asyncio.Queue[discord.Message] = asyncio.Queue()
        for command in COMMANDS:
            self.tree.add_command(command)

    async def setup_hook(self) -> None:
        _, gateway, _ = await self.http.get_bot_gateway()
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
        self.add_dynamic_items(FeedbackButton, CorrectionButton, RulingButton)
        if await register_commands(self, self.tree):
            log.info("slash commands registered")

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Without what discord.py still tries to tell when its event loop is gone already."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_message(self, message: discord.Message) -> None:
        self._messages.put_nowait(message)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Sent forms alone: discord.py itself knows whose commands and buttons are."""
        if interaction.type is discord.InteractionType.modal_submit:
            await take_correction(interaction)

    async def on_ready(self) -> None:
        """After every new start of the gateway's session; what was missed before a mere resume, Discord replays."""
        log.info("connected to %d guilds", len(self.guilds))
        try:
            async for message in find_missed(self, self.memory):
                self._messages.put_nowait(message)
        except DATABASE_TROUBLE as error:
            log.warning("what was missed could not be looked up (%s)", type(error).__name__)

    async def take_in(self) -> None:
        """Stores questions in the order in which they came; waits for a database that is away, and loses none."""
        while True:
            await self._store(await self._messages.get())

    async def _store(self, message: discord.Message) -> None:
        while True:
            try:
                if event := await self.incoming.read_message(message):
                    await self.conversation.accept(event)
            except (*DATABASE_TROUBLE, *NETWORK_TROUBLE) as error:
                log.warning("message %s is not stored yet (%s)", message.id, type(error).__name__)
                await asyncio.sleep(RETRY_EVERY_S)
            else:
                return

    async def stay_connected(self) -> None:
        """Raises TokenError when Discord refuses the token or the intents."""
        try:
            await self.connect()
        except discord.PrivilegedIntentsRequired as error:
            raise TokenError(
                "Discord does not let this bot read messages.",
                remedy="Turn on Message Content Intent: discord.com/developers/applications, your application, Bot.",
            ) from error
        except discord.ConnectionClosed as error:
            if error.code == BAD_TOKEN:
                raise _refused() from error
            raise DiscordUnavailable(f"Discord closed the connection with code {error.code}.") from error
        except AttributeError as error:
            if self.ws is not None:
                raise
            # discord.py stumbles over a first connection that fails
            raise DiscordUnavailable("Discord's gateway does not answer.") from error


async def log_in(client: discord.Client, settings: Settings) -> None:
    """Raises TokenError for a missing or wrong token, and DiscordUnavailable."""
    if settings.discord_token is None:
        raise TokenError("DISCORD_TOKEN is not set.", remedy="docs/discord.md tells how to get one.")
    # discord.py has one Discord for each process, and keeps its address here
    Route.BASE = settings.discord_api_url.rstrip("/")
    try:
        await client.login(settings.discord_token.get_secret_value())
    except discord.LoginFailure as error:
        raise _refused() from error
    except (discord.HTTPException, discord.GatewayNotFound, *NETWORK_TROUBLE) as error:
        raise DiscordUnavailable(f"{settings.discord_api_url} does not answer ({type(error).__name__}).") from error


async def serve_discord(settings: Settings, database: Database, agent: Agent, inbox: Inbox) -> None:
    """Serves until it is cancelled. Raises TokenError and DiscordUnavailable."""
    logging.getLogger("discord").setLevel(logging.WARNING)  # its finer lines hold tokens and what people write
    client = TandemClient(settings, database, agent, inbox)
    async with client:
        await log_in(client, settings)
        telling = tell_owners(DiscordOwners(client), client.conversation.accept, database)
        endless = (client.conversation.run(), client.take_in(), client.stay_connected(), telling)
        working = [asyncio.create_task(work) for work in endless]
        try:
            ended, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            await ended.pop()  # only an error can have ended it
        finally:
            await end_tasks(*working)  # one error is told already
            client.surface.close()


async def run_discord(settings: Settings) -> None:
    """The whole process, until SIGTERM or SIGINT. Raises TokenError, DiscordUnavailable and DatabaseUnavailable."""
    async with (
        Database.open(settings) as database,
        ModelClient.open(settings) as model,
        GraphAgent.open(settings, database, model) as agent,
    ):
        serving = asyncio.create_task(serve_discord(settings, database, agent, Inbox(database, settings)))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        try:
            await serving
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise  # not the signal's doing


def _refused() -> TokenError:
    return TokenError(
        "Discord refused DISCORD_TOKEN.",
        remedy="Reset it (discord.com/developers/applications, your application, Bot) and put the new one there.",
    )
