"""Discord channels and forums as a source: a document is a thread or post, or a message with those that reply to it."""

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from index.connectors.discord_client import DiscordClient, NotThere
from index.connectors.history import Thread
from index.connectors.transcript import Said, write_transcript
from index.documents import DocumentError
from tandem.errors import SourceError
from tandem.settings import Settings

Message = dict[str, Any]
PAGE = 100
REACH = 1_000
"""How many messages later a reply still belongs to what it replies to; after that it is a document of its own."""
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
        found = {path: self._describe_chain(path, chain) for path, chain in _group(messages).items()}
        said = {path: thread for path, thread in found.items() if thread}
        for thread in threads:
            newest, before = thread.get("last_message_id") or thread["id"], said.get(thread["id"])
            fact = f"{newest}:{thread.get('message_count', 0)}{f'/{before.fact}' if before else ''}"
            said[thread["id"]] = Thread(thread["id"], fact, _time(newest), hides_edits=True)
        return list(said.values())

    async def find_edits(self, path: str) -> str:
        async with DiscordClient.open(self._settings) as client:
            messages = await self._read_thread(client, path)
        edits = [f"{m['id']}:{m['edited_timestamp']}" for m in messages if m.get("edited_timestamp")]
        return hashlib.blake2b(" ".join(edits).encode(), digest_size=8).hexdigest() if edits else ""

    async def read(self, path: str) -> bytes:
        async with DiscordClient.open(self._settings) as client:
            chain = await self._read_chain(client, path) if self._has_messages else []
            thread = await self._read_thread(client, path)
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
        edits = " ".join(f"{m['id']}:{m.get('edited_timestamp')}" for m in said)
        newest = said[-1]["id"]
        digest = hashlib.blake2b(edits.encode(), digest_size=8).hexdigest()
        return Thread(path, f"{newest}:{digest}", _time(newest), hides_edits=False)

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
        return sorted(messages, key=_number)

    async def _read_chain(self, client: DiscordClient, path: str) -> Sequence[Message]:
        """A message of the channel and the replies to it."""
        try:
            messages = [await client.get(f"/channels/{self._id}/messages/{path}")]
        except NotThere:
            return []
        while len(messages) <= REACH:
            page = await client.get(f"/channels/{self._id}/messages", limit=PAGE, after=messages[-1]["id"])
            messages += sorted(page, key=_number)
            if len(page) < PAGE:
                break
        return _group(messages).get(path, [])

    async def _read_thread(self, client: DiscordClient, path: str) -> list[Message]:
        """All messages of a thread, oldest first; none where there is no such thread."""
        messages: list[Message] = []
        after = "0"
        try:
            while page := await client.get(f"/channels/{path}/messages", limit=PAGE, after=after):
                messages += sorted(page, key=_number)
                after = messages[-1]["id"]
                if len(page) < PAGE:
                    break
        except NotThere:
            return []
        return messages


def _group(messages: Sequence[Message]) -> dict[str, list[Message]]:
    """Messages, oldest first, by the one that began it. Replies to what was not read are left for a full listing."""
    roots: dict[str, str] = {}
    at: dict[str, int] = {}
    chains: dict[str, list[Message]] = {}
    for number, message in enumerate(messages):
        reference = (message.get("message_reference") or {}).get("message_id") if message["type"] == 19 else None
        root = roots.get(reference or "")
        if root is None or number - at[root] > REACH:
            if reference and root is None and message.get("referenced_message"):
                continue
            root = message["id"]
            at[root] = number
        roots[message["id"]] = root
        chains.setdefault(root, []).append(message)
    return chains


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


def _number(message: Message) -> int:
    return int(message["id"])
