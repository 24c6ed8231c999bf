"""A terminal's seat: an identity of its own, and what terminals that were killed left behind."""

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

PREFIX = "terminal-"


class Seat:
    """`name` is the surface of this terminal's events; `dead` maps the seats of killed ones to the last reply of each.

    A seat is a locked file: the system ends the lock with the process, however that ends.
    """

    def __init__(self, file: TextIO, name: str, dead: dict[str, str]) -> None:
        self._file = file
        self.name = name
        self.dead = dead

    def note_shown(self, event_id: str) -> None:
        """Remembers, for whoever comes after a crash, that this reply has been seen."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(event_id)
        self._file.flush()


@contextmanager
def take_seat(folder: Path) -> Iterator[Seat]:
    """A new seat. The dead ones are held with it, so that nobody else inherits them, and go after an orderly end."""
    with ExitStack() as stack:
        dead: dict[Path, str] = {}
        for path in folder.glob(f"{PREFIX}*"):
            with suppress(FileNotFoundError):  # another terminal has just cleared it away
                file = stack.enter_context(path.open("r+", encoding="utf-8"))
                if _lock(file):
                    dead[path] = file.read()
        name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
        new = folder / f"new-{name}"  # invisible to the others until it is locked
        own = stack.enter_context(new.open("x", encoding="utf-8"))
        _lock(own)
        new.rename(folder / name)
        yield Seat(own, name, {path.name: shown for path, shown in dead.items()})
        for path in dead:
            path.unlink(missing_ok=True)


def _lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
