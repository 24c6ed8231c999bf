"""Bytes -> characters, for files that do not say how they are written."""

import codecs
import re

from charset_normalizer import from_bytes

from index.documents import DocumentError

SAMPLE = 65_536
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_DECLARED = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def decode_text(data: bytes, *, declares: bool = False) -> str:
    """Decodes by its mark, as UTF-8, as what it declares in its head (`declares`: HTML does), else by what is likely.

    Raises DocumentError for what is no text: control characters give it away.
    """
    for encoding in _candidates(data, declares=declares):
        try:
            return data.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    raise DocumentError("It is not text: its bytes are in no known encoding.", remedy="Save it as UTF-8, or remove it.")


def _candidates(data: bytes, *, declares: bool) -> list[str]:
    marked = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), None)
    if marked:
        return [marked]
    sample = data[:SAMPLE]
    if wide := _wide(sample):
        return [wide]
    if len(_CONTROL.findall(sample)) > len(sample) / 200:
        return []
    declared = _DECLARED.search(data[:1024]) if declares else None
    return ["utf-8", *([declared[1].decode()] if declared else []), *_likely(sample)]


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of Western text is zero."""
    first, second = sample[::2].count(0), sample[1::2].count(0)
    few, many = min(first, second), max(first, second)
    if not sample or many < len(sample) * 0.3 or few > len(sample) * 0.05:
        return None
    return "utf-16-be" if first > second else "utf-16-le"


def _likely(sample: bytes) -> list[str]:
    # Detectors take short Western texts for the strangest things, but know other scripts, whose letters are all high.
    if len(_HIGH.findall(sample)) > 0.3 * len(_LETTER.findall(sample)):
        found = from_bytes(sample).best()
        return [found.encoding] if found else []
    return ["cp1252", "latin-1"]
