import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.documents import DocumentError
from index.encodings import decode_text

GERMAN = "Der grüne Drucker für Müller steht im Café.\n"
RUSSIAN = "Принтер на третьем этаже требует пропуск. Очередь называется HERON, бумага лежит в шкафу.\n" * 4
JAPANESE = "三階のプリンターにはバッジが必要です。\n" * 4


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((GERMAN, name) for name in ("utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be")),
        ("\u201cquoted\u201d \u2013 so", "cp1252"),
        (RUSSIAN, "cp1251"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
    ],
)
def test_the_usual_encodings_are_read(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


def test_a_page_is_read_as_it_declares() -> None:
    page = '<meta charset="iso-8859-2"><p>\u017elu\u0165ou\u010dk\u00fd k\u016f\u0148'
    assert decode_text(page.encode("iso-8859-2"), declares=True) == page
    assert "p" in decode_text(page.replace("iso-8859-2", "no-such-thing").encode("latin-1", "replace"), declares=True)


@pytest.mark.parametrize(
    "data", [random.Random(1).randbytes(4000), b"\x89PNG\r\n\x1a\n" + bytes(99), b"\xff\xfe\x00\xd8"]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError, match="not text"):
        decode_text(data)


@given(st.text())
def test_utf8_is_never_taken_for_anything_else(text: str) -> None:
    if not any(ord(character) < 32 or ord(character) == 127 for character in text) and text[:1] != "\ufeff":
        assert decode_text(text.encode()) == text
