"""The GGUF container: enough of it read to refuse a broken file before llama.cpp maps it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tandem.errors import WeightsError

MAGIC = b"GGUF"
STRING, ARRAY = 8, 9
SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
LARGEST_STRING = 64 << 20
LARGEST_COUNT = 1 << 24
FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    15: "Q4_K_M",
    18: "Q6_K",
    32: "BF16",
}
# bytes and elements of a block, by tensor type; a type that is not here is left to llama.cpp to judge
BLOCKS = {
    0: (4, 1), 1: (2, 1), 30: (2, 1),
    2: (18, 32), 3: (20, 32), 6: (22, 32), 7: (24, 32), 8: (34, 32),
    12: (144, 256), 14: (210, 256),
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """`metadata` holds the scalar and string values; arrays (the vocabulary) are skipped."""

    metadata: dict[str, str | int | float | bool]
    tensors: int

    @property
    def name(self) -> str | None:
        value = self.metadata.get("general.name")
        return value if isinstance(value, str) else None

    @property
    def file_type(self) -> str:
        """`Q8_0` and the like, or `unknown`."""
        number = self.metadata.get("general.file_type")
        return FILE_TYPES.get(number, f"type {number}") if isinstance(number, int) else "unknown"


def read_header(path: Path) -> Header:
    """Raises WeightsError if the file is missing, is no GGUF, or ends before its last tensor does."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(file, path, size)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise WeightsError(
            f"{path} is a damaged GGUF file: its header does not parse.", remedy="Download it again."
        ) from error


def _read(file: BinaryIO, path: Path, size: int) -> Header:
    if file.read(4) != MAGIC:
        raise WeightsError(f"{path} is no GGUF file.")
    version, tensors, values = struct.unpack("<IQQ", file.read(20))
    if version not in (2, 3) or tensors > LARGEST_COUNT or values > LARGEST_COUNT:
        raise WeightsError(f"{path} is a GGUF file of version {version}, which Tandem cannot read (2 and 3 it can).")
    metadata: dict[str, str | int | float | bool] = {}
    for _ in range(values):
        key = _string(file)
        value = _value(file, _scalar(file, "<I"))
        if value is not None:
            metadata[key] = value
    end = 0
    for _ in range(tensors):
        end = max(end, _tensor_end(file))
    alignment = int(metadata.get("general.alignment", 32))
    start = -(-file.tell() // alignment) * alignment
    if size < start + end:
        raise WeightsError(
            f"{path} is cut short: it has {size:,} bytes of at least {start + end:,}.", remedy="Download it again."
        )
    return Header(metadata, int(tensors))


def _scalar(file: BinaryIO, form: str) -> int:
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])


def _string(file: BinaryIO) -> str:
    length = _scalar(file, "<Q")
    if length > LARGEST_STRING:
        raise ValueError("string too long")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("file ends inside a string")
    return data.decode()


def _value(file: BinaryIO, kind: int) -> str | int | float | bool | None:
    if kind == STRING:
        return _string(file)
    if kind == ARRAY:
        _skip_array(file)
        return None
    form = SCALARS.get(kind)
    if form is None:
        raise ValueError(f"unknown value type {kind}")
    value: int | float | bool = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value


def _skip_array(file: BinaryIO) -> None:
    kind, count = _scalar(file, "<I"), _scalar(file, "<Q")
    if count > LARGEST_COUNT or kind == ARRAY:
        raise ValueError("array that GGUF does not allow")
    if kind == STRING:
        for _ in range(count):
            file.seek(_scalar(file, "<Q"), 1)
        return
    file.seek(count * struct.calcsize(SCALARS[kind]) if kind in SCALARS else -1, 1)


def _tensor_end(file: BinaryIO) -> int:
    """Offset, from the start of the data, of the byte after this tensor."""
    _string(file)
    dimensions = _scalar(file, "<I")
    if dimensions > 4:
        raise ValueError("tensor with too many dimensions")
    elements = 1
    for _ in range(dimensions):
        elements *= _scalar(file, "<Q")
    kind, offset = _scalar(file, "<I"), _scalar(file, "<Q")
    block_bytes, block_elements = BLOCKS.get(kind, (0, 1))
    return offset + elements // block_elements * block_bytes
