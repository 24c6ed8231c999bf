"""CSV and TSV -> records. The first line that is not blank names the columns."""

import csv
from collections.abc import Iterator

from index.documents import DocumentError
from index.tables import check_columns, write_record

DELIMITERS = ",;\t|"
MAX_CELL = 1_000_000


def convert_separated(text: str, *, limit: int) -> str:
    """A paragraph for each row; a table of names alone is these.

    Raises DocumentError for too many columns, an endless cell, or more than `limit` characters: names multiply.
    """
    csv.field_size_limit(MAX_CELL)
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    parts: list[str] = []
    size = 0
    try:
        for part in _write(csv.reader(lines, delimiter=max(DELIMITERS, key=first.count))):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise DocumentError(f"It holds more than {limit:,} characters with its columns' names.")
    except csv.Error as error:
        raise DocumentError(f"It cannot be read as a table: {error}.") from error
    return "".join(parts[1:] if len(parts) > 1 else parts)


def _write(rows: Iterator[list[str]]) -> Iterator[str]:
    """The names, then each row under them."""
    names: list[str] = []
    for row in rows:
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        check_columns(len(cells))
        if names:
            yield write_record(names, cells)
        else:
            names = cells
            yield "; ".join(filter(None, names)) + "\n\n"
