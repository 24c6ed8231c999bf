"""Sitemaps: which pages a site says it has, and when they changed."""

import gzip
import io
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime

from index.documents import MAX_BYTES, DocumentError

MAX_ENTRIES = 50_000  # the protocol's own limit
MAX_DEPTH = 20
STRIDE = 2**20
MARKS = (b"urlset", b"sitemapindex")
"""One of these is in every sitemap, also in one that was cut off."""


@dataclass(frozen=True)
class SitemapEntry:
    """A page, or in an index another sitemap. `lastmod` is as it was written."""

    url: str
    lastmod: str | None


@dataclass(frozen=True)
class Sitemap:
    entries: tuple[SitemapEntry, ...]
    is_index: bool


def parse_sitemap(data: bytes) -> Sitemap:
    """Reads a sitemap or an index of them, plain or gzipped. Raises DocumentError when it is neither."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MAX_BYTES + 1)
        except (OSError, EOFError) as error:
            raise DocumentError("It is not whole.") from error
        if len(data) > MAX_BYTES:
            raise DocumentError("It unpacks to too much.")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise DocumentError("It is no sitemap.")
    reader = _Reader()
    parser = ET.XMLParser(target=reader)  # noqa: S314
    try:
        for start in range(0, len(data), STRIDE):  # what is refused is then read no further
            parser.feed(data[start : start + STRIDE])
        parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DocumentError("It is no XML.") from error
    return reader.sitemap


def read_lastmod(lastmod: str | None) -> datetime | None:
    """A W3C date or time, in UTC unless it says otherwise; what is neither is None."""
    try:
        moment = datetime.fromisoformat(lastmod or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class _Reader:
    """Takes what the parser finds and keeps the entries alone: a tree of the largest sitemap needs a gigabyte."""

    def __init__(self) -> None:
        self._entries: list[SitemapEntry] = []
        self._kind = ""
        self._depth = 0
        self._fields: dict[str, str] = {}
        self._text: list[str] = []

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._kind = _local(tag)
        elif self._depth == 2:
            self._fields = {}
        self._text = []
        if self._kind not in ("urlset", "sitemapindex") or self._depth > MAX_DEPTH:
            raise DocumentError("It is no sitemap.")

    def data(self, text: str) -> None:
        if self._depth == 3:
            self._text.append(text)

    def end(self, tag: str) -> None:
        if self._depth == 3 and _local(tag) in ("loc", "lastmod"):
            self._fields[_local(tag)] = "".join(self._text).strip()
        elif self._depth == 2 and self._fields.get("loc") and len(self._entries) < MAX_ENTRIES:
            self._entries.append(SitemapEntry(self._fields["loc"], self._fields.get("lastmod") or None))
        self._depth -= 1

    @property
    def sitemap(self) -> Sitemap:
        return Sitemap(tuple(self._entries), self._kind == "sitemapindex")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
