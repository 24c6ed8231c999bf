"""A store behind fsspec: real implementations in memory, on disk and over HTTP."""

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator

import fsspec
import pytest

from index.connectors import store as module
from index.connectors.connector import SourceUnavailable
from index.connectors.store import Store, resolve_store
from index.documents import DocumentError
from index.jobs import SCHEDULE, DocumentCounts
from index.sources import add_source
from tandem.errors import SourceError
from tests.index.conftest import Room
from tests.index.connectors.site_server import serve_site


class Away(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A store whose network is down."""

    def ls(self, path: str, detail: bool = True, **_: object) -> list[object]:
        raise ConnectionResetError(f"no route to {path} {detail}")


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pipe("/team/docs/leave.md", b"# Leave\n\nEverybody has thirty days of vacation.\n")
    files.pipe("/team/docs/people/travel\n.txt", b"Take the train.\n")
    files.pipe("/team/docs/.hidden/x.md", b"hidden")
    files.pipe("/team/docs/photo.jpg", b"x")
    files.pipe("/team/docs2/other.md", b"other")
    yield files
    files.store.clear()


async def test_objects_are_indexed_and_followed(
    room: Room, bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_S", -1.0)
    source = await add_source(room.database, "memory://team/docs/", name=None, added_by="test")
    assert (source.kind, source.name, source.location) == ("store", "docs", "memory://team/docs")
    assert (await room.look(source)).documents == DocumentCounts(added=2)
    assert (await room.search("vacation")).hits[0].uri == "memory:///team/docs/leave.md"
    assert (await room.look(source, by=SCHEDULE)).total == 0
    bucket.pipe("/team/docs/leave.md", b"# Leave\n\nEverybody has forty days of vacation.\n")
    bucket.rm("/team/docs/people", recursive=True)
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(changed=1, removed=1)
    assert "forty" in (await room.search("vacation")).hits[0].text


async def test_one_object_is_a_source_too(bucket: fsspec.AbstractFileSystem) -> None:
    store = Store("memory://team/docs/leave.md")
    [document] = (await store.list(None)).documents
    assert document.path == "leave.md"
    assert (await store.read("leave.md", None)).data.startswith(b"# Leave")


async def test_a_time_alone_is_not_believed_while_it_is_fresh(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store("memory://team/docs")
    assert (await store.read("leave.md", None)).stamp is None
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    listed = {document.path: document for document in (await store.list(None)).documents}
    assert (await store.read("leave.md", None)).stamp == listed["leave.md"].stamp is not None


async def test_what_is_too_large_or_gone_is_named(
    bucket: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store("memory://team/docs")
    with pytest.raises(DocumentError, match="vanished"):
        await store.read("gone.md", None)
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert {document.fault is None for document in (await store.list(None)).documents} == {False}
    with pytest.raises(DocumentError, match="at most"):
        await store.read("leave.md", None)


async def test_a_store_that_is_away_is_asked_later(bucket: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(SourceError, match="nothing at"):
        await Store("memory://nowhere").list(None)
    fsspec.register_implementation("away", Away, clobber=True)
    with pytest.raises(SourceUnavailable, match=r"away://docs does not answer \(ConnectionResetError\)\. It") as away:
        await Store("away://docs").list(None)
    assert "no route" not in str(away.value), "its text may name endpoints and accounts"
    with pytest.raises(SourceUnavailable, match="does not answer"):
        await Store("away://docs").read("a.md", None)


async def test_an_etag_is_the_stamp() -> None:
    with serve_site() as site:
        site.page("/docs/", "Docs", "text", "/docs/a.md")
        site.put("/docs/a.md", b"# A\n\ntext\n", ETag='"1"', Content_Length="10")
        raw = await Store(f"{site.url}/docs/").read("a.md", None)
    assert (raw.data, raw.stamp) == (b"# A\n\ntext\n", '"1"')


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("nonsense://x", "No package reads"),
        ("simplecache::s3://x", "no address"),
        ("file:///etc", "no address"),
        ("sftp://ann:secret@host/docs", "password"),
        ("s3://[x", "no address"),
    ],
)
def test_an_address_that_cannot_be_read_is_refused(location: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        resolve_store(location)
    assert "secret" not in str(refused.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(SourceError, match="s3fs"):
        resolve_store("s3://bucket/docs")


def test_a_store_that_never_answers_does_not_keep_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIST_S", 0.5)
    outcome: list[str] = []

    def ask(location: str) -> None:
        try:
            asyncio.run(Store(location).list(None))
        except SourceUnavailable as error:
            outcome.append(error.message)

    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        worker = threading.Thread(target=ask, args=(f"http://127.0.0.1:{silent.getsockname()[1]}/docs",), daemon=True)
        worker.start()
        worker.join(60)
        assert not worker.is_alive()
    assert "took more than" in outcome[0]
