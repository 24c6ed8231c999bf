"""A folder of everything that is wrong with files: each is named with its reason, and the good one is indexed."""

import zlib
from pathlib import Path

import pytest

from index import sandbox
from index.jobs import DocumentCounts
from tests.index.conftest import Room
from tests.index.files import make_docx, make_pdf, make_raw_pdf, make_scan, replace_part

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
PAGE = b"/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))


def make_bomb() -> bytes:
    """A page of a few kilobytes that is 400 MB once inflated twice."""
    page = zlib.compress(zlib.compress(b"BT /F1 12 Tf (ha) Tj ET " * 16_000_000, 1), 9)
    return make_raw_pdf(
        PAGE, b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(page), page), FONT
    )


def make_laughing_docx() -> bytes:
    body = f"<w:document xmlns:w='{WORD}'><w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
    return replace_part(make_docx(), "word/document.xml", [f"<!DOCTYPE d [{LAUGHS}]>{body}".encode()])


BAD = {
    "bomb.pdf": (make_bomb, "memory"),
    "locked.pdf": (lambda: make_pdf(("Leave", "Secret"), password="hush"), "password"),
    "scan.pdf": (make_scan, "no text"),
    "cut.pdf": (lambda: make_pdf(("Leave", "text"))[:200], "cannot be opened"),
    "laughs.docx": (make_laughing_docx, "no text"),
    "zeros.txt": (lambda: bytes(5000), "not text"),
    "broken.ipynb": (lambda: b'{"cells": [}', "not a notebook"),
    "wide.csv": (lambda: b",".join([b"c"] * 100_000), "100,000 columns"),
    "endless.csv": (lambda: b"word " * 300_000, "field larger"),
    "endless.rst": (lambda: b"*a " * 400_000, "longer than 3 seconds"),
    "nested.rst": (lambda: b"".join(b" " * n + b"* x\n\n" for n in range(1000)), "cannot be read"),
    "new\nline.md": (lambda: b"", "no text"),
}
LARGE = "large.pdf"


async def test_each_bad_file_has_its_reason_and_the_rest_is_indexed(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "TIMEOUT_S", 3)
    monkeypatch.setattr(sandbox, "MAX_MEMORY", 640 * 2**20)
    sandbox._end_child()
    for name, (make, _) in BAD.items():
        (tmp_path / name).write_bytes(make())
    with (tmp_path / LARGE).open("wb") as file:
        file.truncate(200 * 2**20)
    (tmp_path / "rocket.md").write_text("# Rocket\n\n[" + "\n\nThe rocket flies on Monday.\n")
    (tmp_path / "nested.html").write_bytes(b"<div><b>" * 25 + b"The nested oak stands in the garden.")
    (tmp_path / "word.md").write_bytes(b"a" * 100_000)
    progress = await room.look(await room.add(tmp_path))
    reasons = dict(failure.split(": ", 1) for failure in progress.failures)
    for name, (_, reason) in BAD.items():
        assert reason in reasons.get(name.replace("\n", "\\n"), ""), name
    assert "200 MB" in reasons[LARGE]
    assert progress.documents == DocumentCounts(added=3, failed=len(BAD) + 1)
    assert "Monday" in (await room.search("When does the rocket fly?")).hits[0].text
    assert "garden" in (await room.search("Where does the oak stand?")).hits[0].text
