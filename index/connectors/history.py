"""The threads of a chat channel as documents: what Slack and Discord have in common.

A platform's listing tells of each thread how many messages it has and which is the newest, but not whether one of them
was edited. So threads are also read again: those of the last days at every look, and a few of the oldest known.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.documents import ListedDocument, RawDocument
from tandem.errors import SourceError

RECENT_S = 14 * 86_400.0
"""Threads that began in this time are listed at every look."""
FULL_S = 6 * 3600.0
"""How often all of them are: an old thread that woke up, or is gone, shows only there."""
FRESH_S = 2 * 86_400.0
"""Threads with a message of this time are read for edits at every look."""
RECHECKED = 20
"""Of the others, this many are at each look, those first that were not read for longest."""


@dataclass(frozen=True)
class Thread:
    """`path` names it in its channel. `fact` changes with every message that comes or goes; `rest` stands for what
    belongs to it beside that, None where it was not looked at. `latest` is the newest message's time, `edited` that of
    the last edit that is known, in seconds. `hides_edits`: it may have edits that `fact` and `rest` do not show."""

    path: str
    fact: str
    latest: float
    hides_edits: bool
    edited: float = 0.0
    rest: str | None = ""


@dataclass(frozen=True)
class Edits:
    """`mark` stands for all edits of a thread's messages; empty for none. `at` is the last one's time, 0 for none."""

    mark: str = ""
    at: float = 0.0


class Channel(Protocol):
    """One channel of a platform. All methods raise SourceError or SourceUnavailable, as connectors do."""

    async def open(self, *, again: bool = True) -> None:
        """Finds out whose the channel is. Unless `again`, what this process was told before will do."""

    async def scan(self, since: float | None) -> Sequence[Thread]:
        """The threads that began since then (None: all of them); more do no harm."""

    async def find_edits(self, path: str) -> Edits:
        """The edits of the thread's messages; none where the thread is gone."""

    async def read(self, path: str, stamp: str | None) -> bytes:
        """The thread as a transcript; `stamp` begins with its fact and rest. Raises DocumentError when it is gone."""

    def link(self, path: str) -> str: ...

    def began(self, path: str) -> float: ...


@dataclass(frozen=True)
class _Known:
    """What the cursor keeps of a thread. `checked` is when it was last read for edits, 0 for never; `changed` when it
    changed last, as far as that is known."""

    fact: str
    latest: float
    edits: str = ""
    checked: float = 0.0
    changed: float = 0.0
    rest: str = ""

    @property
    def stamp(self) -> str:
        said = f"{self.fact}/{self.rest}" if self.rest else self.fact
        return f"{said}~{self.edits}" if self.edits else said

    def hear(self, thread: Thread, now: float) -> "_Known":
        rest = self.rest if thread.rest is None else thread.rest
        heard = replace(self, fact=thread.fact, latest=thread.latest, rest=rest)
        changed = max(thread.latest, thread.edited)
        if changed <= self.changed:
            # What came or was edited has a time; what was deleted has none.
            changed = self.changed if heard.stamp == self.stamp else now
        return replace(heard, changed=changed)


class ChannelHistory:
    """A connector whose stamps stand for a thread's messages and their edits."""

    met = 0

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def list(self, cursor: Cursor | None) -> Listing:
        now = time.time()
        await self._channel.open()
        before = {path: _Known(*values) for path, values in (cursor or {}).get("threads", {}).items()}
        full_at = float((cursor or {}).get("full_at", 0.0))
        is_full = cursor is None or now - full_at > FULL_S
        since = None if is_full else now - RECENT_S
        threads = {thread.path: thread for thread in await self._channel.scan(since)}
        seen = since or 0.0
        gone = [path for path in before if path not in threads and (is_full or self._channel.began(path) >= seen)]
        known = {path: state for path, state in before.items() if path not in gone}
        for path, thread in threads.items():
            known[path] = before.get(path, _Known(thread.fact, thread.latest)).hear(thread, now)
        for path in _choose(threads, before, now):
            edits, state = await self._channel.find_edits(path), known[path]
            known[path] = replace(state, edits=edits.mark, checked=now, changed=max(state.changed, edits.at))
        old_stamps = {} if is_full else {path: state.stamp for path, state in before.items()}
        changed = [path for path, state in known.items() if old_stamps.get(path) != state.stamp]
        return Listing(
            [self._describe(path, known[path]) for path in changed],
            is_difference=not is_full,
            removed=gone,
            cursor={
                "full_at": now if is_full else full_at,
                "threads": {path: list(astuple(state)) for path, state in known.items()},
            },
        )

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        try:
            await self._channel.open(again=False)
            data = await self._channel.read(path, stamp)
        except SourceError as error:
            # It concerns the source, not this document, whose passages stay until a listing tells what became of it.
            raise SourceUnavailable(error.message, remedy=error.remedy) from error
        # What was written since the listing has another stamp, so the next look reads it again.
        return RawDocument(data, stamp, name="thread.md")

    def _describe(self, path: str, state: _Known) -> ListedDocument:
        changed_at = datetime.fromtimestamp(state.changed or state.latest, UTC)
        return ListedDocument(path, self._channel.link(path), state.stamp, changed_at)


def sum_up(edits: Sequence[str]) -> str:
    """A short text that differs whenever one of these does; empty for none."""
    return hashlib.blake2b(" ".join(edits).encode(), digest_size=8).hexdigest() if edits else ""


def _choose(threads: Mapping[str, Thread], before: Mapping[str, _Known], now: float) -> list[str]:
    """Which threads to read for edits. None at the first look, which reads all of them anyway."""
    if not before:
        return []
    hiding = [thread for thread in threads.values() if thread.hides_edits]
    fresh = {thread.path for thread in hiding if now - thread.latest < FRESH_S}
    others = sorted((t.path for t in hiding if t.path not in fresh), key=lambda path: _checked(before, path))
    return [*fresh, *others[:RECHECKED]]


def _checked(before: Mapping[str, Any], path: str) -> float:
    return float(before[path].checked) if path in before else 0.0
