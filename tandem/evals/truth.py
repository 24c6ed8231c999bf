"""What the index should hold: the folder as it is, read and cut anew, held against what can be found."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from index.chunks import cut_chunks
from index.documents import DocumentError
from index.extraction import extract_document
from index.formats import SUFFIXES
from index.reader import read_as
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.evals.workbench import VIEWER

QUERIES = load_queries("tandem.evals", "replay.sql")


@dataclass(frozen=True)
class Passage:
    """`hash` is of all that was embedded, the document's title included."""

    path: str
    position: int
    heading: str
    text: str
    hash: bytes


@dataclass(frozen=True)
class Difference:
    """Passages that the folder does not say (any more), that cannot be found, and that are there more than once."""

    stale: int = 0
    missing: int = 0
    doubled: int = 0

    def __bool__(self) -> bool:
        return self != Difference()

    def __add__(self, other: "Difference") -> "Difference":
        return Difference(self.stale + other.stale, self.missing + other.missing, self.doubled + other.doubled)


class Folder:
    """The passages of a folder's files; a file is cut again only when its bytes are others."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cut: dict[str, tuple[bytes, list[Passage]]] = {}

    def read(self) -> list[Passage]:
        known, self._cut = self._cut, {}
        for file in self._root.rglob("*"):
            path = file.relative_to(self._root)
            if file.suffix.lower() in SUFFIXES and file.is_file() and not any(p.startswith(".") for p in path.parts):
                name, data = str(path), file.read_bytes()
                before = known.get(name)
                self._cut[name] = before if before and before[0] == data else (data, cut_passages(name, data))
        return [passage for _, passages in self._cut.values() for passage in passages]


def cut_passages(path: str, data: bytes) -> list[Passage]:
    """What should be found of a file: nothing, if it holds no text or has expired."""
    try:
        document = extract_document(data, path)
    except DocumentError:
        return []
    if document.expires_at and document.expires_at <= datetime.now(UTC):
        return []
    return [
        Passage(
            path,
            chunk.position,
            chunk.heading,
            chunk.text,
            hashlib.blake2b(chunk.with_context(document.title).encode(), digest_size=16).digest(),
        )
        for chunk in cut_chunks(document.title, document.text)
    ]


async def read_searchable(database: Database) -> list[Passage]:
    """Every passage that the workbench's viewer can find."""
    async with read_as(database, VIEWER) as connection:
        rows = await (await connection.execute(QUERIES["read_passages"])).fetchall()
    return [Passage(row["path"], row["position"], row["heading"], row["text"], bytes(row["hash"])) for row in rows]


def compare(said: list[Passage], found: list[Passage]) -> Difference:
    """The difference between what the folder says and what is found of it."""
    expected, there = Counter(said), Counter(found)
    more = there - expected
    doubled = sum(count for passage, count in more.items() if passage in expected)
    return Difference(more.total() - doubled, (expected - there).total(), doubled)
