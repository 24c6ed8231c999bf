"""The web source: the pages of a site, from its sitemaps, or else by following its links."""

import asyncio
import hashlib
from dataclasses import asdict
from pathlib import Path

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.connectors.page import WANTED, fingerprint, name_page
from index.connectors.page_cache import PageCache
from index.connectors.site import Scope, read_rules, read_sitemaps
from index.connectors.walk import KnownPage, Walk
from index.connectors.web_client import GONE, WebClient
from index.documents import DocumentError, RawDocument
from tandem.errors import SourceError

MAX_PAGES = 1_000


class Website:
    """A connector whose listing visits the pages; a stamp is the hash of a page's text, a cursor holds the ETags."""

    def __init__(self, location: str, *, allow_private: bool, pages: int | None, home: Path) -> None:
        self._scope = Scope(location)
        self._allow_private = allow_private
        self._max_pages = pages or MAX_PAGES
        self._cache = PageCache(home / "web" / hashlib.blake2b(location.encode(), digest_size=12).hexdigest())

    async def list(self, cursor: Cursor | None) -> Listing:
        known = {path: KnownPage(**fields) for path, fields in (cursor or {}).get("pages", {}).items()}
        await asyncio.to_thread(self._cache.prune)
        async with WebClient.open(allow_private=self._allow_private) as client:
            rules = await read_rules(client, self._scope)
            client.pause_s = rules.pause_s
            named, notes = await read_sitemaps(client, self._scope, rules)
            walk = Walk(client, self._scope, rules, self._cache, known, named, self._max_pages)
            await walk.run()
        return Listing(
            walk.documents,
            unseen=walk.unseen,
            unseen_under=walk.unseen_under,
            notes=[*notes, *walk.notes],
            cursor={"pages": {path: asdict(page) for path, page in walk.visited.items()}},
        )

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        if stamp and (found := await asyncio.to_thread(self._cache.take, stamp)):
            return RawDocument(found[1], stamp, name=found[0])
        async with WebClient.open(allow_private=self._allow_private) as client:
            try:
                reply = await client.get(self._scope.link(path), wanted=WANTED)
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
