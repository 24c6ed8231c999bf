"""A web page: what it says to a crawler, and what of it would be indexed."""

import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser
from mimetypes import guess_extension
from pathlib import PurePosixPath
from urllib.parse import urljoin

from index.connectors.site import MAX_URL
from index.documents import DocumentError
from index.extraction import extract_document
from index.formats import SUFFIXES

MAX_PARSED = 4 * 2**20
WANTED = frozenset(
    kind
    for kind in (
        *("text/html", "application/xhtml+xml", "text/plain", "text/markdown", "text/csv", "application/pdf"),
        *(f"application/vnd.openxmlformats-officedocument.{part}" for part in ("wordprocessingml.document",)),
    )
    if guess_extension(kind) in SUFFIXES
)
HTML = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True)
class Page:
    """`links` and `canonical` are absolute."""

    links: tuple[str, ...]
    canonical: str | None
    is_noindex: bool


def parse_page(data: bytes, url: str) -> Page:
    """Reads the first MAX_PARSED bytes of a page, however broken, up to a comment or tag that never closes."""
    reader = _Reader(url)
    # Not closed: that would look for the end of each open tag once more, which takes the square of their number.
    reader.feed(data[:MAX_PARSED].decode("utf-8", "replace"))
    links = () if "nofollow" in reader.robots else tuple(dict.fromkeys(reader.links))
    return Page(links, reader.canonical, "noindex" in reader.robots)


def fingerprint(data: bytes, name: str) -> str:
    """Of what would be indexed, so that nobody notices what else a page changes at every request."""
    try:
        document = extract_document(data, name)
    except DocumentError:
        said = data
    else:
        said = f"{document.title}\0{document.text}".encode()
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def name_page(path: str, content_type: str) -> str:
    stem = PurePosixPath(path.partition("?")[0]).stem[:80] or "index"
    return stem + (guess_extension(content_type) or ".html")


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base = url
        self.links: list[str] = []
        self.canonical: str | None = None
        self.robots = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        relation = given.get("rel", "").lower().split()
        if tag == "base" and "href" in given:
            self._base = self._join(given["href"]) or self._base
        elif tag in ("a", "area") and "href" in given and "nofollow" not in relation:
            if link := self._join(given["href"]):
                self.links.append(link)
        elif tag == "link" and "canonical" in relation and given.get("href"):
            self.canonical = self.canonical or self._join(given["href"])
        elif tag == "meta" and given.get("name", "").lower() in ("robots", "tandem"):
            self.robots += " " + given.get("content", "").lower()

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """As browsers do. The library's raises AssertionError for a name that it does not know."""
        return self.parse_bogus_comment(i, report)

    def _join(self, href: str) -> str | None:
        if len(href) > MAX_URL:
            return None
        try:
            return urljoin(self._base, href.strip())
        except ValueError:
            return None
