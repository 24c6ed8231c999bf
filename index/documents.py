"""What a source tells about its documents: what it lists, and what one of them holds."""

from dataclasses import dataclass
from datetime import datetime

from tandem.errors import TandemError

MAX_BYTES = 32 * 1024 * 1024


class DocumentError(TandemError):
    """The document cannot be read."""

    remedy = "Correct the file, then re-index its source."


@dataclass(frozen=True)
class ListedDocument:
    """One line of a source's listing.

    `path` is unique in the source. `stamp` changes whenever the document may have; None says that it cannot be told.
    `fault` is a reason why the document can never be read as it stands.
    """

    path: str
    uri: str
    stamp: str | None
    changed_at: datetime | None
    fault: str | None = None


@dataclass(frozen=True)
class RawDocument:
    """A document's bytes, with the stamp that belongs to exactly them.

    `changed_at` is None where only the listing tells. `arrived_at` is when it came to its path, where that was later.
    `name` is a file name whose suffix tells the format, where the path does not.
    """

    data: bytes
    stamp: str | None
    changed_at: datetime | None = None
    name: str | None = None
    arrived_at: datetime | None = None


@dataclass(frozen=True)
class ExtractedDocument:
    """A document as text: Markdown, without front matter. `expires_at` and `review_by` are aware times.

    `language` is an ISO 639-1 code, None where it is not sure.
    """

    title: str
    text: str
    language: str | None = None
    owner: str | None = None
    licence: str | None = None
    expires_at: datetime | None = None
    review_by: datetime | None = None


def on_one_line(text: str) -> str:
    """A line of a report, whatever the names of files in it: line ends and the like are shown as Python writes them."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def describe_size(size: int) -> str:
    """The fault of a document of more than MAX_BYTES."""
    return f"It has {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read."
