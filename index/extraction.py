"""Bytes -> text: Markdown and plain text are decoded here, HTML, PDF and DOCX go through kreuzberg."""

import html
import re
from pathlib import PurePosixPath

from kreuzberg import ExtractionConfig, KreuzbergError, extract_bytes_sync

from index.blocks import parse_blocks
from index.documents import DocumentError, ExtractedDocument
from index.front_matter import read_time, split_front_matter

TIMEOUT_S = 60
MAX_CHARACTERS = 8_000_000
TITLE_CHARACTERS = 300
_HTML = frozenset({".html", ".htm", ".xhtml"})
_MIME = {
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_HTML_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.DOTALL | re.IGNORECASE)
_HTML_METADATA = re.compile(r"<(?:meta|link|base)\b[^>]*>|<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def extract_document(data: bytes, path: str) -> ExtractedDocument:
    """Returns the document's text and what its head says about it.

    The title is the front matter's, else the first heading, else the file's name.
    Raises DocumentError with the reason when there is no text to be had.
    """
    suffix = PurePosixPath(path).suffix.lower()
    fields: dict[str, str] = {}
    if suffix in _HTML:
        title, text = _convert_html(_decode(data))
    elif suffix in _MIME:
        title, text = _convert(data, _MIME[suffix])
    else:
        found, text = split_front_matter(_decode(data))
        fields, title = dict(found), found.get("title")
    text = _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    if not re.search(r"\w", text):
        raise DocumentError("It holds no text.", remedy="If it is a scan, run it through text recognition first.")
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(f"It holds {len(text):,} characters; at most {MAX_CHARACTERS:,} are read.")
    heading = next((block.title for block in parse_blocks(text) if block.title), None)
    named = title or heading or PurePosixPath(path).stem
    return ExtractedDocument(
        title=" ".join(_CONTROL.sub("", named).split())[:TITLE_CHARACTERS] or path,
        text=text,
        owner=fields.get("owner"),
        licence=fields.get("licence") or fields.get("license"),
        expires_at=read_time(fields.get("expires_at")),
        review_by=read_time(fields.get("review_by")),
    )


def _decode(data: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with one, else Windows-1252; control characters give binary junk away."""
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(_CONTROL.findall(text)) > len(text) / 200:
            break
        return text
    raise DocumentError("It is not text: its bytes are in no known encoding.", remedy="Save it as UTF-8, or remove it.")


def _convert_html(page: str) -> tuple[str | None, str]:
    # The converter writes a page's metadata into its text, so it gets the page without any.
    title = _HTML_TITLE.search(page)
    body = _HTML_METADATA.sub("", _HTML_TITLE.sub("", page))
    return (html.unescape(title[1]) if title else None), _convert(body.encode(), "text/html")[1]


def _convert(data: bytes, mime: str) -> tuple[str | None, str]:
    config = ExtractionConfig(
        use_cache=False,
        output_format="markdown",
        disable_ocr=True,  # type: ignore[call-arg]  # its stubs lag behind
        extraction_timeout_secs=TIMEOUT_S,
    )
    try:
        result = extract_bytes_sync(data, mime, config)
    except KreuzbergError as error:
        raise DocumentError(f"It cannot be opened: {_first_sentence(error)}.") from error
    title = result.metadata.get("title")
    return (title if isinstance(title, str) else None), result.content


def _first_sentence(error: KreuzbergError) -> str:
    """The library nests its messages and repeats them, the name of its class first."""
    parts = str(error).split(": ")
    return ": ".join(parts[1:3] or parts).rstrip(".")[:200]
