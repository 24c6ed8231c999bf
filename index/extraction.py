"""Bytes -> text: Markdown and plain text are decoded here, every other format is converted in the sandbox."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath

from index.blocks import parse_blocks
from index.documents import DocumentError, ExtractedDocument
from index.encodings import decode_text
from index.formats import MAX_CHARACTERS, PLAIN, SHEETS, suffix_of
from index.front_matter import read_time, split_front_matter
from index.languages import detect_language
from index.sandbox import convert_apart
from index.tables import write_records

EXTRACTOR = "formats-2"
"""Changes when the same bytes give another text."""
MAX_HEADINGS = 20_000
TITLE_CHARACTERS = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")

_NO_DATE = frozenset({"", "none", "null", "~"})
_BLANKS = re.compile(r"(?<!\s)\s{101,}")  # they count as no token, so a passage would hold any number


def extract_document(data: bytes, path: str) -> ExtractedDocument:
    """Returns the document's text and what its head says about it.

    The title is the front matter's or the format's own, else the first heading, else the file's name.
    Raises DocumentError with the reason when there is no text to be had.
    """
    suffix = suffix_of(path)
    fields: Mapping[str, str] = {}
    if suffix in PLAIN:
        fields, text = split_front_matter(_clean(decode_text(data)))
        title = fields.get("title")
    else:
        title, text = convert_apart(data, suffix)
        text = _clean(text)
    if not re.search(r"\w", text):
        raise DocumentError("It holds no text.", remedy="If it is a scan, run it through text recognition first.")
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(f"It holds {len(text):,} characters; at most {MAX_CHARACTERS:,} are read.")
    blocks = list(parse_blocks(text))
    headings = [block.title for block in blocks if block.kind == "heading"]
    if len(headings) > MAX_HEADINGS:
        raise DocumentError(f"It has {len(headings):,} headings; at most {MAX_HEADINGS:,} are read.")
    heading = next(filter(None, headings), None)
    named = title or (None if suffix in SHEETS else heading) or PurePosixPath(path).stem
    return ExtractedDocument(
        title=" ".join(_CONTROL.sub("", named).split())[:TITLE_CHARACTERS] or path,
        text=write_records(blocks, every=suffix in SHEETS, limit=MAX_CHARACTERS),
        language=detect_language(text),
        owner=fields.get("owner"),
        licence=fields.get("licence") or fields.get("license"),
        expires_at=_read_date(fields, "expires_at"),
        review_by=_read_date(fields, "review_by"),
    )


def _read_date(fields: Mapping[str, str], name: str) -> datetime | None:
    """Raises DocumentError rather than to pass over a date, as what was to expire would hold for ever."""
    value = fields.get(name, "")
    if value.lower() in _NO_DATE:
        return None
    if (date := read_time(value)) is None:
        raise DocumentError(f"The {name} in its front matter is no date such as 2027-01-31.")
    return date


def _clean(text: str) -> str:
    """Without what Postgres or UTF-8 cannot hold, every line end as `\n`, and long runs of blanks shortened."""
    text = _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _BLANKS.sub(lambda run: _shorten_blanks(run[0]), text)


def _shorten_blanks(run: str) -> str:
    """What parts paragraphs still does, and the last line's indentation stays."""
    *ends, last = run.split("\n")
    return "\n" * min(len(ends), 2) + last[:100]
