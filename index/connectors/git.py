"""The git source: the documents at the head of a branch, compared commit by commit."""

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from index.connectors.connector import Cursor, Listing, SourceUnavailable
from index.connectors.file_lock import hold_file
from index.connectors.forge import check_branch, link_file
from index.connectors.git_command import Git
from index.connectors.git_history import find_times, read_time
from index.documents import MAX_BYTES, DocumentError, ListedDocument, RawDocument, describe_size
from index.formats import SUFFIXES
from tandem.errors import SourceError

FETCH_S = 900
SHOWN_NOTES = 10
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_GONE = "000000"
_FILES = ("100644", "100755")
_LOCKED = (".lock'", "could not lock")
_NOTES = {
    "120000": "was passed over: it is a symbolic link",
    "160000": "was passed over: it is a submodule; add its repository as a source",
}


@dataclass(frozen=True)
class _Head:
    commit: str
    branch: str


@dataclass(frozen=True)
class _Entry:
    """A file of a commit. A mode of zeros says that it is no longer there."""

    mode: str
    blob: str
    path: bytes


class GitRepository:
    """A connector whose cursor is the commit, and whose stamps are the blobs' ids.

    It keeps a bare clone under `home`, without the files that are no documents where the server can leave them out.
    The clone is a cache: any worker makes its own, and it may be deleted.
    """

    met = 0

    def __init__(self, location: str, branch: str | None, home: Path) -> None:
        key = hashlib.blake2b(location.encode(), digest_size=12).hexdigest()
        self._location = location
        self._branch = check_branch(branch) if branch else None
        self._git = Git(home / "git" / f"{key}.git")

    async def list(self, cursor: Cursor | None) -> Listing:
        head = await self._find_head()
        known = str(cursor["commit"]) if cursor and cursor.get("branch") == head.branch else None
        if head.commit == known:
            return Listing((), is_difference=True, cursor=cursor)
        notes = []
        async with self._alone():
            await self._fetch(head)
            if known and not await self._has(known):
                known = None
            entries = await self._compare(known, head.commit)
            files = [entry for entry in entries if entry.mode in _FILES and _is_document(entry.path)]
            await self._fetch_blobs(head.commit, files)
        if known and not await self._is_ancestor(known, head.commit):
            notes.append(f"The history of {head.branch} was rewritten; what differs from {known[:10]} is indexed anew.")
        times, is_whole = await self._date(known, head.commit, {entry.path for entry in files})
        if not is_whole:
            notes.append(f"When they changed was not found in time for {len(files) - len(times):,} documents.")
        odd = [f"{_name(e.path)} {_NOTES[e.mode]}." for e in entries if e.mode in _NOTES and _is_wanted(e)]
        if len(odd) > SHOWN_NOTES:
            odd[SHOWN_NOTES:] = [f"So were {len(odd) - SHOWN_NOTES} more symbolic links and submodules."]
        listed = {entry.path for entry in files}
        return Listing(
            [self._describe(entry, head, times) for entry in files],
            is_difference=known is not None,
            removed=[_name(entry.path) for entry in entries if entry.path not in listed],
            notes=notes + odd,
            cursor={"commit": head.commit, "branch": head.branch},
        )

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        if stamp is None:
            raise DocumentError("It is not in the repository.")
        try:
            data = await self._read_blob(stamp)
        except SourceUnavailable:  # another worker listed it, with a clone of its own
            data = await self._read_anew(stamp)
        if data.startswith(LFS_POINTER):
            raise DocumentError("It is a Git LFS pointer; the file itself is not in the repository.")
        return RawDocument(data, stamp)

    async def _read_anew(self, blob: str) -> bytes:
        async with self._alone():
            with suppress(SourceUnavailable):  # unless another job brought it meanwhile
                return await self._read_blob(blob)
            head = await self._find_head()
            await self._fetch(head)
            await self._fetch_blobs(head.commit, await self._compare(None, head.commit))
            return await self._read_blob(blob)

    def _alone(self) -> AbstractAsyncContextManager[None]:
        """Whoever writes to the clone holds this: other jobs of this machine, and other sources, may share it."""
        return hold_file(self._git.directory.with_suffix(".lock"), 2 * FETCH_S)

    async def _find_head(self) -> _Head:
        """Asks the repository where its branch is. Raises SourceError when it has no such branch."""
        wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        output = await self._git.run("ls-remote", "--symref", "--", self._location, wanted)
        branch, commit = self._branch or "HEAD", None
        for line in output.decode(errors="replace").splitlines():
            value, _, reference = line.partition("\t")
            if reference == wanted and value.startswith("ref: refs/heads/"):
                branch = value.removeprefix("ref: refs/heads/")
            elif reference == wanted:
                commit = value
        if commit is None:
            raise SourceError(
                f"{self._location} has no branch {self._branch}." if self._branch else f"{self._location} is empty.",
                remedy="Push to it, or add it with another --branch.",
            )
        return _Head(commit, branch)

    async def _fetch(self, head: _Head) -> None:
        """Brings the commit and its history into the clone."""
        if await self._has(head.commit):
            return
        reference = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        kept = f"refs/tandem/{hashlib.blake2b(reference.encode(), digest_size=8).hexdigest()}"
        try:
            await self._set_up()
            await self._git.run(
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--force"),
                *("--", "origin", f"+{reference}:{kept}"),
                timeout_s=FETCH_S,
            )
        except SourceUnavailable as error:
            if any(mark in error.message for mark in _LOCKED):  # left behind by a git that was killed
                await asyncio.to_thread(shutil.rmtree, self._git.directory, ignore_errors=True)
            raise
        if not await self._has(head.commit):
            raise SourceUnavailable(f"The branch of {self._location} moved while it was fetched.")

    async def _set_up(self) -> None:
        await self._git.run("init", "--bare", "--quiet", "--template=", "--", str(self._git.directory))
        for key, value in (("url", self._location), ("promisor", "true"), ("partialclonefilter", "blob:none")):
            await self._git.run("config", f"remote.origin.{key}", value)
        await self._git.run("config", "core.repositoryformatversion", "1")
        await self._git.run("config", "extensions.partialClone", "origin")

    async def _fetch_blobs(self, commit: str, files: Sequence[_Entry]) -> None:
        """Fetches the documents that the clone left out, all in one request; git by itself would ask for each."""
        output = await self._git.run(
            "rev-list", "--objects", "--no-object-names", "--missing=print", f"{commit}^{{tree}}"
        )
        missing = {line[1:] for line in output.decode().splitlines() if line.startswith("?")}
        if wanted := sorted(missing & {entry.blob for entry in files if _is_document(entry.path)}):
            await self._git.run(
                *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
                *("--recurse-submodules=no", "--filter=blob:none", "--stdin", "origin"),
                given="".join(f"{blob}\n" for blob in wanted).encode(),
                timeout_s=FETCH_S,
            )

    async def _compare(self, known: str | None, commit: str) -> Sequence[_Entry]:
        """The files of a commit, or those that differ from a known one."""
        if known is None:
            fields = (await self._git.run("ls-tree", "-r", "-z", "--full-tree", commit)).split(b"\0")[:-1]
            heads = [(head.decode().split(), path) for head, _, path in (field.partition(b"\t") for field in fields)]
            return [_Entry(mode, blob, path) for (mode, _, blob), path in heads]
        output = await self._git.run("diff-tree", "-r", "-z", "--no-renames", "--full-index", known, commit)
        parts = output.split(b"\0")[:-1]
        changes = [(head.decode().split(), path) for head, path in zip(parts[::2], parts[1::2], strict=True)]
        return [_Entry(words[1], words[3], path) for words, path in changes]

    async def _date(
        self, known: str | None, commit: str, paths: set[bytes]
    ) -> tuple[dict[bytes, datetime | None], bool]:
        """When each path last changed on the branch, and whether time was left to find all that can be.

        What differs from the known commit without any commit that says so, as when a commit was taken back by force,
        changed with the head.
        """
        times, is_whole = await find_times(self._git, f"{known}..{commit}" if known else commit, paths)
        if known and is_whole and (missing := paths - times.keys()):
            output = await self._git.run("show", "--no-patch", "--format=%ct", commit)
            times |= dict.fromkeys(missing, read_time(output.strip()))
        return times, is_whole

    async def _read_blob(self, blob: str) -> bytes:
        try:
            size = int(await self._git.run("cat-file", "-s", blob))
        except ValueError as error:
            raise SourceUnavailable("git does not say how large it is.") from error
        if size > MAX_BYTES:
            raise DocumentError(describe_size(size))
        return await self._git.run("cat-file", "blob", blob)

    async def _has(self, commit: str) -> bool:
        try:
            # Most other commands would fetch what is missing, and with it a history that is there.
            output = await self._git.run("rev-list", "--missing=allow-any", "--no-walk", commit)
        except SourceUnavailable:
            return False
        return output.decode().strip() == commit

    async def _is_ancestor(self, known: str, commit: str) -> bool:
        try:
            await self._git.run("merge-base", "--is-ancestor", known, commit)
        except SourceUnavailable:
            return False
        return True

    def _describe(self, entry: _Entry, head: _Head, times: dict[bytes, datetime | None]) -> ListedDocument:
        path = _name(entry.path)
        fault = None if path.encode() == entry.path else "Its name is not UTF-8: rename it."
        return ListedDocument(
            path, link_file(self._location, head.branch, path), entry.blob, times.get(entry.path), fault
        )


def _is_document(path: bytes) -> bool:
    parts = _name(path).split("/")
    return PurePosixPath(parts[-1]).suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in parts)


def _is_wanted(entry: _Entry) -> bool:
    return _is_document(entry.path) or entry.mode == "160000"


def _name(path: bytes) -> str:
    """The path that the document is known by, always valid UTF-8."""
    return path.decode("utf-8", "backslashreplace")
