"""The real bot on the Discord double: replicas of it in this process, and two people to ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
from pydantic import SecretStr

from bots.commands import Agent
from bots.discord.client import serve_discord
from bots.inbox import Inbox
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.doubles.discord import DiscordDouble, run_discord_double

LEASE_S = 1.0


class Stage:
    """A Discord with Ada, who may manage the guild, and Bob, who may not, and the bot's replicas."""

    def __init__(self, double: DiscordDouble, settings: Settings, database: Database) -> None:
        self.double = double
        self.settings = aim_at(double, settings)
        self.database = database
        self.ada = double.make_person("Ada", discord.Permissions(manage_guild=True))
        self.bob = double.make_person("Bob")
        self._running: list[asyncio.Task[None]] = []

    async def start(self, agent: Agent, inbox: Inbox | None = None) -> None:
        """One more replica, connected: what happens on the double from now on reaches it."""
        identified = self.double.gateway.identifies
        inbox = inbox or Inbox(self.database, self.settings)
        replica = asyncio.create_task(serve_discord(self.settings, self.database, agent, inbox))
        self._running.append(replica)
        await self.double.wait_until(lambda: replica.done() or self.double.gateway.identifies > identified)
        if replica.done():
            self._running.remove(replica)
            replica.result()

    async def start_in_vain(self, agent: Agent) -> None:
        """Raises what a replica fails with that Discord refuses, at the login or at the gateway."""
        await self.start(agent)
        await self.double.wait_until(lambda: any(replica.done() for replica in self._running))
        await self.stop()

    async def stop(self) -> None:
        """Cancels all replicas, and raises what one of them failed with before."""
        ended = [replica for replica in self._running if replica.done()]
        for replica in self._running:
            replica.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        for replica in ended:
            replica.result()

    async def settle(self, *, events: int, seconds: float = 20.0) -> None:
        """Waits until that many events are done, and a little longer, to see that nothing else happens."""
        query = b"SELECT count(*) AS stored, count(*) FILTER (WHERE state = 'done') AS done FROM inbox"
        async with asyncio.timeout(seconds):
            while await self.database.fetch_one(query) != {"stored": events, "done": events}:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        assert await self.database.fetch_one(query) == {"stored": events, "done": events}


def aim_at(double: DiscordDouble, settings: Settings) -> Settings:
    changes = {"discord_api_url": double.url, "discord_token": SecretStr(double.token), "lease_s": LEASE_S}
    return settings.model_copy(update=changes)


@asynccontextmanager
async def open_stage(settings: Settings, database: Database) -> AsyncIterator[Stage]:
    async with run_discord_double() as double:
        stage = Stage(double, settings, database)
        try:
            yield stage
        finally:
            await stage.stop()
