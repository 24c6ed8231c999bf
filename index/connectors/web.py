"""The web source: the pages of a site, from its sitemaps, or else by following its links."""

import asyncio
import hashlib
import time
from dataclasses import asdict
from pathlib import Path

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.connectors.page import WANTED, fingerprint, name_page
from index.connectors.page_cache import PageCache
from index.connectors.site import Rules, Scope, read_rules, read_sitemaps
from index.connectors.walk import KnownPage, Walk
from index.connectors.web_client import GONE, Reply, WebClient
from index.documents import DocumentError, RawDocument
from tandem.errors import SourceError

MAX_PAGES = 1_000
RULES_S = 3_600.0
"""How long a page that is read alone believes the robots.txt that this process has seen."""
_rules: dict[str, tuple[float, Rules]] = {}
"""The last robots.txt of each site, and when it was read, in seconds of the monotonic clock."""


class Website:
    """A connector whose listing visits the pages; a stamp is the hash of a page's text, a cursor holds the ETags."""

    def __init__(self, location: str, *, allow_private: bool, pages: int | None, home: Path) -> None:
        self._scope = Scope(location)
        self._allow_private = allow_private
        self._max_pages = pages or MAX_PAGES
        self._walk: Walk | None = None
        self._cache = PageCache(home / "web" / hashlib.blake2b(location.encode(), digest_size=12).hexdigest())

    @property
    def met(self) -> int:
        return len(self._walk.documents) if self._walk else 0

    async def list(self, cursor: Cursor | None) -> Listing:
        known = {path: KnownPage(**fields) for path, fields in (cursor or {}).get("pages", {}).items()}
        await asyncio.to_thread(self._cache.prune)
        async with WebClient.open(allow_private=self._allow_private) as client:
            rules = await self._learn_rules(client)
            client.pause_s = rules.pause_s
            named = await read_sitemaps(client, self._scope, rules)
            self._walk = walk = Walk(client, self._scope, rules, self._cache, known, named, self._max_pages)
            await walk.run()
        return Listing(
            walk.documents,
            is_difference=not named.is_whole,
            removed=() if named.is_whole else walk.gone,
            unseen=walk.unseen,
            unseen_under=walk.unseen_under,
            notes=[*named.notes, *walk.notes],
            cursor={"pages": {path: asdict(page) for path, page in walk.visited.items()}},
        )

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        if stamp and (found := await asyncio.to_thread(self._cache.take, stamp)):
            return RawDocument(found[1], stamp, name=found[0])
        async with WebClient.open(allow_private=self._allow_private) as client:
            try:
                reply = await self._ask(client, path)
            except SourceUnavailable:
                raise
            except SourceError as error:
                raise DocumentError(error.message) from error
        if reply.status != 200 and reply.status not in GONE:
            raise SourceUnavailable(f"It answers {reply.status}.")
        if not reply.data:
            raise DocumentError(f"It answers {reply.status}, and nothing that can be read.")
        name = name_page(path, reply.content_type)
        return RawDocument(reply.data, await asyncio.to_thread(fingerprint, reply.data, name), reply.changed_at, name)

    async def _ask(self, client: WebClient, path: str) -> Reply:
        """For one page, as politely as a listing does; what only leads to another page is none, as there."""
        read_at, rules = _rules.get(self._scope.location, (0.0, None))
        if rules is None or time.monotonic() - read_at > RULES_S:
            rules = await self._learn_rules(client)
        client.pause_s = rules.pause_s
        if not rules.allows(self._scope.link(path)):
            raise DocumentError("robots.txt keeps it to itself.")
        reply = await client.get(self._scope.link(path), wanted=WANTED)
        if (there := self._scope.find_path(reply.url)) != path:
            raise DocumentError(f"It leads to {there or 'a page outside'}.")
        return reply

    async def _learn_rules(self, client: WebClient) -> Rules:
        rules = await read_rules(client, self._scope)
        _rules[self._scope.location] = time.monotonic(), rules
        return rules
