"""Replicas of the real bot, in this process, on the Discord double."""

import asyncio

from pydantic import SecretStr

from bots.commands import Agent
from bots.discord.client import serve_discord
from bots.inbox import Inbox
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.doubles.discord import DiscordDouble


def aim_at(double: DiscordDouble, settings: Settings) -> Settings:
    return settings.model_copy(update={"discord_api_url": double.url, "discord_token": SecretStr(double.token)})


class Replicas:
    """Started and stopped by a test; what it forgets is stopped by `stop`."""

    def __init__(self, double: DiscordDouble, settings: Settings, database: Database) -> None:
        self.double = double
        self.settings = aim_at(double, settings)
        self._database = database
        self._running: list[asyncio.Task[None]] = []

    async def start(self, agent: Agent, inbox: Inbox | None = None) -> None:
        """One more replica, connected: what happens on the double from now on reaches it."""
        identified = self.double.gateway.identifies
        inbox = inbox or Inbox(self._database, self.settings)
        replica = asyncio.create_task(serve_discord(self.settings, self._database, agent, inbox))
        self._running.append(replica)
        await self.double.wait_until(lambda: replica.done() or self.double.gateway.identifies > identified)
        if replica.done():
            replica.result()

    async def stop(self) -> None:
        """Cancels all replicas, and raises what one of them failed with."""
        ended = [replica for replica in self._running if replica.done()]
        for replica in self._running:
            replica.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        for replica in ended:
            replica.result()
