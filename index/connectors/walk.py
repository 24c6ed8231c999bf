"""One look at the pages of a site: each is asked whether it changed, and what it links to is found on the way."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from index.connectors.connector import SourceUnavailable
from index.connectors.page import HTML, WANTED, fingerprint, name_page, parse_page
from index.connectors.page_cache import PageCache
from index.connectors.site import NamedPages, Rules, Scope
from index.connectors.sitemap import SitemapEntry, read_lastmod
from index.connectors.web_client import AT_ONCE, GONE, LeadsElsewhere, Reply, WebClient
from index.documents import DocumentError, ListedDocument
from tandem.errors import SourceError

LOOK_S = 1_800.0
"""How long one look takes at most; what it did not reach comes first in the next."""
MAX_SILENT = 10
"""So many pages in a row without an answer, and the site is taken to be away."""
TRUST_S = 7 * 86_400
"""How long a sitemap's word is believed that a page has not changed."""
SETTLED = timedelta(days=2)
RESTLESS = 3
"""A page that had another text at so many looks in a row is named."""
SHOWN_NOTES = 10


@dataclass(frozen=True)
class KnownPage:
    """What the last visit found. `changes` counts the visits in a row that found another text."""

    stamp: str
    etag: str | None = None
    modified: str | None = None
    lastmod: str | None = None
    visited: float = 0.0
    changes: int = 0


