"""A broken weights file is refused with its name and the remedy, whatever is wrong with it."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.errors import WeightsError
from tandem.models.gguf import Header, read_header
from tandem.models.weights import PACKAGED_CHAT, packaged_file


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf() -> bytes:
    """A file with three values and one F32 tensor of 8 elements."""
    values = [
        text("general.name") + struct.pack("<I", 8) + text("tiny"),
        text("general.file_type") + struct.pack("<II", 4, 7),
        text("list") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
    ]
    tensor = text("t") + struct.pack("<IQIQ", 1, 8, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values)) + b"".join(values) + tensor
    return head + bytes(-len(head) % 32) + bytes(32)


def test_reads_name_and_type(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(gguf())
    header = read_header(tmp_path / "tiny.gguf")
    assert (header.name, header.file_type, header.tensors) == ("tiny", "Q8_0", 1)


def test_reads_the_packaged_weights() -> None:
    header = read_header(packaged_file(*PACKAGED_CHAT))
    assert header.file_type == "Q4_1"
    assert header.tensors > 100


def test_refuses_what_is_no_gguf(tmp_path: Path) -> None:
    path = tmp_path / "notes.gguf"
    path.write_text("# Notes\n")
    with pytest.raises(WeightsError, match=r"notes\.gguf is no GGUF file"):
        read_header(path)


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.gguf cannot be read: No such file"):
        read_header(tmp_path / "gone.gguf")


@given(st.integers(4, len(gguf()) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_refuses_a_file_that_is_cut_anywhere(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(gguf()[:length])
    with pytest.raises(WeightsError, match=r"cut\.gguf"):
        read_header(path)


def test_refuses_the_packaged_weights_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(packaged_file(*PACKAGED_CHAT).read_bytes()[:-100_000])
    with pytest.raises(WeightsError, match=r"half\.gguf is cut short.*Download it again"):
        read_header(path)


@given(st.integers(0, len(gguf()) - 33), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_byte_is_read_or_refused_but_never_crashes(tmp_path: Path, at: int, byte: int) -> None:
    data = bytearray(gguf())
    data[at] = byte
    path = tmp_path / "odd.gguf"
    path.write_bytes(data)
    with contextlib.suppress(WeightsError):
        assert isinstance(read_header(path), Header)
