"""Discord's people as owners of documents: the direct message that a notice goes to."""

import discord

from bots.discord.messages import NETWORK_TROUBLE
from bots.discord.naming import DIRECT, SURFACE, name_of
from bots.reviews import OwnerUnreachable
from bots.surface import Event
from index.audience import ANYWHERE, Viewer
from index.reviews import Untold

MEANT = 22  # bits of a snowflake that tell no time


class DiscordOwners:
    prefix = f"{SURFACE}:"

    def __init__(self, client: discord.Client) -> None:
        self._client = client

    def list_workspaces(self) -> list[str]:
        return [ANYWHERE, *(name_of(guild.id) for guild in self._client.guilds)]

    async def address(self, untold: Untold) -> Event | None:
        """The event's number is a snowflake: of the notice's time, and its own in the bits below."""
        user = untold.owner.removeprefix(self.prefix)
        if not user.isdecimal():
            return None
        try:
            channel = await self._client.create_dm(discord.Object(int(user)))
        except (discord.NotFound, discord.Forbidden):
            return None
        except (discord.HTTPException, *NETWORK_TROUBLE) as error:
            if isinstance(error, discord.HTTPException) and error.status == 400:
                return None
            raise OwnerUnreachable(f"Discord opens no direct message ({type(error).__name__}).") from error
        number = discord.utils.time_snowflake(untold.made_at) | (untold.id % (1 << MEANT))
        return Event(
            id=f"{SURFACE}:review:{number}",
            surface=SURFACE,
            kind="review",
            conversation=f"{SURFACE}:review:{number}",
            viewer=Viewer(name_of(DIRECT)),
            user=untold.owner,
            text=str(untold.id),
            address={"channel": str(channel.id), "guild": ""},
        )
