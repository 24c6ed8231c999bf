"""Files that evaluations read: lines of text or of JSON, plain or compressed with gzip or xz."""

import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from tandem.errors import TandemError

GZIP, XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"
Row = TypeVar("Row", bound=BaseModel)


class DataError(TandemError):
    """The file cannot be used."""

    remedy = "Correct the file."


def find_file(folder: Path, name: str) -> Path:
    """The file, or its compressed form (`.gz`, `.xz`), in the folder. Raises DataError."""
    for ending in ("", ".gz", ".xz"):
        path = folder / f"{name}{ending}"
        if path.is_file():
            return path
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.", remedy="Check the path.")
    raise DataError(f"{folder} holds no {name}.", remedy=f"It may also be {name}.gz or {name}.xz.")


def read_rows(path: Path, kind: type[Row], *, remedy: str) -> Iterator[tuple[int, Row]]:
    """Each line's object with the line's number. Raises DataError, which names a bad line, with this remedy."""
    for number, line in read_lines(path, remedy=remedy):
        try:
            yield number, kind.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise bad_line(path, number, f"{f'{place}: ' if place else ''}{fault['msg']}", remedy) from None


def read_lines(path: Path, *, remedy: str) -> Iterator[tuple[int, str]]:
    """Each line that is not blank, with its number. Raises DataError when the file cannot be read."""
    for number, line in enumerate(_read_text(path, remedy).split("\n"), 1):
        if line.strip():
            yield number, line


def bad_line(path: Path, number: int, fault: str, remedy: str) -> DataError:
    return DataError(f"{path}, line {number}: {fault}.", remedy=remedy)


def _read_text(path: Path, remedy: str) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
        elif data.startswith(XZ):
            data = lzma.decompress(data)
        return data.decode()
    except OSError as error:  # gzip's BadGzipFile is one too
        raise DataError(f"{path} cannot be read: {error.strerror or error}.", remedy=remedy) from error
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} is cut short or damaged: {error}.", remedy=remedy) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8: {error.reason} at byte {error.start}.", remedy=remedy) from error
