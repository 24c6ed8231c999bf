"""Bytes -> Markdown, one way for each format. Runs in the sandbox: parsers do anything with bad input."""

import html
import re

from kreuzberg import ConcurrencyConfig, ExtractionConfig, KreuzbergError, extract_bytes_sync

from index.documents import DocumentError
from index.encodings import decode_text
from index.formats import KNOWN, MAX_CHARACTERS, NOTEBOOKS, PAGES, RESTRUCTURED, SEPARATED, WRITTEN
from index.notebook import convert_notebook
from index.restructured import convert_restructured
from index.separated import convert_separated

HTML = "text/html"
# Each is linear, also in a page that closes nothing.
_TITLE = re.compile(r"<title\b[^<>]*>([^<]*)</title\s*>", re.IGNORECASE)
_METADATA = re.compile(r"<(?:meta|link|base)\b[^<>]*>|<script\b.*?(?:</script\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_ESCAPE = re.compile(r"\\([<>*_~\[\]()])")


def convert(data: bytes, suffix: str) -> tuple[str | None, str]:
    """Returns the title that the format states, if any, and the text as Markdown. Raises DocumentError."""
    if suffix in KNOWN:
        if suffix in WRITTEN:
            decode_text(data)  # only to refuse what is none: the converter would take any bytes for a message
        return _convert(data, KNOWN[suffix])
    text = decode_text(data, declares=suffix in PAGES)
    if suffix in SEPARATED:
        return None, convert_separated(text, limit=MAX_CHARACTERS)
    if suffix in PAGES:
        title = _TITLE.search(text)
        return (html.unescape(title[1]) if title else None), _convert_page(text)
    if suffix in RESTRUCTURED:
        named, page = convert_restructured(text)
        return named, _convert_page(page)
    if suffix in NOTEBOOKS:
        return None, convert_notebook(text)
    raise DocumentError(f"Files that end in {suffix or 'nothing'} are not read.")


def _convert_page(page: str) -> str:
    # The converter writes a page's metadata into its text, so it gets the page without any.
    return _convert(_METADATA.sub("", _TITLE.sub("", page)).encode(), HTML)[1]


def _convert(data: bytes, mime: str) -> tuple[str | None, str]:
    config = ExtractionConfig(
        use_cache=False,
        output_format="markdown",
        disable_ocr=True,  # type: ignore[call-arg]  # its stubs lag behind
        enable_quality_processing=False,
        concurrency=ConcurrencyConfig(max_threads=1),
    )
    try:
        result = extract_bytes_sync(data, mime, config)
    except (KreuzbergError, OSError) as error:
        raise DocumentError(f"It cannot be opened: {_first_sentence(error)}.") from error
    title = result.metadata.get("title") or result.metadata.get("subject" if mime == KNOWN[".eml"] else "title")
    # It escapes what might be a mark, and people would be quoted the backslashes.
    return (title if isinstance(title, str) else None), _ESCAPE.sub(r"\1", result.content)


def _first_sentence(error: Exception) -> str:
    """The library nests its messages and repeats them, the name of its class first."""
    parts = list(dict.fromkeys(str(error).split(": ")))
    return ": ".join(parts[1:3] or parts).rstrip(".")[:200]
