"""Lines come plain, gzipped or xz-packed, with their numbers; a file that is not there is named."""

import gzip
import lzma
from pathlib import Path

import pytest

from tandem.evals.rows import DataError, find_file, read_lines


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_lines_are_read_in_every_form(tmp_path: Path, ending: str, pack: object) -> None:
    assert callable(pack)
    (tmp_path / f"rows.jsonl{ending}").write_bytes(pack("ä\n\n \nb\u2028c\n".encode()))
    assert list(read_lines(find_file(tmp_path, "rows.jsonl"), remedy="")) == [(1, "ä"), (4, "b\u2028c")]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no rows\.jsonl") as refused:
        find_file(tmp_path, "rows.jsonl")
    assert "rows.jsonl.gz" in refused.value.remedy
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        find_file(tmp_path / "nowhere", "rows.jsonl")


def test_a_damaged_xz_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.xz"
    path.write_bytes(lzma.compress(b"row\n" * 1000)[:60])
    with pytest.raises(DataError, match="cut short or damaged"):
        list(read_lines(path, remedy=""))
