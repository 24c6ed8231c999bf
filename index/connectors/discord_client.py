"""Reading from Discord's REST API: rate limits are kept to, and failures say what they mean for a source.

discord.py would bring a gateway connection and its caches along for four kinds of GET.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from index.connectors.connector import SourceUnavailable
from tandem.errors import SourceError
from tandem.settings import Settings

TRIES = 20
REQUEST_S = 30.0
AGENT = "DiscordBot (https://example.org/tandem, 1)"
"""Discord refuses requests without an agent of this form: discord.com/developers/docs/reference#user-agent."""


class NotThere(SourceError):
    """Discord has nothing there, or nothing that the bot may see."""


class DiscordClient:
    """Use `open`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["DiscordClient"]:
        """Raises SourceError when no token is set."""
        token = settings.discord_token.get_secret_value() if settings.discord_token else ""
        if not token:
            raise SourceError("DISCORD_TOKEN is not set.", remedy="Set it as docs/discord.md shows, then look again.")
        headers = {"Authorization": f"Bot {token}", "User-Agent": AGENT}
        url = settings.discord_api_url.rstrip("/")
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=REQUEST_S) as client:
            yield cls(client)

    async def get(self, path: str, **query: str | int) -> Any:
        """Raises NotThere, SourceError for a refused token, SourceUnavailable for all that may pass."""
        for _ in range(TRIES):
            try:
                answer = await self._client.get(path, params=query)
            except httpx.TransportError as error:
                raise SourceUnavailable(f"Discord cannot be reached ({type(error).__name__}).") from error
            if answer.status_code == 429:
                # discord.com/developers/docs/topics/rate-limits: seconds, as a fraction, in the body and the header.
                await asyncio.sleep(_number(answer.headers.get("Retry-After"), 1.0))
                continue
            if answer.status_code in (403, 404):
                raise NotThere
            if answer.status_code == 401:
                raise SourceError("Discord refuses DISCORD_TOKEN.", remedy="Copy it again, as docs/discord.md shows.")
            if answer.status_code != 200:
                raise SourceUnavailable(f"Discord answered {answer.status_code}.")
            if answer.headers.get("X-RateLimit-Remaining") == "0":
                await asyncio.sleep(_number(answer.headers.get("X-RateLimit-Reset-After"), 0.0))
            return answer.json()
        raise SourceUnavailable("Discord's rate limit leaves no room.")


def _number(value: str | None, otherwise: float) -> float:
    try:
        return min(max(float(value or otherwise), 0.0), 300.0)
    except ValueError:
        return otherwise
