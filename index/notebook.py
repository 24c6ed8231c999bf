"""Jupyter notebooks -> Markdown: text cells as they are, code and what it printed fenced."""

import json
from collections.abc import Iterator
from typing import Any

from index.documents import DocumentError

OUTPUT_LINES = 40
"""Of one output; the rest of a training run's log finds nobody anything."""
LINE_CHARACTERS = 500


def convert_notebook(text: str) -> str:
    """Pictures are left out, and outputs beyond OUTPUT_LINES. Raises DocumentError for what is none."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError("It is not a notebook: its JSON cannot be read.") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise DocumentError("It is not a notebook: it has no list of cells. Notebooks of format 4 are read.")
    language = _language(notebook.get("metadata"))
    return "".join(part for cell in cells if isinstance(cell, dict) for part in _write_cell(cell, language))


def _write_cell(cell: dict[str, Any], language: str) -> Iterator[str]:
    source = _join(cell.get("source"))
    if cell.get("cell_type") != "code":
        yield f"{source.rstrip()}\n\n" if source.strip() else ""
        return
    yield _fence(source, language)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            yield _fence(_shorten(_read_output(output)), "")


def _read_output(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"
    data = output.get("data")
    if not isinstance(data, dict):
        return _join(output.get("text"))
    # A figure's text is its name in Python and no more.
    return "" if any(kind.startswith("image/") for kind in data) else _join(data.get("text/plain"))


def _fence(text: str, language: str) -> str:
    if not text.strip():
        return ""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}\n\n"


def _shorten(text: str) -> str:
    return "\n".join(line[:LINE_CHARACTERS] for line in text.splitlines()[:OUTPUT_LINES])


def _join(source: Any) -> str:
    """A cell's text is a string or a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _language(metadata: Any) -> str:
    for part in ("kernelspec", "language_info"):
        found = metadata.get(part) if isinstance(metadata, dict) else None
        name = (found.get("language") or found.get("name")) if isinstance(found, dict) else None
        if isinstance(name, str) and name.isalnum():
            return name
    return ""
