"""What was written while no replica was connected: Discord keeps the messages, but does not deliver them again."""

import logging
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import discord

from bots.discord.memory import Memory

OVERLAP = timedelta(minutes=10)  # events may have been stored out of order; what is seen twice is answered once
HORIZON = timedelta(hours=24)
PER_CHANNEL = 100
Place = discord.TextChannel | discord.VoiceChannel | discord.Thread

log = logging.getLogger(__name__)


async def find_missed(client: discord.Client, memory: Memory) -> AsyncIterator[discord.Message]:
    """The messages since shortly before the newest known event: of one day, and a hundred of each channel, at most.

    An empty inbox has missed nothing: the bot was not there before.
    """
    last_seen = await memory.last_seen()
    if last_seen is None:
        return
    since = max(discord.utils.snowflake_time(last_seen) - OVERLAP, discord.utils.utcnow() - HORIZON)
    after = discord.Object(discord.utils.time_snowflake(since))
    direct = [client.get_partial_messageable(channel_id) for channel_id in await memory.direct_channels()]
    for channel in [*_readable(client.guilds, after.id), *direct]:
        try:
            messages = [
                message async for message in channel.history(limit=PER_CHANNEL, after=after, oldest_first=False)
            ]
        except discord.HTTPException as error:
            log.warning("channel %s could not be looked at again (%s)", channel.id, error.code)
            continue
        for message in reversed(messages):
            yield message


def _readable(guilds: Iterable[discord.Guild], after: int) -> list[Place]:
    """The channels and threads that the bot may read and that something was written in since."""
    places: list[Place] = []
    for guild in guilds:
        places += [*guild.text_channels, *guild.voice_channels, *guild.threads]
    return [
        place
        for place in places
        if (place.last_message_id or 0) > after and place.permissions_for(place.guild.me).read_message_history
    ]
