"""Who uses a home's own model server: a shared lock for each, which the system takes back from a killed process too."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tandem.settings import Settings

POLL_S = 0.5


@contextmanager
def use(settings: Settings) -> Iterator[None]:
    """Counts the caller as a user; waits while an unused server is about to stop."""
    with (settings.run_dir / "model.users").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def wait_until_unused(settings: Settings) -> Iterator[None]:
    """Returns once nobody uses the server, and keeps new users waiting until it is left."""
    with (settings.run_dir / "model.users").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(POLL_S)
        yield


@contextmanager
def start_alone(settings: Settings) -> Iterator[None]:
    """One process at a time looks for a server and starts one."""
    with (settings.run_dir / "model.start").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_used(settings: Settings) -> bool:
    """Whether another process uses the server; False also when it is stopping already."""
    with (settings.run_dir / "model.users").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # the server holds it, and is about to go
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
