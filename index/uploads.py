"""Uploading: people's own files become a source of their own, kept in Postgres."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath

import psycopg

from index.documents import MAX_BYTES, describe_size
from index.formats import SUFFIXES
from index.sources import Source
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import SourceError

KIND = "uploads"
QUERIES = load_queries("index", "uploads.sql")


def read_file(path: Path) -> bytes:
    """Raises SourceError for what cannot be read, is too large or has a suffix that nothing reads."""
    if path.suffix.lower() not in SUFFIXES:
        raise SourceError(f"{path.name} is of no kind that can be read.", remedy=f"Those are {_list_suffixes()}.")
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise SourceError(f"{path.name}: {describe_size(size)}", remedy="Upload its parts.")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).", remedy="Check the path.") from error


async def put_uploads(database: Database, source: Source, files: Sequence[tuple[str, bytes]], *, actor: str) -> None:
    """Stores all of these under their names, or none; one that is there already is replaced.

    Raises SourceError when the source takes no uploads, or two files have one name.
    """
    _check_kind(source)
    names = [PurePath(name).name for name, _ in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(
            f"Two of the files are called {twice[0]}.", remedy="Rename one; the name is what it is known by."
        )
    try:
        async with database.transaction() as connection:
            for name, (_, data) in zip(names, files, strict=True):
                parameters = {
                    **_about(source, name, actor),
                    "content": data,
                    "hash": hashlib.blake2b(data, digest_size=16).hexdigest(),
                }
                await connection.execute(QUERIES["put_upload"], parameters)
    except (UnicodeEncodeError, psycopg.DataError) as error:
        raise SourceError("A file's name is not UTF-8.", remedy="Rename it.") from error
    except psycopg.errors.ForeignKeyViolation as error:
        raise SourceError(f"The source {source.name} was removed.") from error


async def remove_uploads(database: Database, source: Source, names: Sequence[str], *, actor: str) -> None:
    """Removes these files, or none. Raises SourceError when one of them is not there."""
    _check_kind(source)
    async with database.transaction() as connection:
        for name in names:
            if not (await connection.execute(QUERIES["remove_upload"], _about(source, name, actor))).rowcount:
                raise SourceError(f"{source.name} holds no file {name}.", remedy="Check the name; case matters.")


def _about(source: Source, name: str, actor: str) -> dict[str, object]:
    return {"source_id": source.id, "source": source.name, "name": name, "actor": actor}


def _check_kind(source: Source) -> None:
    if source.kind != KIND:
        raise SourceError(f"{source.name} is a {source.kind}, not uploads.", remedy="Choose another --source.")


def _list_suffixes() -> str:
    return ", ".join(sorted(SUFFIXES))
