"""Markdown -> chunks: cut at headings, then between paragraphs, so that an edit changes the chunks around it alone.

Where a section is too long, it is cut where a hash of the words that follow is highest, and so on within its parts
until each fits (a Cartesian tree over the boundaries). Whether a boundary is a cut then depends only on the text
between its neighbours of higher rank: an edit moves the cuts next to it, and no later one shifts.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from index.blocks import Block, parse_blocks
from index.records import fold_records

CHUNKER = "markdown-2"
MAX_TOKENS = 180
"""Of a chunk, estimated; the embedder reads 256 with the title and headings before it."""
HEADING_CHARACTERS = 100
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_LINE_END = re.compile(r"\n+")
_STRETCH = re.compile(r".{1,120}(?:\s+|\b|\Z)|.{1,120}", re.DOTALL)
_SECTION, _BLOCK, _UNIT, _STRETCH_END = 3, 2, 1, 0


@dataclass(frozen=True)
class Chunk:
    """`text` is an exact span of the document; `heading` is the path of headings over it."""

    position: int
    heading: str
    text: str

    def with_context(self, title: str) -> str:
        """What is embedded and analysed: the title and headings, then the text with its records folded."""
        path = f"{title} > {self.heading}" if self.heading else title
        return f"{path}\n{fold_records(self.text.strip())}"


@dataclass(frozen=True)
class _Piece:
    """What is never cut. `rank` is of the boundary before it: kind of boundary, then hash."""

    text: str
    tokens: int
    rank: tuple[int, int]
    path: tuple[str, ...]
    is_heading: bool


def cut_chunks(title: str, text: str) -> list[Chunk]:
    """Cuts the text. The chunks' texts, joined, are the text again, but for chunks that would be blank.

    A chunk has at most MAX_TOKENS, as `estimate_tokens` counts them. Code and tables stay whole unless one alone is
    over that.
    """
    pieces = list(_pieces(title, text))
    starts = _find_cuts(pieces)
    chunks: list[Chunk] = []
    for start, end in pairwise([*starts, len(pieces)]):
        part = pieces[start:end]
        body = next((piece for piece in part if not piece.is_heading), part[-1])
        span = "".join(piece.text for piece in part)
        if span.strip():
            chunks.append(Chunk(len(chunks), " > ".join(body.path), span))
    return chunks


def estimate_tokens(text: str) -> int:
    """About how many tokens the embedder's tokenizer makes of the text: within a quarter for 98 of 100 paragraphs."""
    return sum(map(_word_tokens, _WORD.findall(text)))


def _word_tokens(word: str) -> int:
    if not word.isascii():
        return len(word)
    if word.isalpha():
        return 1 if len(word) <= 8 else 1 + len(word) // 7
    return max(1, len(word) // 2)


def _pieces(title: str, text: str) -> Iterator[_Piece]:
    open_headings: list[tuple[int, str]] = []
    after_heading = True
    for block in parse_blocks(text):
        is_heading = block.kind == "heading"
        if is_heading:
            over = [(level, name) for level, name in open_headings if level < block.level]
            open_headings = [*over, (block.level, block.title[:HEADING_CHARACTERS])]
        path = tuple(name for _, name in open_headings if name and name != title[:HEADING_CHARACTERS])
        opens_section = is_heading and not after_heading
        for part, boundary in _split_block(block):
            if boundary == _BLOCK and opens_section:
                boundary = _SECTION
            yield _Piece(part, estimate_tokens(part), (boundary, _hash(part)), path, is_heading)
        after_heading = is_heading


def _split_block(block: Block) -> Iterator[tuple[str, int]]:
    """The block whole, or where it alone is too long its lines or sentences, or stretches of those; and the boundary
    before each."""
    if estimate_tokens(block.text) <= MAX_TOKENS:
        yield block.text, _BLOCK
        return
    ends = _SENTENCE if block.kind == "paragraph" else _LINE_END
    for number, unit in enumerate(_split_after(ends, block.text)):
        boundary = _UNIT if number else _BLOCK
        if estimate_tokens(unit) <= MAX_TOKENS:
            yield unit, boundary
            continue
        for stretch in _STRETCH.findall(unit):
            yield stretch, boundary
            boundary = _STRETCH_END


def _split_after(ends: re.Pattern[str], text: str) -> list[str]:
    cuts = [0, *(match.end() for match in ends.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts) if start < end]


def _find_cuts(pieces: Sequence[_Piece]) -> list[int]:
    """Where chunks begin, in order."""
    totals = [0, *accumulate(piece.tokens for piece in pieces)]
    forced = [0, *(at for at, piece in enumerate(pieces) if at and piece.rank[0] == _SECTION), len(pieces)]
    starts: list[int] = []
    spans = [(start, end) for start, end in pairwise(forced) if start < end]
    while spans:
        start, end = spans.pop()
        if totals[end] - totals[start] <= MAX_TOKENS or end - start == 1:
            starts.append(start)
            continue
        cut = _choose_cut(pieces, totals, start, end)
        spans += [(start, cut), (cut, end)]
    return sorted(starts)


def _choose_cut(pieces: Sequence[_Piece], totals: Sequence[int], start: int, end: int) -> int:
    """The boundary of highest rank, away from the ends, lest chunks become crumbs."""
    margin = (totals[end] - totals[start]) / 8
    away = [at for at in range(start + 1, end) if margin <= totals[at] - totals[start] <= 7 * margin]
    # Equal ranks are settled towards the middle, so that repetitive text costs no more than other text.
    return max(away or range(start + 1, end), key=lambda at: (pieces[at].rank, -abs(2 * at - start - end)))


def _hash(text: str) -> int:
    """Of the first words only: most edits leave them, and with them the cut, alone."""
    opening = " ".join(_WORD.findall(text[:200])[:3])
    return int.from_bytes(hashlib.blake2b(opening.encode(), digest_size=4).digest(), "big")
