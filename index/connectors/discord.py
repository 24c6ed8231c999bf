"""Discord channels and forums as a source: a document is a thread or post, or a message with those that reply to it."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from index.connectors.discord_chains import REACH, Message, find_run, follow_chain, group_chains, keep_run, number
from index.connectors.discord_client import DiscordClient, NotThere
from index.connectors.history import Edits, Thread, sum_up
from index.connectors.transcript import Said, write_transcript
from index.documents import DocumentError
from tandem.errors import SourceError
from tandem.settings import Settings

PAGE = 100
EPOCH_MS = 1_420_070_400_000  # discord.com/developers/docs/reference#snowflakes
TEXT, FORUMS = frozenset({0, 5}), frozenset({15, 16})
READS_CONTENT = 1 << 18 | 1 << 19
"""The application's flags for the message content intent; without it, REST too gives messages without their text:
discord.com/developers/docs/events/gateway#message-content-intent."""
PUBLIC_THREADS = frozenset({10, 11})
"""Private threads are for fewer people than the channel, so they are never read."""
SAID = frozenset({0, 19})
"""Messages and replies; all other types tell of joins, pins, boosts or are commands' answers."""
_opened: dict[tuple[str, str], tuple[str, str, bool]] = {}
"""What was found out of channels, by server and channel."""
_CHAIN = re.compile(r"(?:^|/)(\d+:[0-9a-f]{16})(?=~|$)")
"""The part of a stamp that stands for messages of the channel itself; alone, or after that of a thread."""
_MARKUP = re.compile(r"<(@!?|@&|#|a?:)(\w+)(?::\d+)?>")


