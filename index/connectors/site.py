"""A web site's own word about itself: where it ends, what its robots.txt allows, and the pages in its sitemaps."""

import asyncio
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from protego import Protego

from index.connectors.sitemap import MARKS, Sitemap, SitemapEntry, parse_sitemap
from index.connectors.web_client import AGENT, GONE, MAX_PAUSE_S, LeadsElsewhere, Reply, WebClient
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
    """Asks for robots.txt. One that is not there, or is refused, forbids nothing, as RFC 9309 has it (2.3.1.3).

    Raises SourceUnavailable: without an answer (5xx and 429 are none) nothing is allowed.
    """
    try:
        reply = await client.get(scope.link("/robots.txt"))
    except LeadsElsewhere as error:
        raise SourceError(f"{scope.location}: {error.message}", remedy="Add the site under that address.") from error
    except DocumentError:
        return Rules("")
    return Rules(reply.data[:MAX_RULES].decode("utf-8", "replace"))


@dataclass
class NamedPages:
    """What the sitemaps name, by path. `is_whole`: all of them were read, so that what they do not name is gone."""

    entries: dict[str, SitemapEntry] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_whole: bool = True


async def read_sitemaps(client: WebClient, scope: Scope, rules: Rules) -> NamedPages:
    """Reads the sitemaps that the location or robots.txt names, or else /sitemap.xml; a note for each that it cannot.

    Raises SourceUnavailable when one does not answer.
    """
    given = [scope.location] if scope.is_sitemap else rules.sitemaps
    guess = None if given else scope.link("/sitemap.xml")
    queue = list(given) if guess is None else [guess]
    found = NamedPages()
    asked: set[str] = set()
    while queue and len(asked) < MAX_SITEMAPS:
        url = queue.pop(0)
        if url in asked:
            continue
        asked.add(url)
        if reason := _refuse(url, scope, rules):
            found.notes.append(f"The sitemap {url} was passed over: {reason}.")
            continue
        data = b""
        try:
            reply = await client.get(url)
            data = reply.data
            if reply.status in GONE and url == guess:
                continue
            sitemap = await asyncio.to_thread(_parse, reply)
        except DocumentError as error:
            note = f"The sitemap {url} was passed over. {error.message}"
            # A site may refuse, or answer with some page, whatever it is asked: that makes no sitemap of a guess.
            if url != guess or any(mark in data for mark in MARKS):
                found.is_whole = False
                note += " Pages that only it names stay as they are."
            found.notes.append(note)
            continue
        if sitemap.is_index:
            queue += [entry.url for entry in sitemap.entries]
            continue
        for entry in sitemap.entries:
            if (path := scope.find_path(entry.url)) is not None:
                found.entries.setdefault(path, entry)
    if queue:
        found.notes.append(f"More than {MAX_SITEMAPS} sitemaps; the rest was passed over.")
    return found


def _refuse(url: str, scope: Scope, rules: Rules) -> str | None:
    if Scope(scope.link("/")).find_path(url) is None:
        return "it is on another host"
    return None if rules.allows(url) else "robots.txt keeps it to itself"


def _parse(reply: Reply) -> Sitemap:
    if reply.status != 200:
        raise DocumentError(f"It answers {reply.status}.")
    return parse_sitemap(reply.data)
