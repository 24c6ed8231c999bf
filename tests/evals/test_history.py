"""A history rebuilds the folder at any commit, stays in it, and names what is wrong with its line."""

import json
from pathlib import Path

import pytest

from tandem.evals.history import read_history
from tandem.evals.rows import DataError

Row = dict[str, str | None]
BLOBS: list[Row] = [{"blob": "1", "text": "one\r\n"}, {"blob": "2", "text": "zwei ä"}]


def write(folder: Path, events: list[Row], blobs: list[Row] = BLOBS) -> Path:
    for name, rows in (("events", events), ("blobs", blobs)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def event(commit: str, status: str, path: str, blob: str | None = None) -> Row:
    return {"commit": commit, "status": status, "path": path, "blob": blob, "old": None}


def texts(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_bytes().decode() for file in folder.rglob("*") if file.is_file()}


def test_commits_rebuild_the_folder(tmp_path: Path) -> None:
    rows = [
        event("c1", "A", "a/b/x.md", "1"),
        event("c1", "A", "y.md", "2"),
        event("c2", "A", "a", "2"),  # a file where a folder was, listed before what was in that goes
        event("c2", "D", "a/b/x.md"),
        event("c2", "M", "y.md", "1"),
        event("c3", "D", "a"),
        event("c3", "A", "a/z.md", "1"),
        event("c4", "D", "gone.md"),
    ]
    folder = tmp_path / "folder"
    folder.mkdir()
    states = []
    for commit in read_history(write(tmp_path, rows)):
        commit.apply(folder)
        states.append((commit.id, texts(folder)))
    assert states == [
        ("c1", {"a/b/x.md": "one\r\n", "y.md": "zwei ä"}),
        ("c2", {"a": "zwei ä", "y.md": "one\r\n"}),
        ("c3", {"a/z.md": "one\r\n", "y.md": "one\r\n"}),
        ("c4", {"a/z.md": "one\r\n", "y.md": "one\r\n"}),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (event("c", "A", "../x.md", "1"), "line 2: the path '../x.md' leads out"),
        (event("c", "A", "/etc/x.md", "1"), "line 2: the path '/etc/x.md' leads out"),
        (event("c", "D", "a/../../x.md"), "line 2: .* leads out"),
        (event("c", "A", "x.md", "3"), "line 2: blobs.jsonl has no blob 3"),
        (event("c", "A", "x.md"), "line 2: blobs.jsonl has no blob None"),
        (event("c", "X", "x.md", "1"), "line 2: status"),
        ({"commit": "c", "status": "A"}, "line 2: path: Field required"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: Row, said: str) -> None:
    with pytest.raises(DataError, match=f"events.jsonl, {said}"):
        read_history(write(tmp_path, [event("c", "A", "fine.md", "1"), row]))


def test_an_empty_or_missing_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no commits"):
        read_history(write(tmp_path, []))
    (tmp_path / "blobs.jsonl").unlink()
    with pytest.raises(DataError, match=r"holds no blobs\.jsonl"):
        read_history(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    rows = [event("c1", "A", "x.md", "1"), event("c2", "A", "x.md/y.md", "1")]
    first, second = read_history(write(tmp_path, rows))
    folder = tmp_path / "folder"
    folder.mkdir()
    first.apply(folder)
    with pytest.raises(DataError, match=r"Commit c2: 'x.md/y.md' cannot be written"):
        second.apply(folder)
