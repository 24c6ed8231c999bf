"""What the inbox remembers of Discord's channels and threads."""

from tandem.db.pool import Database
from tandem.db.queries import load_queries

_SQL = load_queries("bots.discord", "memory.sql")


class Memory:
    """Every method may raise what the inbox's do when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def conversation_of(self, event_id: str) -> str | None:
        row = await self._database.fetch_one(_SQL["conversation_of"], {"id": event_id})
        return str(row["conversation"]) if row else None

    async def knows(self, conversation: str) -> bool:
        return await self._database.fetch_one(_SQL["knows"], {"conversation": conversation}) is not None

    async def last_conversation(self, channel_id: int) -> str | None:
        """The conversation of the newest question in this channel."""
        row = await self._database.fetch_one(_SQL["last_conversation"], {"channel": str(channel_id)})
        return str(row["conversation"]) if row else None

    async def last_seen(self) -> int | None:
        """The snowflake of the newest event; None for an empty inbox."""
        row = await self._database.fetch_one(_SQL["last_seen"])
        return row["snowflake"] if row else None

    async def direct_channels(self) -> list[int]:
        """The ids of the fifty direct-message channels that were used last."""
        return [int(row["channel"]) for row in await self._database.fetch_all(_SQL["direct_channels"])]
