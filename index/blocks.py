"""Markdown -> blocks: headings, fenced code, tables and paragraphs, as exact spans of the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "code", "table", "paragraph"]
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_CLOSING = re.compile(r"(?:^|(?<=[ \t]))#+$")
TITLE_CHARACTERS = 1_000
"""Of a heading are read; more is no heading, and costs the marks' search its square."""
_SETEXT = re.compile(r" {0,3}(?:(=+)|-+)[ \t]*$")
# Possessive, as a shorter fence would be tried for each of a million tildes otherwise.
_FENCE = re.compile(r"[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}+|~{3,}+)[^`]*$")
_MARKS = re.compile(r"!?\[([^\[\]]*)\]\([^)]*\)|(?<!\w)[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}(?!\w)")


@dataclass(frozen=True)
class Block:
    """`text` includes line ends and the blank lines after it. `level` (1 to 6) and `title` are a heading's."""

    kind: Kind
    text: str
    level: int = 0
    title: str = ""


def parse_blocks(text: str) -> Iterator[Block]:
    """Yields the blocks in order; their texts, joined, are `text` again. A fence that never closes runs to the end."""
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        start, block = at, lines[at]
        kind: Kind = "paragraph"
        level, title = 0, ""
        if heading := _ATX.match(block):
            kind, level, title, at = "heading", len(heading[1]), _CLOSING.sub("", (heading[2] or "").rstrip()), at + 1
        elif fence := _FENCE.match(block):
            kind, at = "code", _end_of_fence(lines, at + 1, fence[1])
        elif block.lstrip().startswith("|"):
            kind, at = "table", _end_of_run(lines, at, table=True)
        elif block.strip():
            at = _end_of_run(lines, at, table=False)
            if at - start == 1 and at < len(lines) and (underline := _SETEXT.match(lines[at])):
                kind, level, title, at = "heading", 1 if underline[1] else 2, block.strip(), at + 1
        while at < len(lines) and not lines[at].strip():
            at += 1
        yield Block(kind, "".join(lines[start:at]), level, plain_heading(title[:TITLE_CHARACTERS]))


def plain_heading(heading: str) -> str:
    """A heading's text without its Markdown marks."""
    return " ".join(_MARKS.sub(lambda mark: mark[1] or "", heading).split())


def _end_of_fence(lines: list[str], at: int, fence: str) -> int:
    for number in range(at, len(lines)):
        line = lines[number].strip()
        if len(line) >= len(fence) and not line.strip(fence[0]):
            return number + 1
    return len(lines)


def _end_of_run(lines: list[str], at: int, *, table: bool) -> int:
    """The end of the lines that belong together: rows of a table, or a paragraph up to whatever interrupts it."""
    first = at
    while at < len(lines) and (line := lines[at]).strip() and line.lstrip().startswith("|") == table:
        if at > first and not table and (_ATX.match(line) or _FENCE.match(line) or _SETEXT.match(line)):
            break
        at += 1
    return at
