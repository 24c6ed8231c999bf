"""Tables -> records: each row of a long table as `column: value` pairs, so that no passage holds rows without names.

A record can be quoted (`graph/quoting.py`); a table's row cannot. For search the names are folded away again
(`index/records.py`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from index.blocks import Block
from index.chunks import MAX_TOKENS, estimate_tokens
from index.documents import DocumentError

MAX_COLUMNS = 1_000
NAME_CHARACTERS = 80
_SEPARATOR = re.compile(r"\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?")
_CELL_END = re.compile(r"(?<!\\)\|")
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d) 00:00:00")


def write_records(blocks: Iterable[Block], *, every: bool, limit: int) -> str:
    """The text of the blocks, with the tables that do not fit one chunk, or `every` table, a paragraph for each row.

    Raises DocumentError for a table of more than MAX_COLUMNS, or where the text would get more than `limit` characters.
    """
    parts: list[str] = []
    size = 0
    for block in blocks:
        is_long = every or (block.kind == "table" and estimate_tokens(block.text) > MAX_TOKENS)
        for part in _rewrite(block.text) if block.kind == "table" and is_long else (block.text,):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise DocumentError(f"Its tables hold more than {limit:,} characters with their columns' names.")
    return "".join(parts)


def check_columns(count: int) -> None:
    """Raises DocumentError for a table that is too wide to be one."""
    if count > MAX_COLUMNS:
        raise DocumentError(f"It has a table of {count:,} columns; at most {MAX_COLUMNS:,} are read.")


def write_record(names: Sequence[str], cells: Sequence[str]) -> str:
    """One row: a paragraph, or where that does not fit a chunk several, each with the row's first pair."""
    named = zip([*names, *[""] * (len(cells) - len(names))], cells, strict=False)
    pairs = [f"{name[:NAME_CHARACTERS]}: {cell}" if name else cell for name, cell in named if cell]
    return "".join(f"{paragraph}\n\n" for paragraph in _fit(pairs))


def _rewrite(table: str) -> Iterator[str]:
    lines = [line.strip() for line in table.splitlines() if line.strip()]
    if len(lines) < 2 or not _SEPARATOR.fullmatch(lines[1]):
        yield table  # no header: nothing to name the cells by
        return
    names = _cells(lines[0])
    check_columns(len(names))
    if len(lines) == 2:
        yield "; ".join(filter(None, names)) + "\n\n"
    for line in lines[2:]:
        yield write_record(names, _cells(line))


def _cells(line: str) -> list[str]:
    inner = line.removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [_MIDNIGHT.sub(r"\1", cell.strip().replace("\\|", "|")) for cell in _CELL_END.split(inner)]


def _fit(pairs: Sequence[str]) -> Iterator[str]:
    held: list[str] = []
    tokens = 0
    for pair in pairs:
        cost = estimate_tokens(pair) + 1
        if held and tokens + cost > MAX_TOKENS:
            yield "; ".join(held)
            held = [pairs[0][: 2 * NAME_CHARACTERS]]
            tokens = estimate_tokens(held[0]) + 1
        held.append(pair)
        tokens += cost
    if held:
        yield "; ".join(held)
