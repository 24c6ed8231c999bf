"""Object stores and other file systems behind fsspec: S3, Google Cloud Storage, Azure, SFTP and the like."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import fsspec

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.documents import MAX_BYTES, DocumentError, ListedDocument, RawDocument, describe_size
from index.formats import SUFFIXES
from tandem.errors import SourceError

LIST_S = 900
READ_S = 120
SETTLED_S = 2.0
"""A time alone is no sign of change for an object that was written less than this before it was read."""
_TAGS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "checksum")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_NOT_STORES = frozenset(
    {"file", "local", "blockcache", "filecache", "simplecache", "cached", "reference", "dir", "data"}
)
Result = TypeVar("Result")


def resolve_store(location: str) -> str:
    """Returns the address as it is kept. Raises SourceError when no installed package can read it."""
    try:
        url = urlsplit(location)
        has_password = bool(url.password)
    except ValueError as error:
        raise SourceError(f"{location} is no address.", remedy="Check it.") from error
    if "::" in location or not url.scheme or url.scheme in _NOT_STORES or not location.isprintable():
        raise SourceError(f"{location} is no address of a store.", remedy="Give one such as s3://BUCKET/FOLDER.")
    if has_password:
        raise SourceError(
            "The address holds a password, which would be stored and shown.",
            remedy="Leave it out, and give it to the worker as the store's own package wants it.",
        )
    try:
        fsspec.get_filesystem_class(url.scheme)
    except ValueError as error:
        raise SourceError(f"No package reads {url.scheme}://.", remedy="Check the address.") from error
    except ImportError as error:
        raise SourceError(
            f"{url.scheme}:// needs a package that is not installed: {error}.",
            remedy="Install it beside Tandem, on every machine that runs a worker.",
        ) from error
    return location.rstrip("/")


class Store:
    """A connector without a cursor: a store lists its objects with their tags or times in a few requests."""

    def __init__(self, location: str) -> None:
        self._location = location
        self.met = 0

    async def list(self, cursor: Cursor | None) -> Listing:
        return Listing(await self._in_time(LIST_S, self._list))

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        return await self._in_time(READ_S, lambda: self._read(path))

    async def _in_time(self, limit_s: float, work: Callable[[], Result]) -> Result:
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.wrap_future(_start(work))
        except TimeoutError as error:
            raise SourceUnavailable(f"{self._location} took more than {limit_s:.0f} s.") from error
        except (DocumentError, SourceError):
            raise
        except Exception as error:  # each store has errors of its own, which have no base
            # Its text may name endpoints and accounts, and a chat shows this.
            raise SourceUnavailable(f"{self._location} does not answer ({type(error).__name__}).") from error

    def _open(self) -> tuple[Any, str]:
        resolve_store(self._location)  # this machine may lack the package that another had
        return fsspec.core.url_to_fs(self._location, skip_instance_cache=True, use_listings_cache=False)  # type: ignore[no-any-return]

    def _list(self) -> Sequence[ListedDocument]:
        files, root = self._open()
        listed = []
        try:
            # Not `find`, which takes a folder that does not answer for one that is empty.
            for _, _, found in files.walk(root, detail=True, on_error="raise"):
                listed += [self._describe(files, root, about) for about in found.values() if _is_document(about, root)]
                self.met = len(listed)
        except FileNotFoundError as error:
            raise SourceError(f"There is nothing at {self._location}.", remedy="Check the address.") from error
        except PermissionError as error:
            raise SourceError(f"{self._location} may not be listed.", remedy="Give the worker the right to.") from error
        return listed

    def _describe(self, files: Any, root: str, about: Mapping[str, Any]) -> ListedDocument:
        path, size, fault = _find_path(about, root), about.get("size") or 0, None
        if size > MAX_BYTES:
            fault = describe_size(size)
        known = path.encode("utf-8", "backslashreplace").decode()
        if known != path:
            fault = "Its name is not UTF-8: rename it."
        uri = files.unstrip_protocol(about["name"]) if known == path else f"{self._location}/{known}"
        return ListedDocument(known, uri, _stamp(about), _find_time(about), fault)

    def _read(self, path: str) -> RawDocument:
        files, root = self._open()
        name = root if root.endswith(f"/{path}") and files.isfile(root) else f"{root.rstrip('/')}/{path}"
        try:
            before = files.info(name)
            if (before.get("size") or 0) > MAX_BYTES:
                raise DocumentError(describe_size(before["size"]))
            with files.open(name, "rb") as file:
                data = file.read(MAX_BYTES + 1)
            after = files.info(name)
        except FileNotFoundError as error:
            raise DocumentError("It vanished before it was read.") from error
        except PermissionError as error:
            raise DocumentError("It may not be read.") from error
        if len(data) > MAX_BYTES:
            raise DocumentError(describe_size(len(data)))
        stamp = _stamp(after)
        if _stamp(before) != stamp or not _is_settled(after):
            stamp = None
        return RawDocument(data, stamp, _find_time(after))


def _start(work: Callable[[], Result]) -> Future[Result]:
    """In a thread that nobody waits for: a store that never answers would keep its worker for good."""
    outcome: Future[Result] = Future()
    outcome.set_running_or_notify_cancel()  # whoever stops waiting leaves the thread its future

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is whoever waits who handles it
            outcome.set_exception(error)

    threading.Thread(target=run, name="store", daemon=True).start()
    return outcome


def _find_path(about: Mapping[str, Any], root: str) -> str:
    """The path below the source; of a source that is one object, its name."""
    name = str(about["name"])
    return name[len(root) :].lstrip("/") if name.startswith(root) and name != root else name.rpartition("/")[2]


def _is_document(about: Mapping[str, Any], root: str) -> bool:
    parts = _find_path(about, root).split("/")
    return PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in parts)


def _stamp(about: Mapping[str, Any]) -> str | None:
    """The store's own tag of the content, else its time and size; None when it tells neither."""
    if tags := [str(about[key]) for key in _TAGS if about.get(key)]:
        return ":".join(tags)
    moment = _find_time(about)
    return f"{moment.isoformat()}:{about.get('size')}" if moment else None


def _is_settled(about: Mapping[str, Any]) -> bool:
    moment = _find_time(about)
    return any(about.get(key) for key in _TAGS) or moment is None or time.time() - moment.timestamp() > SETTLED_S


def _find_time(about: Mapping[str, Any]) -> datetime | None:
    value = next((about[key] for key in _TIMES if about.get(key)), None)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            value = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
