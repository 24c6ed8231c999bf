"""Sentences: cut from a draft as soon as they are whole, and found in a passage for quoting."""

import re
from collections.abc import Iterator

_ABBREVIATION = r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bNo)(?<!\bU\.S)(?<!\b[A-Z])"
_STOP = rf"{_ABBREVIATION}[.!?][\"'”’)\]*_]*(?=\s+[\"'“‘(\[*_]*[A-Z0-9])"
_MARK = r"(?:#{1,6}|[-*+]|\d+[.)]|>)\s"
_END = re.compile(rf"{_STOP}|\n\s*\n|\n(?=\s*{_MARK})")
_STOPS = re.compile(_STOP)
_MARKER = re.compile(rf"\s*(?:{_MARK}\s*)*")
_NO_PROSE = re.compile(r"\s*(\||#{1,6}\s|[-=*_ ]{3,}$)")
_CITATION = re.compile(r"\s*\[\d+\](?!\()")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def take_sentences(text: str) -> tuple[list[str], str]:
    """Returns the sentences of a draft that are whole, and the rest that may go on. Nothing but blanks is lost."""
    sentences, start = [], 0
    for match in _END.finditer(text):
        if sentence := text[start : match.end()].strip():
            sentences.append(sentence)
        start = match.end()
    return sentences, text[start:].lstrip() if sentences else text[start:]


def split_sentences(text: str) -> list[str]:
    """All sentences of a passage, verbatim, without list markers; headings, tables and code are left out."""
    sentences: list[str] = []
    for start, end in _find_paragraphs(text):
        for stop in (match.end() for match in _STOPS.finditer(text, start, end)):
            sentences.append(text[start:stop])
            start = stop + len(text[stop:end]) - len(text[stop:end].lstrip())
        if text[start:end].strip():
            sentences.append(text[start:end].strip())
    return sentences


def tidy(sentence: str) -> str:
    """The sentence on one line, without citation numbers that a model made up and without links' targets."""
    return " ".join(strip_citations(_LINK.sub(r"\1", sentence)).split())


def strip_citations(text: str) -> str:
    """The text without citation numbers: those of an earlier answer, or those that a model made up."""
    return _CITATION.sub("", text)


def _find_paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Spans of prose: lines that are wrapped belong together, an item or heading stands alone."""
    offset, start, end, fenced = 0, 0, 0, False
    for line in text.splitlines(keepends=True):
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced ^= fence
        marker = _MARKER.match(line)
        body = marker.end() if marker else 0
        if fence or fenced or not line.strip() or _NO_PROSE.match(line):
            yield start, end
            start = end = offset + len(line)
        elif line[:body].strip():
            yield start, end
            start, end = offset + body, offset + len(line.rstrip())
        else:
            start = offset + body if start == end else start
            end = offset + len(line.rstrip())
        offset += len(line)
    yield start, end
