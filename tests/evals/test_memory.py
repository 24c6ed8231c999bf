"""A server's memory is that of the process that listens, with its children."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tandem.evals.memory import measure_memory

PARENT = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
kept = b"x" * (40 << 20)
child = subprocess.Popen([sys.executable, "-c", "kept = b'x' * (60 << 20); print(flush=True); input()"],
    stdin=sys.stdin, stdout=subprocess.PIPE)
child.stdout.readline()
print(listener.getsockname()[1], flush=True)
child.wait()
"""


@contextmanager
def parent_and_child() -> Iterator[int]:
    """The port of a process that holds 40 MiB and has a child with 60."""
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        yield int(process.stdout.readline())
        process.stdin.close()


def test_children_count_and_shared_pages_are_split() -> None:
    with parent_and_child() as port:
        memory = measure_memory(f"http://127.0.0.1:{port}/v1")
    assert memory
    assert 100 < memory.rss_mb < 200
    assert memory.pss_mb is None or 100 < memory.pss_mb < memory.rss_mb


def test_this_process_is_found_by_any_of_its_names() -> None:
    own = psutil.Process(os.getpid()).memory_info().rss / (1 << 20)
    with socket.create_server(("", 0)) as listener:
        for name in ("localhost", "127.0.0.1"):
            memory = measure_memory(f"http://{name}:{listener.getsockname()[1]}")
            assert memory
            assert memory.rss_mb > own / 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://192.0.2.1:80", "https://no.such.host.invalid"])
def test_what_is_elsewhere_or_nowhere_has_no_memory(url: str) -> None:
    assert measure_memory(url) is None
