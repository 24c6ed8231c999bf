"""Sitemaps: which pages a site says it has, and when they changed."""

import gzip
import io
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime

from index.documents import MAX_BYTES, DocumentError

MAX_ENTRIES = 50_000  # the protocol's own limit


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
    try:
        root = ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DocumentError("It is no XML.") from error
    kind = _local(root.tag)
    if kind not in ("urlset", "sitemapindex"):
        raise DocumentError("It is no sitemap.")
    entries = []
    for element in root:
        fields = {_local(part.tag): (part.text or "").strip() for part in element if isinstance(part.tag, str)}
        if fields.get("loc"):
            entries.append(SitemapEntry(fields["loc"], fields.get("lastmod") or None))
        if len(entries) == MAX_ENTRIES:
            break
    return Sitemap(tuple(entries), kind == "sitemapindex")


def read_lastmod(lastmod: str | None) -> datetime | None:
    """A W3C date or time, in UTC unless it says otherwise; what is neither is None."""
    try:
        moment = datetime.fromisoformat(lastmod or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]