@dataclass
class Walk:
    """One look at the pages. What is found is in the five fields after `max_pages`, and in `gone`."""

    client: WebClient
    scope: Scope
    rules: Rules
    cache: PageCache
    known: Mapping[str, KnownPage]
    named: NamedPages
    max_pages: int
    documents: list[ListedDocument] = field(default_factory=list)
    visited: dict[str, KnownPage] = field(default_factory=dict)
    unseen: list[str] = field(default_factory=list)
    unseen_under: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _queue: deque[str] = field(default_factory=deque)
    _queued: set[str] = field(default_factory=set)
    _silent: int = 0
    _forbidden: set[str] = field(default_factory=set)
    _missed: list[str] = field(default_factory=list)
    _is_away: bool = False
    _is_cut: bool = False
    _doubles: list[tuple[str, str, KnownPage, datetime | None]] = field(default_factory=list)

    async def run(self) -> None:
        """Raises SourceUnavailable when the site stops answering, SourceError when it allows nothing."""
        start = list(self.named.entries) or [self.scope.find_path(self.scope.location) or "/"]
        if not (self.named.entries and self.named.is_whole):
            start += self.known
        # Within the limit the known ones stay. Of those that are left the ones never seen come first, so that a look
        # which was cut short is carried on by the next.
        kept = sorted(dict.fromkeys(start), key=lambda path: path not in self.known)
        self._is_cut = len(kept) > self.max_pages
        for path in sorted(kept[: self.max_pages], key=lambda path: self._of(path).visited):
            self._enqueue(path)
        ends = time.monotonic() + LOOK_S
        running: set[asyncio.Task[None]] = set()
        try:
            while self._queue or running:
                while self._queue and len(running) < AT_ONCE and time.monotonic() < ends:
                    running.add(asyncio.create_task(self._visit(self._queue.popleft())))
                if not running:
                    break
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._conclude()

    @property
    def gone(self) -> list[str]:
        """The pages that were asked for, or may not be, and are none. Of all others this look says nothing."""
        kept = {document.path for document in self.documents} | set(self.unseen)
        return sorted((self._queued | self._forbidden) - kept)

    def _enqueue(self, path: str) -> None:
        if path in self._queued:
            return
        if len(self._queued) >= self.max_pages:
            self._is_cut = True
        elif not self.rules.allows(self.scope.link(path)):
            self._forbidden.add(path)
        else:
            self._queued.add(path)
            self._queue.append(path)

    async def _visit(self, path: str) -> None:
        before, entry = self._of(path), self.named.entries.get(path)
        if before.stamp and entry and _is_unchanged(entry, before):
            self._keep(path, before)
            return
        try:
            reply = await self.client.get(
                self.scope.link(path), etag=before.etag, modified=before.modified, wanted=WANTED
            )
        except SourceUnavailable as error:
            self._silent += 1
            if self._silent >= MAX_SILENT:
                raise SourceUnavailable(f"{self.scope.location} stopped answering.") from error
            self._is_away = True
            self._miss(path, error.message)
            return
        except LeadsElsewhere:
            return  # not a page of this site
        except DocumentError as error:
            self._silent = 0
            self.documents.append(ListedDocument(path, self.scope.link(path), "fault", None, error.message))
            return
        self._silent = 0
        if reply.status == 304 and before.stamp:
            self._keep(path, replace(before, visited=time.time(), changes=0, lastmod=entry.lastmod if entry else None))
        elif reply.status != 200 and reply.status not in GONE:
            self._miss(path, f"It answers {reply.status}.")
        elif reply.status == 200 and reply.content_type in WANTED:
            await self._take(path, reply, before, entry)

    async def _take(self, path: str, reply: Reply, before: KnownPage, entry: SitemapEntry | None) -> None:
        if (there := self.scope.find_path(reply.url)) != path:
            if there is not None:
                self._enqueue(there)
            return
        if not reply.data:
            self.documents.append(ListedDocument(path, self.scope.link(path), "empty", None, "The page is empty."))
            return
        canonical, is_noindex = None, reply.is_noindex
        if reply.content_type in HTML:
            page = await asyncio.to_thread(parse_page, reply.data, reply.url)
            canonical = self.scope.find_path(page.canonical) if page.canonical else None
            is_noindex = is_noindex or page.is_noindex
            for link in () if self.named.entries else page.links:
                if (found := self.scope.find_path(link)) is not None:
                    self._enqueue(found)
        if is_noindex:
            return
        name = name_page(path, reply.content_type)
        stamp = await asyncio.to_thread(fingerprint, reply.data, name)
        is_changed = bool(before.stamp) and stamp != before.stamp
        if stamp != before.stamp:
            await asyncio.to_thread(self.cache.put, stamp, name, reply.data)
        lastmod = entry.lastmod if entry else None
        changed_at = reply.changed_at or read_lastmod(lastmod) or (datetime.now(UTC) if is_changed else None)
        changes = before.changes + 1 if is_changed else 0
        now = KnownPage(stamp, reply.etag, reply.modified, lastmod, time.time(), changes)
        if canonical is None or canonical == path:
            self._keep(path, now, changed_at)
        else:
            self._enqueue(canonical)
            self._doubles.append((path, canonical, now, changed_at))

    def _keep(self, path: str, page: KnownPage, changed_at: datetime | None = None) -> None:
        self.visited[path] = page
        self.documents.append(ListedDocument(path, self.scope.link(path), page.stamp, changed_at))

    def _miss(self, path: str, reason: str | None = None) -> None:
        """A page that was not seen has not vanished."""
        if reason:
            self._missed.append(f"{path}: {reason}")
        if (before := self._of(path)).stamp:
            self._keep(path, before)
        else:
            self.unseen.append(path)

    def _conclude(self) -> None:
        late = len(self._queue)
        for path in self._queue:
            self._miss(path)
        for path, canonical, page, changed_at in self._doubles:
            # A canonical page that does not stand by itself, as when it leads back here, is none.
            if canonical not in self.visited and canonical not in self.unseen:
                self._keep(path, page, changed_at)
        if not self.named.entries and (late or self._is_away or self._is_cut):
            # What they link to was not found either. Not so of pages that refuse: those may do so for ever.
            self.unseen_under.append("")
        if self._is_cut:
            self.notes.append(f"It has more than {self.max_pages} pages; the others were passed over (--pages).")
        if late:
            self.notes.append(f"Pages not reached in {LOOK_S / 60:.0f} minutes: {late}. They are first next time.")
        if self._forbidden:
            self.notes.append(f"Pages that robots.txt keeps to itself: {len(self._forbidden)}.")
        restless = sorted(path for path, page in self.visited.items() if page.changes >= RESTLESS)
        self.notes += _shorten([f"{path} has another text at every look." for path in restless])
        self.notes += _shorten(sorted(self._missed))
        if self.documents or self.unseen or self.unseen_under:
            return
        self.notes.append("No page was found that can be read.")
        if self._forbidden:
            raise SourceError(
                f"The robots.txt of {self.scope.location} allows none of its pages.",
                remedy="Ask whoever runs the site to allow the agent `tandem`.",
            )

    def _of(self, path: str) -> KnownPage:
        return self.known.get(path) or KnownPage("")


def _is_unchanged(entry: SitemapEntry, before: KnownPage) -> bool:
    """Whether the sitemap says so, in a way that can be believed for a while."""
    moment = read_lastmod(entry.lastmod)
    seen = datetime.fromtimestamp(before.visited, UTC)
    fresh = time.time() - before.visited < TRUST_S
    return moment is not None and entry.lastmod == before.lastmod and moment + SETTLED < seen and fresh


def _shorten(notes: list[str]) -> list[str]:
    more = len(notes) - SHOWN_NOTES
    return notes if more <= 0 else [*notes[:SHOWN_NOTES], f"And {more} more like that."]
