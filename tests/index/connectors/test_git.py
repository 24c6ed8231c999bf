"""A git source follows its branch commit by commit, also through forced pushes, and names what it cannot read."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.connectors import git_history
from index.connectors.connector import SourceUnavailable
from index.connectors.git import LFS_POINTER, GitRepository
from index.documents import DocumentError
from index.jobs import SCHEDULE, WATCH, DocumentCounts, cancel_look, enqueue_look, read_look, run_next_job
from index.leases import MAX_ATTEMPTS
from index.sources import Source, add_source
from tandem.errors import SourceError
from tests.index.conftest import Room

START = 1_700_000_000


class Repository:
    """A real repository whose commits are an hour apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._commits = 0
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "uploadpack.allowFilter", "true")

    def git(self, *arguments: str) -> str:
        moment = f"{START + 3600 * self._commits} +0000"
        own = {
            "GIT_AUTHOR_NAME": "ann",
            "GIT_AUTHOR_EMAIL": "ann@example.org",
            "GIT_COMMITTER_NAME": "ann",
            "GIT_COMMITTER_EMAIL": "ann@example.org",
            "GIT_AUTHOR_DATE": moment,
            "GIT_COMMITTER_DATE": moment,
        }
        return subprocess.run(
            ["git", *arguments], cwd=self.folder, env=os.environ | own, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, **files: str | None) -> datetime:
        """Commits these files, `__` for a slash and no suffix; None removes. Returns the time of the commit."""
        self._commits += 1
        for name, text in files.items():
            path = self.folder / f"{name.replace('__', '/')}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return datetime.fromtimestamp(START + 3600 * self._commits, UTC)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "handbook")
    repository.commit(leave="# Leave\n\nThirty days a year.\n", people__travel="# Travel\n\nTake the train.\n")
    return repository


@pytest.fixture
def connect(tmp_path: Path, repository: Repository) -> Callable[..., GitRepository]:
    def connect(home: str = "home", branch: str | None = None) -> GitRepository:
        return GitRepository(repository.folder.as_uri(), branch, tmp_path / home)

    return connect


async def add(room: Room, repository: Repository, **options: str) -> Source:
    return await add_source(room.database, repository.folder, name=None, kind="git", options=options, added_by="test")


async def test_documents_change_vanish_and_come_with_the_commits(room: Room, repository: Repository) -> None:
    source = await add(room, repository)
    assert (source.kind, source.name) == ("git", "handbook")
    assert (await room.look(source)).documents == DocumentCounts(added=2)
    repository.commit(leave="# Leave\n\nForty days a year.\n", people__travel=None, sick="# Sick\n\nCall by nine.\n")
    progress = await room.look(source, by=SCHEDULE)
    assert progress.documents == DocumentCounts(added=1, changed=1, removed=1)
    assert progress.chunks.embedded == 2
    assert set(await room.texts()) == {"leave.md", "sick.md"}
    assert "Forty" in (await room.search("days of leave")).hits[0].text
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(unchanged=2)
    assert (await room.look(source, by="ann")).documents == DocumentCounts(unchanged=2)
    await room.check_counts()


async def test_an_unchanged_head_lists_nothing_and_needs_no_clone(connect: Callable[..., GitRepository]) -> None:
    first = await connect().list(None)
    assert {document.path for document in first.documents} == {"leave.md", "people/travel.md"}
    again = await connect("elsewhere").list(first.cursor)
    assert (again.is_difference, again.documents, again.removed, again.cursor) == (True, (), (), first.cursor)


async def test_a_document_changed_when_its_commit_or_merge_reached_the_branch(
    repository: Repository, connect: Callable[..., GitRepository], tmp_path: Path
) -> None:
    begin = await connect().list(None)
    assert [document.changed_at for document in begin.documents] == [datetime.fromtimestamp(START + 3600, UTC)] * 2
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit(leave="# Leave\n\nForty days a year.\n")
    repository.git("checkout", "--quiet", "main")
    repository.commit(sick="# Sick\n\nCall by nine.\n")
    repository._commits += 1
    repository.git("merge", "--quiet", "--no-edit", "side")
    merged = datetime.fromtimestamp(START + 3600 * 4, UTC)
    since = {document.path: document.changed_at for document in (await connect().list(begin.cursor)).documents}
    assert since == {"leave.md": merged, "sick.md": datetime.fromtimestamp(START + 3600 * 3, UTC)}
    anew = {document.path: document.changed_at for document in (await connect("other").list(None)).documents}
    assert anew == since | {"people/travel.md": datetime.fromtimestamp(START + 3600, UTC)}


