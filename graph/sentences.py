"""Sentences: cut from a stream as soon as they are whole, and from a passage for quoting."""

import re

_ABBREVIATION = r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bNo)(?<!\bU\.S)(?<!\b[A-Z])"
_END = re.compile(rf"{_ABBREVIATION}[.!?][\"'”’)\]*_]*(?=\s+[\"'“‘(\[*_]*[A-Z0-9])|\n+")
_MARKER = re.compile(r"^\s*(#{1,6}\s+|[-*+]\s+|\d+[.)]\s+|>\s?|\|)")
_CITATION = re.compile(r"\s*\[\d+\]")


def take_sentences(text: str) -> tuple[list[str], str]:
    """Returns the sentences that are whole and the rest that may go on. Nothing but blanks is lost."""
    sentences, start = [], 0
    for match in _END.finditer(text):
        sentence = text[start : match.end()].strip()
        if sentence:
            sentences.append(sentence)
        start = match.end()
    return sentences, text[start:].lstrip() if sentences else text[start:]


def split_sentences(text: str) -> list[str]:
    """All sentences of a passage, without list and heading markers; table rows and code are left out."""
    sentences: list[str] = []
    fenced = False
    for block in text.splitlines():
        if block.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            continue
        if fenced or not block.strip() or block.lstrip().startswith("|") or set(block.strip()) <= set("-=* "):
            continue
        whole, rest = take_sentences(_MARKER.sub("", block))
        sentences += [*whole, rest.strip()] if rest.strip() else whole
    return sentences


def strip_citations(text: str) -> str:
    """The text without citation numbers that a model made up."""
    return _CITATION.sub("", text)
