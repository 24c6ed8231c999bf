"""The formats that documents come in, by the suffix of their name."""

from pathlib import PurePosixPath

OFFICE = "application/vnd.openxmlformats-officedocument"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
PLAIN = frozenset({".md", ".markdown", ".mdown", ".txt", ".text"})
"""What needs no more than decoding."""
PAGES = frozenset({".html", ".htm", ".xhtml"})
RESTRUCTURED = frozenset({".rst", ".rest"})
NOTEBOOKS = frozenset({".ipynb"})
SEPARATED = frozenset({".csv", ".tsv"})
KNOWN = {
    ".pdf": "application/pdf",
    ".docx": f"{OFFICE}.wordprocessingml.document",
    ".pptx": f"{OFFICE}.presentationml.presentation",
    ".xlsx": f"{OFFICE}.spreadsheetml.sheet",
    ".odt": f"{OPEN_DOCUMENT}.text",
    ".ods": f"{OPEN_DOCUMENT}.spreadsheet",
    ".epub": "application/epub+zip",
    ".rtf": "application/rtf",
    ".eml": "message/rfc822",
}
"""What kreuzberg reads from its bytes, with the type that it knows it by."""
WRITTEN = frozenset({".rtf", ".eml"})
"""Of those, what is characters."""
SHEETS = frozenset({*SEPARATED, ".xlsx", ".ods"})
"""What is all rows."""
MAX_CHARACTERS = 8_000_000
"""Of one document's text."""
SUFFIXES = frozenset({*PLAIN, *PAGES, *RESTRUCTURED, *NOTEBOOKS, *SEPARATED, *KNOWN})


def suffix_of(path: str) -> str:
    """In lower case, with its dot; empty for a name without one."""
    return PurePosixPath(path).suffix.lower()