async def test_a_history_rewritten_by_force_is_compared_file_by_file(room: Room, repository: Repository) -> None:
    repository.commit(sick="# Sick\n\nCall by nine.\n")
    source = await add(room, repository)
    await room.look(source)
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    repository.commit(leave="# Leave\n\nForty days a year.\n")
    progress = await room.look(source, by=SCHEDULE)
    assert progress.documents == DocumentCounts(changed=1, removed=1, unchanged=1)
    [note] = progress.failures
    assert "rewritten" in note
    assert set(await room.texts()) == {"leave.md", "people/travel.md"}


async def test_what_is_no_file_is_named(repository: Repository, room: Room, tmp_path: Path) -> None:
    (repository.folder / "alias.md").symlink_to("leave.md")
    (repository.folder / "loop.md").symlink_to("loop.md")
    (repository.folder / "large.pdf").write_bytes(LFS_POINTER + b"v1\noid sha256:0\nsize 1\n")
    (repository.folder / ".hidden.md").write_text("x")
    (repository.folder / "photo.jpg").write_bytes(b"x")
    inner = Repository(tmp_path / "inner")
    inner.commit(page="# Page\n\ntext\n")
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.folder), "vendor")
    repository.commit(**{"new\nline": "# Line\n\ntext\n"})
    progress = await room.look(await add(room, repository))
    assert progress.documents == DocumentCounts(added=3, failed=1)
    assert progress.failures == (
        "alias.md was passed over: it is a symbolic link.",
        "loop.md was passed over: it is a symbolic link.",
        "vendor was passed over: it is a submodule; add its repository as a source.",
        "large.pdf: It is a Git LFS pointer; the file itself is not in the repository.",
    )


async def test_files_that_are_no_documents_are_not_fetched(
    repository: Repository, connect: Callable[..., GitRepository]
) -> None:
    (repository.folder / "film.mp4").write_bytes(os.urandom(2**20))
    repository.commit()
    connector = connect()
    [leave, _] = (await connector.list(None)).documents
    assert (await connector.read(leave.path, leave.stamp)).data == b"# Leave\n\nThirty days a year.\n"
    packs = connector._git.directory / "objects" / "pack"
    assert sum(file.stat().st_size for file in packs.iterdir()) < 2**18


async def test_another_machine_reads_with_a_clone_of_its_own(connect: Callable[..., GitRepository]) -> None:
    [leave, _] = (await connect().list(None)).documents
    assert (await connect("elsewhere").read(leave.path, leave.stamp)).data.startswith(b"# Leave")


async def test_a_branch_can_be_chosen_and_must_be_there(
    repository: Repository, connect: Callable[..., GitRepository]
) -> None:
    repository.git("checkout", "--quiet", "-b", "draft")
    repository.commit(idea="# Idea\n\ntext\n")
    repository.git("checkout", "--quiet", "main")
    assert len((await connect(branch="draft").list(None)).documents) == 3
    main = await connect().list(None)
    assert len(main.documents) == 2
    assert not (await connect(branch="draft").list(main.cursor)).is_difference, "a cursor of another branch"
    with pytest.raises(SourceError, match="no branch gone"):
        await connect(branch="gone").list(None)


async def test_a_repository_that_is_away_or_empty_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="ls-remote failed"):
        await GitRepository(f"file://{tmp_path}/nowhere", None, tmp_path / "home").list(None)
    empty = Repository(tmp_path / "empty")
    with pytest.raises(SourceError, match="is empty"):
        await GitRepository(str(empty.folder), None, tmp_path / "home").list(None)


async def test_a_lock_that_a_killed_git_left_heals_itself(
    repository: Repository, connect: Callable[..., GitRepository]
) -> None:
    begin = await connect().list(None)
    repository.commit(leave="# Leave\n\nForty days a year.\n")
    [reference] = (connect()._git.directory / "refs" / "tandem").iterdir()
    reference.with_name(reference.name + ".lock").touch()
    with pytest.raises(SourceUnavailable, match="lock"):
        await connect().list(begin.cursor)
    assert (await connect().list(begin.cursor)).documents


