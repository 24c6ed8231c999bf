"""How Tandem names what is Discord's: events, conversations, people, and who may see what."""

from collections.abc import Iterable

import discord

from index.audience import Viewer
from tandem.settings import Settings

SURFACE = "discord"
DIRECT = "dm"


def name_of(snowflake: int | str) -> str:
    return f"{SURFACE}:{snowflake}"


def name_notice(notice_id: int | str) -> str:
    """What a review notice begins with, so that it can be found again."""
    return f"-# Review notice {notice_id}\n"


def application_of(client: discord.Client) -> int:
    """The id that commands and their responses go by. The client must be logged in."""
    if client.application_id is None:
        raise RuntimeError("The client is not logged in.")
    return client.application_id


def viewer_in(guild_id: int | None, channel_ids: Iterable[int | None], settings: Settings) -> Viewer:
    """Who asks in these channels (a thread and its parent): the guild, the channels, what the settings add to them."""
    names = [name_of(channel_id) for channel_id in channel_ids if channel_id]
    audiences = {audience for name in names for audience in (name, *settings.audiences.get(name, ()))}
    return Viewer(name_of(guild_id or DIRECT), frozenset(audiences))