class DiscordChannel:
    """A text or announcement channel with its public threads, or a forum."""

    def __init__(self, settings: Settings, team: str | None, channel: str) -> None:
        """`team`: the guild that it is known to be in; None when that is to be found out."""
        self._settings = settings
        self._id = channel
        self._key = (settings.discord_api_url, channel)
        self.team = team or ""
        self._user = ""
        self._has_messages = False

    async def open(self, *, again: bool = True) -> None:
        known = None if again else _opened.get(self._key)
        if known is None:
            known = _opened[self._key] = await self._ask()
        self._user, self.team, self._has_messages = known

    async def _ask(self) -> tuple[str, str, bool]:
        """The bot's id, the channel's guild, and whether it has messages of its own."""
        async with DiscordClient.open(self._settings) as client:
            user = (await client.get("/users/@me"))["id"]
            if not (await client.get("/applications/@me")).get("flags", 0) & READS_CONTENT:
                raise SourceError(
                    "Discord hides from the bot what people write.",
                    remedy="Turn on Message Content Intent on the application's page, under Bot; see docs/discord.md.",
                )
            try:
                found = await client.get(f"/channels/{self._id}")
            except NotThere as error:
                raise self._closed() from error
        if found["type"] not in TEXT | FORUMS:
            raise SourceError(f"discord:{self._id} is no text channel or forum.", remedy="Name the channel it is in.")
        if self.team and found.get("guild_id") != self.team:
            raise SourceError(f"discord:{self._id} is no longer in the server {self.team}.", remedy="Add it anew.")
        return user, found.get("guild_id", ""), found["type"] in TEXT

    async def check(self) -> None:
        """Raises SourceError when the channel's messages cannot be read."""
        if self._has_messages:
            async with DiscordClient.open(self._settings) as client:
                try:
                    await client.get(f"/channels/{self._id}/messages", limit=1)
                except NotThere as error:
                    raise self._closed() from error

    async def scan(self, since: float | None) -> Sequence[Thread]:
        async with DiscordClient.open(self._settings) as client:
            try:
                threads = [thread async for thread in self._find_threads(client, since)]
                messages = await self._read_back(client, since) if self._has_messages else []
            except NotThere as error:
                raise self._closed() from error
        found = {path: self._describe_chain(path, chain) for path, chain in group_chains(messages).items()}
        said = {path: thread for path, thread in found.items() if thread}
        oldest = number(messages[0]) if since and messages else 0
        for thread in threads:
            begun = said.get(thread["id"])
            rest = None if int(thread["id"]) < oldest else begun.fact if begun else ""
            newest, edited = thread.get("last_message_id") or thread["id"], begun.edited if begun else 0.0
            latest = max(_time(newest), begun.latest if begun else 0.0)
            fact = f"{newest}:{thread.get('message_count', 0)}"
            said[thread["id"]] = Thread(thread["id"], fact, latest, hides_edits=True, edited=edited, rest=rest)
        return list(said.values())

    async def find_edits(self, path: str) -> Edits:
        async with DiscordClient.open(self._settings) as client:
            edited = [message for message in await self._read_thread(client, path) if message.get("edited_timestamp")]
        mark = sum_up([f"{message['id']}:{message['edited_timestamp']}" for message in edited])
        return Edits(mark, max((_edit_time(message) for message in edited if self._is_said(message)), default=0.0))

    async def read(self, path: str, stamp: str | None) -> bytes:
        listed = _CHAIN.search(stamp or "")
        has_thread = listed is None or listed.start() > 0
        async with DiscordClient.open(self._settings) as client:
            fact = listed[1] if listed else None
            chain = await self._read_chain(client, path, fact) if self._has_messages else []
            thread = await self._read_thread(client, path) if has_thread else []
        said = [message for message in [*chain, *thread] if self._is_said(message)]
        if not said:
            raise DocumentError("The thread was deleted, or nobody says anything in it.")
        return write_transcript([Said(_author(m), _time(m["id"]), _text(m), self._link(m)) for m in said])

    def link(self, path: str) -> str:
        return f"https://discord.com/channels/{self.team}/{self._id}/{path}"

    def began(self, path: str) -> float:
        return _time(path)

    def _link(self, message: Message) -> str:
        return f"https://discord.com/channels/{self.team}/{message['channel_id']}/{message['id']}"

    def _closed(self) -> SourceError:
        return SourceError(
            f"Discord does not let the bot read discord:{self._id}.",
            remedy="Check the number, and give the bot View Channel and Read Message History there.",
        )

    def _is_said(self, message: Message) -> bool:
        own = message["author"]["id"] == self._user
        return not own and message["type"] in SAID and bool(_text(message).strip())

    def _describe_chain(self, path: str, chain: Sequence[Message]) -> Thread | None:
        said = [message for message in chain if self._is_said(message)]
        if not said:
            return None
        newest = said[-1]["id"]
        mark = sum_up([f"{message['id']}:{message.get('edited_timestamp')}" for message in said])
        return Thread(path, f"{newest}:{mark}", _time(newest), hides_edits=False, edited=max(map(_edit_time, said)))

    async def _find_threads(self, client: DiscordClient, since: float | None) -> AsyncIterator[Message]:
        """The public threads: those that are open, then archived ones from the newest back."""
        active = await client.get(f"/guilds/{self.team}/threads/active")
        for thread in active["threads"]:
            if thread["parent_id"] == self._id and thread["type"] in PUBLIC_THREADS:
                yield thread
        before: dict[str, str] = {}
        while True:
            page = await client.get(f"/channels/{self._id}/threads/archived/public", limit=PAGE, **before)
            for thread in page["threads"]:
                yield thread
            if not page["threads"] or not page.get("has_more"):
                return
            archived = page["threads"][-1]["thread_metadata"]["archive_timestamp"]
            if since and datetime.fromisoformat(archived).timestamp() < since:
                return
            before = {"before": archived}

    async def _read_back(self, client: DiscordClient, since: float | None) -> list[Message]:
        """The channel's own messages, oldest first."""
        messages: list[Message] = []
        before: dict[str, str] = {}
        while page := await client.get(f"/channels/{self._id}/messages", limit=PAGE, **before):
            messages += page
            before = {"before": page[-1]["id"]}
            if len(page) < PAGE or (since and _time(page[-1]["id"]) < since):
                break
        return sorted(messages, key=number)

    async def _read_chain(self, client: DiscordClient, path: str, fact: str | None) -> list[Message]:
        """A message of the channel and the replies to it; `fact` is what the listing said of them, where it did.

        What was fetched for other messages is enough where it agrees with that. To ask for each message's own would
        take a dozen requests.
        """
        known = find_run(self._key, path) if fact else []
        while True:
            run = await self._extend(client, known, path, fact)
            chain = follow_chain(path, run)
            described = self._describe_chain(path, chain)
            if not known or (described and described.fact == fact):
                keep_run(self._key, run)
                return chain
            known = []

    async def _extend(
        self, client: DiscordClient, known: Sequence[Message], path: str, fact: str | None
    ) -> list[Message]:
        """What is known and what follows, or all from the message on: as far as its replies were listed, or may go."""
        messages = list(known)
        after = messages[-1]["id"] if messages else str(int(path) - 1)
        newest = int(fact.partition(":")[0]) if fact else None
        while (len(messages) <= REACH) if newest is None else (int(after) < newest):
            try:
                page = await client.get(f"/channels/{self._id}/messages", limit=PAGE, after=after)
            except NotThere as error:
                raise self._closed() from error
            messages += sorted(page, key=number)
            if len(page) < PAGE:
                break
            after = messages[-1]["id"]
        return messages

    async def _read_thread(self, client: DiscordClient, path: str) -> list[Message]:
        """All messages of a thread, oldest first; none where there is no such thread."""
        messages: list[Message] = []
        after = "0"
        try:
            while page := await client.get(f"/channels/{path}/messages", limit=PAGE, after=after):
                messages += sorted(page, key=number)
                after = messages[-1]["id"]
                if len(page) < PAGE:
                    break
        except NotThere:
            return []
        return messages


def _author(message: Message) -> str:
    return str(message["author"].get("global_name") or message["author"]["username"])


def _text(message: Message) -> str:
    """What people see: names for ids; the names of files, and what embeds say."""
    names = {user["id"]: user.get("global_name") or user["username"] for user in message.get("mentions") or ()}

    def plain(match: re.Match[str]) -> str:
        if match[1].endswith(":"):
            return f":{match[2]}:"
        return f"#{match[2]}" if match[1] == "#" else f"@{names.get(match[2], match[2])}"

    embeds = [f"{e.get('title') or ''} {e.get('description') or ''}".strip() for e in message.get("embeds") or ()]
    files = [f"[file: {file['filename']}]" for file in message.get("attachments") or ()]
    return "\n".join(filter(None, [_MARKUP.sub(plain, message.get("content") or ""), *embeds, *files]))


def _time(snowflake: str) -> float:
    return ((int(snowflake) >> 22) + EPOCH_MS) / 1000


def _edit_time(message: Message) -> float:
    """0 for what was never edited."""
    edited = message.get("edited_timestamp")
    return datetime.fromisoformat(edited).timestamp() if edited else 0.0
