"""The folder source: which files there are, and what one of them holds."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.documents import MAX_BYTES, DocumentError, ListedDocument, RawDocument, describe_size
from index.formats import SUFFIXES
from tandem.errors import SourceError

_ENDINGS = tuple(SUFFIXES)
SETTLED_S = 2.0
"""A file written less than this before it was read may change again without its times changing."""
_OF_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})
"""What lasts until somebody changes the file. All else (a disk, a network, too many open files) may pass."""
_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""What a dangling link says, and a file that was removed while it was listed."""


class Folder:
    """A connector without a cursor: to ask each file for its times is quick."""

    met = 0

    def __init__(self, location: str) -> None:
        self._location = location

    async def list(self, cursor: Cursor | None) -> Listing:
        documents = await asyncio.to_thread(list_folder, self._location)
        # The source's own folder is "/", and every path begins with what is left of that.
        unseen_under = [document.path.lstrip("/") for document in documents if document.path.endswith("/")]
        return Listing(documents, unseen_under=unseen_under)

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        return await asyncio.to_thread(read_document, self._location, path)


def resolve_folder(location: Path) -> Path:
    """Returns the folder's own absolute path. Raises SourceError when there is no such folder or it cannot be read."""
    try:
        folder = location.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise SourceError(f"There is no folder {location}.", remedy="Check the path.") from error
    if not folder.is_dir():
        raise SourceError(f"{location} is not a folder.", remedy="Name the folder that the file is in.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise SourceError(f"{location} may not be read.", remedy="Give this user the right to read it.")
    return folder


def list_folder(location: str) -> list[ListedDocument]:
    """Lists the documents under a folder, in no order.

    Hidden files and folders are passed over, and so are links to folders and links that lead out of the folder.
    Raises SourceError when the folder is gone or may not be read.
    """
    root = resolve_folder(Path(location))
    return list(_walk(root))


def read_document(location: str, path: str) -> RawDocument:
    """Reads one listed document. Raises DocumentError when it vanished, is too large or may not be read, and
    SourceUnavailable when the disk or this machine fails."""
    root = Path(location)
    target = root / path
    try:
        if not target.resolve(strict=True).is_relative_to(root.resolve(strict=True)):
            raise DocumentError("It is a link that leads out of the folder.")
        descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise DocumentError("It is not a regular file.")
            if before.st_size > MAX_BYTES:
                raise DocumentError(describe_size(before.st_size))
            data = file.read(MAX_BYTES + 1)
            after = os.fstat(file.fileno())
    except (FileNotFoundError, NotADirectoryError) as error:
        if not root.is_dir():
            raise SourceUnavailable(f"There is no folder {location}.") from error
        raise DocumentError("The file vanished before it was read.") from error
    except OSError as error:
        fault = DocumentError if error.errno in _OF_THE_FILE else SourceUnavailable
        raise fault(f"The file may not be read ({error.strerror}).") from error
    except (ValueError, RuntimeError) as error:
        raise DocumentError(f"The file may not be read ({error}).") from error
    if len(data) > MAX_BYTES:
        raise DocumentError(describe_size(len(data)))
    settled = _stamp(before) == _stamp(after) and _is_settled(after)
    # A file that is moved or copied with its time comes later than it changed; of that the inode tells.
    arrived_at = _read_time(after.st_ctime) if after.st_ctime_ns > after.st_mtime_ns else None
    return RawDocument(data, _stamp(after) if settled else None, _read_time(after.st_mtime), arrived_at=arrived_at)


def _walk(root: Path) -> Iterator[ListedDocument]:
    folders = [root]
    while folders:
        folder = folders.pop()
        entries: list[os.DirEntry[str]] = []
        trouble = None
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            if folder == root:
                raise SourceError(f"There is no folder {root}.", remedy="Check the path.") from None
            continue  # removed while it was listed
        except OSError as error:
            trouble = error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.name.lower().endswith(_ENDINGS) and (listed := _describe(root, entry)):
                    yield listed
            except OSError as error:
                trouble = error
        if trouble:
            # Named with its slash: what is under it has not vanished, it only cannot be seen.
            path, uri = _name(root, folder)
            yield ListedDocument(f"{path}/", uri, None, None, f"The folder may not be read ({trouble.strerror}).")


def _describe(root: Path, file: "os.DirEntry[str]") -> ListedDocument | None:
    """None for what is no document; raises OSError where that cannot be told."""
    path, uri = _name(root, file)
    try:
        if file.is_symlink() and not Path(file).resolve().is_relative_to(root):
            return None
        found = file.stat()
    except RuntimeError:
        return None  # a link to itself
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        raise
    if not stat.S_ISREG(found.st_mode):
        return None
    fault = None
    if path.encode() != _cut(root, file):
        fault = "Its name is not UTF-8: rename it."
    elif found.st_size > MAX_BYTES:
        fault = describe_size(found.st_size)
    return ListedDocument(path, uri, _stamp(found), _read_time(found.st_mtime), fault)


def _name(root: Path, entry: "os.PathLike[str]") -> tuple[str, str]:
    """The path that the document is known by, always valid UTF-8, and its link."""
    return _cut(root, entry).decode("utf-8", "backslashreplace"), f"file://{quote_from_bytes(os.fsencode(entry))}"


def _cut(root: Path, entry: "os.PathLike[str]") -> bytes:
    # By hand: of ten thousand files, pathlib takes longer than the disk.
    return os.fsencode(entry)[len(os.fsencode(root).rstrip(b"/")) + 1 :]


def _stamp(found: os.stat_result) -> str:
    # ctime too: it gives away a file that was put in place with the time and size of the old one.
    return f"{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_size}"


def _is_settled(found: os.stat_result) -> bool:
    return time.time() - found.st_ctime > SETTLED_S


def _read_time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a time that no calendar has
