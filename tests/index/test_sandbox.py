import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from index import sandbox
from index.documents import DocumentError
from index.sandbox import convert_apart
from tests.index.files import make_docx, make_odt, replace_part

ENDLESS = b"*a " * 400_000
"""What docutils needs minutes for: each star is looked for its end."""
PAGE = b"<h1>Leave</h1><p>Thirty days"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    sandbox._end_child()
    yield
    sandbox._end_child()


def reason(data: bytes, suffix: str) -> str:
    with pytest.raises(DocumentError) as caught:
        convert_apart(data, suffix)
    return caught.value.message


def child() -> psutil.Process:
    assert sandbox._child is not None
    return psutil.Process(sandbox._child.pid)


def test_one_child_serves_many_documents() -> None:
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]
    first = child().pid
    assert convert_apart(make_docx("x", title="Given"), ".docx")[0] == "Given"
    assert child().pid == first


def test_what_takes_too_long_is_ended_and_the_next_document_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TIMEOUT_S", 0.5)
    assert reason(ENDLESS, ".rst") == "Reading it took longer than 0.5 seconds."
    monkeypatch.setattr(sandbox, "TIMEOUT_S", 60)
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]


def test_what_swells_is_ended_and_the_next_document_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_MEMORY", 640 * 2**20)
    nested = b"<div>" * 1_500_000 + b"deep"
    assert "more than 640 MB of memory" in reason(nested, ".html")
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]
    assert child().memory_info().vms < 640 * 2**20


@pytest.mark.parametrize("suffix", [".odt", ".docx"])
def test_archives_that_unpack_to_far_more_are_refused(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setattr(sandbox, "MAX_MEMORY", 640 * 2**20)
    name, file, head, piece, tail = {
        ".odt": ("content.xml", make_odt(""), b"<a>", b"<b>hello</b>", b"</a>"),
        ".docx": ("word/document.xml", make_docx("x"), b"<w:document><w:body>", b"<w:p>hello</w:p>", b"</w:body>"),
    }[suffix]
    bomb = replace_part(file, name, [head, *[piece * 100_000] * 150, tail])
    assert len(bomb) < 4_000_000
    said = reason(bomb, suffix)
    assert "memory" in said or "Security limit" in said
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]


def test_a_crash_in_the_middle_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TIMEOUT_S", 20)
    convert_apart(PAGE, ".html")
    crash = threading.Timer(0.3, os.kill, (child().pid, signal.SIGSEGV))
    crash.start()
    assert "crashed (SIGSEGV)" in reason(ENDLESS, ".rst")
    crash.join()
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]


def test_a_child_that_died_in_between_is_replaced() -> None:
    convert_apart(PAGE, ".html")
    child().kill()
    child().wait(5)
    assert "Thirty days" in convert_apart(PAGE, ".html")[1]


def test_the_child_knows_no_secret() -> None:
    convert_apart(PAGE, ".html")
    assert set(child().environ()) <= {"PYTHONPATH", "MALLOC_ARENA_MAX", "LC_CTYPE", "LD_LIBRARY_PATH"}


def test_a_killed_parent_leaves_no_child_behind() -> None:
    code = "from index import sandbox; sandbox.TIMEOUT_S = 2; sandbox.convert_apart(b'*a ' * 400_000, '.rst')"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 20
        while not (children := psutil.Process(parent.pid).children()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    children[0].wait(20)