async def test_a_repository_that_goes_away_between_listing_and_reading_changes_nothing(
    room: Room, repository: Repository, tmp_path: Path
) -> None:
    source = await add(room, repository)
    await room.look(source)
    repository.commit(leave="# Leave\n\nForty days a year.\n")
    look = await enqueue_look(room.database, room.settings, source, requested_by=WATCH)
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    shutil.rmtree(room.settings.home / "git")
    repository.folder.rename(tmp_path / "away")
    for _ in range(MAX_ATTEMPTS):
        await room.drain()
        await room.database.execute(b"UPDATE jobs SET due_at = now() WHERE state = 'queued'")
    progress = await read_look(room.database, look)
    assert progress.documents == DocumentCounts(failed=1, unchanged=1)
    assert "ls-remote failed" in progress.failures[0]
    assert "Thirty" in (await room.search("days of leave")).hits[0].text
    (tmp_path / "away").rename(repository.folder)
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(changed=1, unchanged=1)
    assert "Forty" in (await room.search("days of leave")).hits[0].text


async def test_a_commit_that_removes_nearly_everything_is_not_believed(room: Room, repository: Repository) -> None:
    names = [f"page{number}" for number in range(10)]
    repository.commit(**{name: f"# {name}\n\nThis is {name}.\n" for name in names})
    source = await add(room, repository)
    await room.look(source)
    repository.commit(**dict.fromkeys(names))
    for _ in range(2):
        progress = await room.look(source, by=SCHEDULE)
        assert progress.error is not None
        assert "--accept-removals" in progress.error
    progress = await room.look(source, by=SCHEDULE, accept_removals=True)
    assert progress.documents == DocumentCounts(removed=10, unchanged=2)


async def test_a_file_that_is_too_large_is_refused(
    repository: Repository, connect: Callable[..., GitRepository]
) -> None:
    (repository.folder / "large.txt").write_bytes(b"\0" * (33 * 2**20))
    repository.commit()
    connector = connect()
    large = next(d for d in (await connector.list(None)).documents if d.path == "large.txt")
    with pytest.raises(DocumentError, match="33 MB"):
        await connector.read(large.path, large.stamp)


async def test_what_was_listed_and_then_cancelled_is_listed_again(room: Room, repository: Repository) -> None:
    source = await add(room, repository)
    await room.look(source)
    repository.commit(leave="# Leave\n\nForty days a year.\n", people__travel=None)
    await enqueue_look(room.database, room.settings, source, requested_by=SCHEDULE)
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    await cancel_look(room.database, source, cancelled_by="ann")
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(changed=1, removed=1)


async def test_jobs_that_read_at_once_share_one_clone(
    repository: Repository, connect: Callable[..., GitRepository]
) -> None:
    names = [f"page{number}" for number in range(12)]
    repository.commit(**{name: f"# {name}\n\nThis is {name}.\n" for name in names})
    listed = (await connect().list(None)).documents
    shutil.rmtree(connect()._git.directory)
    read = await asyncio.gather(*(connect().read(document.path, document.stamp) for document in listed))
    assert sum(b"This is" in raw.data for raw in read) == len(names)


async def test_a_config_lock_that_a_killed_git_left_heals_itself(connect: Callable[..., GitRepository]) -> None:
    clone = connect()._git.directory
    clone.mkdir(parents=True)
    (clone / "config.lock").touch()
    with pytest.raises(SourceUnavailable, match="lock"):
        await connect().list(None)
    assert len((await connect().list(None)).documents) == 2


async def test_times_that_were_not_found_in_time_are_told(
    repository: Repository, connect: Callable[..., GitRepository], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await connect().list(None)
    repository.commit(leave="# Leave\n\nForty days a year.\n")
    monkeypatch.setattr(git_history, "HISTORY_S", 0.0)
    for cursor, count in ((None, 2), (first.cursor, 1)):
        listing = await connect().list(cursor)
        assert [document.changed_at for document in listing.documents] == [None] * count
        assert listing.notes == [f"When they changed was not found in time for {count} documents."]
