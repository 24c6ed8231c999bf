"""Records (`index/tables.py`), folded: what is embedded and analysed of a passage of them.

A record, `column: value; column: value`, says by itself what each value is, and can be quoted. Repeated over every row,
though, the names drown what tells one row from the next: with the names said once, of 360 questions about single rows
the first passage holds the row for 54% instead of 44%, the first three for 79% instead of 67%
(`python -m tests.index.measure_tables docs/*.md`).
"""

from collections.abc import Iterator
from itertools import groupby


def fold_records(text: str) -> str:
    """The text, in which neighbouring records of the same columns have their names once, ahead of their values."""
    groups = groupby(text.split("\n\n"), key=find_names)
    return "\n\n".join(part for names, group in groups for part in _fold(names, list(group)))


def find_names(paragraph: str) -> tuple[str, ...]:
    """A record's columns; empty where not every part is named, as in prose."""
    pairs = [pair.partition(": ") for pair in paragraph.split("; ")]
    return tuple(name for name, _, _ in pairs) if len(pairs) > 1 and all(mark for _, mark, _ in pairs) else ()


def _fold(names: tuple[str, ...], paragraphs: list[str]) -> Iterator[str]:
    if not names or len(paragraphs) == 1:
        yield from paragraphs
        return
    rows = ["; ".join(pair.partition(": ")[2] for pair in paragraph.split("; ")) for paragraph in paragraphs]
    yield "\n".join(["; ".join(names), *rows])
