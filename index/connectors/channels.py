"""Which channel a person means by `slack:C123` or `discord:123`, and whose it is."""

import re
from dataclasses import dataclass

from index.connectors.discord import DiscordChannel
from index.connectors.slack import SlackChannel
from tandem.errors import SourceError
from tandem.settings import Settings

_LOCATION = re.compile(r"(slack|discord):(?:(\w+)/)?(\w+)")


@dataclass(frozen=True)
class ChannelAddress:
    """`team` is the Slack workspace or Discord guild; empty as long as nobody asked."""

    platform: str
    team: str
    channel: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.team}/{self.channel}" if self.team else f"{self.platform}:{self.channel}"

    @property
    def audience(self) -> str:
        return f"{self.platform}:{self.channel}"

    @property
    def workspace(self) -> str:
        return f"{self.platform}:{self.team}"


def parse_channel(location: str) -> ChannelAddress | None:
    """None for what is no chat channel."""
    match = _LOCATION.fullmatch(location)
    return ChannelAddress(match[1], match[2] or "", match[3]) if match else None


async def locate_channel(location: str, settings: Settings) -> str:
    """Completes `slack:C123` to `slack:T1/C123` by asking; any other location is returned as it is.

    Raises SourceError when the bot cannot read the channel, SourceUnavailable when the platform does not answer.
    """
    address = parse_channel(location)
    if address is None:
        return location
    channel = open_channel(address, settings)
    await channel.open()
    await channel.check()
    if not channel.team:
        raise SourceError(f"{location} belongs to no server.", remedy="Only channels of a server are read.")
    return str(ChannelAddress(address.platform, channel.team, address.channel))


def open_channel(address: ChannelAddress, settings: Settings) -> SlackChannel | DiscordChannel:
    """Asks nothing yet. Raises SourceError when the platform's token is not set."""
    kind = SlackChannel if address.platform == "slack" else DiscordChannel
    return kind(settings, address.team or None, address.channel)
