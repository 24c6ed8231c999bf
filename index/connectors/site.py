"""A web site's own word about itself: where it ends, what its robots.txt allows, and the pages in its sitemaps."""

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from protego import Protego

from index.connectors.sitemap import SitemapEntry, parse_sitemap
from index.connectors.web_client import AGENT, MAX_PAUSE_S, LeadsElsewhere, WebClient
from index.documents import DocumentError
from tandem.errors import SourceError

MAX_SITEMAPS = 50
MAX_URL = 1_000
MAX_RULES = 500_000
_KEPT = "/:@!$&'()*+,;=~%-._?"


def resolve_site(location: str) -> str:
    """Returns the address with its host in lower case and a path. Raises SourceError for what is no http address."""
    try:
        url = urlsplit(location)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise SourceError(f"{location} is no web address.", remedy="Check it.") from error
    if url.scheme not in ("http", "https") or not host or not location.isprintable():
        raise SourceError(f"{location} is no web address.", remedy="Give one that starts with https://.")
    if url.username or url.password:
        raise SourceError("The address holds a password, which would be stored and shown.", remedy="Leave it out.")
    try:
        name = host.encode("idna").decode() if ":" not in host else f"[{host}]"
    except UnicodeError as error:
        raise SourceError(f"{location} is no web address.", remedy="Check its host.") from error
    return f"{url.scheme}://{name}{f':{port}' if port else ''}{quote(url.path, _KEPT) or '/'}"


@dataclass(frozen=True)
class Scope:
    """The pages of a source: those on the host of its location, below its path."""

    location: str

    @property
    def folder(self) -> str:
        path = urlsplit(self.location).path
        return path if path.endswith("/") or not PurePosixPath(path).suffix else path.rpartition("/")[0] + "/"

    @property
    def is_sitemap(self) -> bool:
        return urlsplit(self.location).path.endswith((".xml", ".xml.gz"))

    def find_path(self, url: str) -> str | None:
        """The page's path with its query, by which the document is known; None when it is outside."""
        try:
            home, there = urlsplit(self.location), urlsplit(url)
            if (there.hostname, there.port) != (home.hostname, home.port) or len(url) > MAX_URL:
                return None
        except ValueError:
            return None
        if there.scheme not in ("http", "https") or not url.isprintable():
            return None
        path = quote(there.path, _KEPT) or "/"
        below = "/" if self.is_sitemap else self.folder.rstrip("/") + "/"
        if path != self.folder and not path.startswith(below):
            return None
        return path + (f"?{quote(there.query, _KEPT)}" if there.query else "")

    def link(self, path: str) -> str:
        home = urlsplit(self.location)
        return f"{home.scheme}://{home.netloc}{path}"


class Rules:
    """robots.txt: what may be asked, how fast, and where the sitemaps are."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)

    def allows(self, url: str) -> bool:
        return self._rules.can_fetch(url, AGENT)

    @property
    def pause_s(self) -> float:
        return min(self._rules.crawl_delay(AGENT) or 0.0, MAX_PAUSE_S)

    @property
    def sitemaps(self) -> list[str]:
        return list(self._rules.sitemaps)


async def read_rules(client: WebClient, scope: Scope) -> Rules:
    """Asks for robots.txt: none means that all is allowed. Raises SourceUnavailable: without an answer nothing is."""
    try:
        reply = await client.get(scope.link("/robots.txt"))
    except LeadsElsewhere as error:
        raise SourceError(f"{scope.location}: {error.message}", remedy="Add the site under that address.") from error
    except DocumentError:
        return Rules("")
    return Rules(reply.data[:MAX_RULES].decode("utf-8", "replace"))


async def read_sitemaps(client: WebClient, scope: Scope, rules: Rules) -> tuple[dict[str, SitemapEntry], list[str]]:
    """The pages that the site's sitemaps name, by path, and notes on sitemaps that cannot be read.

    Raises SourceUnavailable when one does not answer.
    """
    given = [scope.location] if scope.is_sitemap else rules.sitemaps
    queue = given or [scope.link("/sitemap.xml")]
    pages: dict[str, SitemapEntry] = {}
    notes: list[str] = []
    asked: set[str] = set()
    host = Scope(scope.link("/"))
    while queue and len(asked) < MAX_SITEMAPS:
        url = queue.pop(0)
        if url in asked or host.find_path(url) is None or not rules.allows(url):
            continue
        asked.add(url)
        try:
            reply = await client.get(url)
            if reply.status != 200:
                if given:
                    notes.append(f"The sitemap {url} answers {reply.status}.")
                continue
            sitemap = await asyncio.to_thread(parse_sitemap, reply.data)
        except DocumentError as error:
            notes.append(f"The sitemap {url} was passed over. {error.message}")
            continue
        if sitemap.is_index:
            queue += [entry.url for entry in sitemap.entries]
            continue
        for entry in sitemap.entries:
            if (path := scope.find_path(entry.url)) is not None:
                pages.setdefault(path, entry)
    if queue:
        notes.append(f"More than {MAX_SITEMAPS} sitemaps; the rest was passed over.")
    return pages, notes
