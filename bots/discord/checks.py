"""What `tandem doctor` says about Discord."""

import discord

from bots.discord.client import log_in
from tandem.errors import TandemError
from tandem.settings import Settings


async def check_discord(settings: Settings) -> tuple[bool, str]:
    """Whether the bot can work, and in one line what is so or what to do. Connects, but starts no gateway session."""
    async with discord.Client(intents=discord.Intents.none()) as client:
        try:
            await log_in(client, settings)
        except TandemError as error:
            return False, str(error)
        flags = client.application.flags if client.application else discord.ApplicationFlags()
        if not (flags.gateway_message_content or flags.gateway_message_content_limited):
            return False, (
                f"{client.user} is known to Discord, but may not read messages. Turn on Message Content Intent:"
                " discord.com/developers/applications, your application, Bot."
            )
        return True, f"{client.user} is known to Discord, and may read messages."
