import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from index.connectors.connector import SourceUnavailable
from index.connectors.folder import Folder, list_folder, read_document, resolve_folder
from index.documents import DocumentError, ListedDocument
from tandem.errors import SourceError


def listing(folder: Path) -> dict[str, ListedDocument]:
    return {document.path: document for document in list_folder(str(folder))}


def test_documents_are_listed_with_their_links(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"x")
    (folder / "with space & umlaut \u00fc.md").write_text("x")
    found = listing(folder)
    assert set(found) == {"leave.md", "people/travel.md", "printers.txt", "with space & umlaut \u00fc.md"}
    assert found["with space & umlaut \u00fc.md"].uri == f"file://{folder}/with%20space%20%26%20umlaut%20%C3%BC.md"
    assert all(document.fault is None and document.changed_at for document in found.values())


def test_hidden_things_are_passed_over(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("x")
    (folder / ".draft.md").write_text("x")
    assert len(listing(folder)) == 3


def test_links_lead_nowhere_else(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (folder / "secret.md").symlink_to(outside / "secret.md")
    (folder / "more").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "itself.md").symlink_to(folder / "itself.md")
    (folder / "dangling.md").symlink_to(folder / "nothing.md")
    (folder / "alias.md").symlink_to(folder / "leave.md")
    assert set(listing(folder)) == {"leave.md", "people/travel.md", "printers.txt", "alias.md"}
    with pytest.raises(DocumentError, match="out of the folder"):
        read_document(str(folder), "secret.md")


def test_names_with_odd_characters_are_listed_and_read(folder: Path) -> None:
    names = ["new\nline.md", "quote'\".md", "%20.md", "back\\slash.md", "\U0001f642.md"]
    for name in names:
        (folder / name).write_text(name)
    found = listing(folder)
    for name in names:
        assert found[name].fault is None
        assert read_document(str(folder), name).data.decode() == name


def test_a_name_that_is_not_utf8_is_a_fault(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("x")
    document = listing(folder)["caf\\xe9.md"]
    assert document.fault is not None
    assert "UTF-8" in document.fault


def test_a_file_that_is_too_large_is_a_fault(folder: Path) -> None:
    with (folder / "large.txt").open("wb") as file:
        file.truncate(200 * 2**20)
    assert listing(folder)["large.txt"].fault == "It has 200 MB; at most 32 MB are read."
    with pytest.raises(DocumentError, match="at most 32 MB"):
        read_document(str(folder), "large.txt")


def test_pipes_are_no_documents(folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    assert "pipe.md" not in listing(folder)
    with pytest.raises(DocumentError, match="regular"):
        read_document(str(folder), "pipe.md")


def test_a_file_that_vanished_says_so(folder: Path) -> None:
    with pytest.raises(DocumentError, match="vanished"):
        read_document(str(folder), "gone.md")
    with pytest.raises(SourceUnavailable, match="no folder"):
        read_document(str(folder / "unmounted"), "gone.md")


def test_what_passes_is_no_fault_of_the_file(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(SourceUnavailable, match="Too many open files"):
            read_document(str(folder), "leave.md")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with pytest.raises(DocumentError, match="File name too long"):
        read_document(str(folder), "x" * 300)


def test_a_folder_that_cannot_be_seen_into_is_named_with_its_slash(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: Path) -> "os._ScandirIterator[str]":
        if Path(path).name == "people":
            raise PermissionError(13, "Permission denied")
        return scan(str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert listing(folder)["people/"].fault == "The folder may not be read (Permission denied)."


@contextmanager
def as_somebody() -> Iterator[None]:
    """Permissions bind everybody but root, as whom tests may run."""
    own = os.geteuid()
    os.seteuid(own or 65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_a_folder_that_may_be_listed_but_not_entered_keeps_what_is_in_it() -> None:
    # Not in pytest's own folder, which lets nobody else in; nor does `elsewhere`.
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as elsewhere:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir()
        (folder / "closed" / "a.md").write_text("x")
        (folder / "link.md").symlink_to(Path(elsewhere) / "secret.md")
        (folder / "open.md").write_text("x")
        (folder / "closed").chmod(0o444)
        with as_somebody():
            found = asyncio.run(Folder(name).list(None))
        (folder / "closed").chmod(0o755)
    assert {document.path: document.fault for document in found.documents} == {
        "open.md": None,
        "closed/": "The folder may not be read (Permission denied).",
    }
    assert found.unseen_under == ["closed/"]


async def test_of_a_folder_whose_disk_fails_nothing_has_vanished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> "os._ScandirIterator[str]":
        raise OSError(5, f"Input/output error of {path}")

    monkeypatch.setattr(os, "scandir", fail)
    found = await Folder(str(folder)).list(None)
    assert (found.unseen_under, len(found.documents)) == ([""], 1)


def test_the_stamp_changes_with_the_file_even_under_an_old_time(folder: Path) -> None:
    before = listing(folder)["leave.md"].stamp
    text = (folder / "leave.md").read_text()
    times = (folder / "leave.md").stat()
    (folder / "leave.md").write_text(text.replace("thirty", "eighty"))
    os.utime(folder / "leave.md", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert listing(folder)["leave.md"].stamp != before


def test_a_fresh_file_has_no_stamp_yet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_document(str(folder), "leave.md").stamp is None
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert read_document(str(folder), "leave.md").stamp == listing(folder)["leave.md"].stamp


def test_a_location_must_be_a_folder(folder: Path) -> None:
    assert resolve_folder(folder / "people" / "..") == folder
    for wrong in (folder / "nothing", folder / "leave.md"):
        with pytest.raises(SourceError):
            resolve_folder(wrong)
    with pytest.raises(SourceError):
        list_folder(str(folder / "nothing"))
