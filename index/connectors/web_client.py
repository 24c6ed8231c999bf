"""Requests to one site: few at a time, no faster than it asks for, and within limits of size, time and redirects."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx

from index.connectors.connector import SourceUnavailable
from index.connectors.public_hosts import PublicTransport
from index.documents import MAX_BYTES, DocumentError, describe_size

AGENT = "tandem"
AT_ONCE = 4
REQUEST_S = 30.0
MAX_REDIRECTS = 5
MAX_PAUSE_S = 30.0
GONE = frozenset({404, 410})
_AWAY = frozenset({408, 425, 429})
_turns: dict[str, float] = {}
"""When the next request to a host may begin (monotonic clock, seconds): a process keeps one pause for all it asks."""


class LeadsElsewhere(DocumentError):
    """It leads to another site."""


@dataclass(frozen=True)
class Reply:
    """`url` is where the redirects ended. `data` is empty unless the status is 200 and the type was wanted."""

    status: int
    url: str
    content_type: str
    data: bytes
    etag: str | None
    modified: str | None
    is_noindex: bool

    @property
    def changed_at(self) -> datetime | None:
        try:
            moment = parsedate_to_datetime(self.modified or "")
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class WebClient:
    """Open it with `open`. `pause_s` is the time between the beginnings of two requests; set it once it is known."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.pause_s = 0.0

    @classmethod
    @asynccontextmanager
    async def open(cls, *, allow_private: bool) -> AsyncIterator["WebClient"]:
        transport: httpx.AsyncBaseTransport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=AT_ONCE))
        if not allow_private:
            transport = PublicTransport(transport)
        headers = {"User-Agent": f"{AGENT}/1", "Accept-Encoding": "gzip"}
        async with httpx.AsyncClient(
            transport=transport, headers=headers, timeout=REQUEST_S, trust_env=False, follow_redirects=False
        ) as client:
            yield cls(client)

    async def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        modified: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> Reply:
        """Asks for a page; with the ETag or time of a known copy, the status may be 304.

        Only types that are `wanted` are read. Raises SourceUnavailable when there is no answer now, LeadsElsewhere when
        it is redirected to another host, DocumentError for what is too large or redirected for ever, SourceError for a
        private address.
        """
        known = {"If-None-Match": etag, "If-Modified-Since": None if etag else modified}
        headers = {name: value for name, value in known.items() if value}
        async with self._slots:
            try:
                for _ in range(MAX_REDIRECTS + 1):
                    await self._wait_for_turn(url)
                    async with asyncio.timeout(REQUEST_S):
                        reply = await self._ask(url, headers, wanted)
                    if isinstance(reply, Reply):
                        return reply
                    url = reply
            except TimeoutError as error:
                raise SourceUnavailable(f"It took more than {REQUEST_S:.0f} s.") from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise SourceUnavailable(f"It does not answer ({type(error).__name__}).") from error
        raise DocumentError(f"It redirects more than {MAX_REDIRECTS} times.")

    async def _ask(self, url: str, headers: dict[str, str], wanted: frozenset[str] | None) -> Reply | str:
        """One request; a string is where it redirects to."""
        async with self._client.stream("GET", url, headers=headers) as response:
            if target := response.headers.get("location") if response.has_redirect_location else None:
                return _follow(url, target)
            if response.status_code >= 500 or response.status_code in _AWAY:
                raise SourceUnavailable(f"It answers {response.status_code}.")
            content_type = response.headers.get("content-type", "text/html").partition(";")[0].strip().lower()
            data = b""
            if response.status_code == 200 and (wanted is None or content_type in wanted):
                data = await _read(response)
            return Reply(
                response.status_code,
                url,
                content_type,
                data,
                response.headers.get("etag"),
                response.headers.get("last-modified"),
                "noindex" in response.headers.get("x-robots-tag", "").lower(),
            )

    async def _wait_for_turn(self, url: str) -> None:
        if not self.pause_s:
            return
        host, now = urlsplit(url).netloc, time.monotonic()
        turn = max(now, _turns.get(host, now))
        _turns[host] = turn + self.pause_s
        await asyncio.sleep(turn - now)


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes(2**16):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise DocumentError(describe_size(size).replace("It has", "It has more than"))
    return b"".join(parts)


def _follow(url: str, target: str) -> str:
    try:
        there = urljoin(url, target)
        old, new = urlsplit(url), urlsplit(there)
    except ValueError as error:
        raise DocumentError("It redirects to something that is no address.") from error
    if new.hostname != old.hostname or new.scheme not in ("http", "https"):
        raise LeadsElsewhere(f"It redirects to {new.hostname or 'no host'}.")
    return there
