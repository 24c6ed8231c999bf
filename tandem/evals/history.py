"""The history of a folder: `events.jsonl` (what changed in which commit) and `blobs.jsonl` (what it then said)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tandem.evals.rows import DataError, bad_line, find_file, read_rows

BLOBS = 'Each line of blobs.jsonl is a JSON object with "blob" and "text".'
PARTIAL = ".tandem-partial"
EVENTS = (
    'Each line of events.jsonl is a JSON object with "commit", "status" (A, M, T or D), "path" and, but for D, "blob";'
    " the lines of a commit follow each other."
)


class Event(BaseModel):
    """One line of the events; what else stands in it is left alone."""

    model_config = ConfigDict(frozen=True)

    commit: str = Field(min_length=1)
    status: Literal["A", "M", "T", "D"]
    path: str = Field(min_length=1)
    blob: str | None = None


class Blob(BaseModel):
    model_config = ConfigDict(frozen=True)

    blob: str
    text: str


@dataclass(frozen=True)
class Commit:
    """`texts`: what each changed file says from then on, by its path in the folder; None where it is gone."""

    id: str
    texts: Mapping[str, str | None]

    def apply(self, folder: Path) -> None:
        """Makes the folder say it. Raises DataError when a file cannot be written."""
        # Files go before others come: one may stand where another's folder will.
        for path, text in sorted(self.texts.items(), key=lambda item: item[1] is not None):
            try:
                _write(folder, folder / path, text)
            except OSError as error:
                raise DataError(
                    f"Commit {self.id}: {path!r} cannot be written: {error.strerror}.", remedy=EVENTS
                ) from error


def read_history(folder: Path) -> list[Commit]:
    """At least one commit, in their order. Raises DataError, which names a missing file, or a bad line's number."""
    events, contents = find_file(folder, "events.jsonl"), find_file(folder, "blobs.jsonl")
    blobs = {row.blob: row.text for _, row in read_rows(contents, Blob, remedy=BLOBS)}
    changes: list[tuple[str, str, str | None]] = []
    for number, event in read_rows(events, Event, remedy=EVENTS):
        path = PurePosixPath(event.path)
        if path.is_absolute() or ".." in path.parts or "\0" in event.path:
            raise bad_line(events, number, f"the path {event.path!r} leads out of the folder", EVENTS)
        if event.status != "D" and event.blob not in blobs:
            raise bad_line(events, number, f"blobs.jsonl has no blob {event.blob}", EVENTS)
        changes.append((event.commit, str(path), None if event.status == "D" else blobs[str(event.blob)]))
    commits = [
        Commit(commit, {path: text for _, path, text in part}) for commit, part in groupby(changes, lambda row: row[0])
    ]
    if not commits:
        raise DataError(f"{events} holds no commits.", remedy=EVENTS)
    return commits


def _write(root: Path, path: Path, text: str | None) -> None:
    if text is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Put in place whole: who reads the folder at this moment finds the old text or the new one.
        partial = path.with_name(PARTIAL)
        partial.write_bytes(text.encode(errors="replace"))
        partial.replace(path)
        return
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == root or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()
