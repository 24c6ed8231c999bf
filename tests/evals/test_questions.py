"""Files of questions are read plain or gzipped, and what is wrong with one is said with the line."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.evals.questions import read_questions
from tandem.evals.rows import DataError

ROW = {"id": "1", "passage": "The ferry leaves at noon.", "question": "When does it leave?", "answers": ["noon"]}
LINE = json.dumps(ROW).encode()
WORDS = st.text(min_size=1)


def write(folder: Path, data: bytes) -> Path:
    path = folder / "qa.jsonl"
    path.write_bytes(data)
    return path


@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), zipped=st.booleans(), raw=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_is_read_as_it_was_written(
    tmp_path: Path, rows: list[tuple[str, str]], zipped: bool, raw: bool
) -> None:
    lines = [json.dumps({"passage": passage, "question": text}, ensure_ascii=not raw) for passage, text in rows]
    data = "\n".join(lines).encode(errors="surrogatepass")
    found = read_questions(write(tmp_path, gzip.compress(data, mtime=0) if zipped else data))
    assert [(question.passage, question.question) for question in found] == rows


def test_empty_lines_are_skipped(tmp_path: Path) -> None:
    assert len(read_questions(write(tmp_path, LINE + b"\n\n" + LINE + b"\n"))) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LINE + b"\n" + b'{"passage": "x", "quest', "line 2"),
        (LINE + b"\n\n" + b'{"passage": "x"}', "line 3: question: Field required"),
        (b'{"passage": "", "question": "x"}', "line 1: passage"),
        (b'["passage", "question"]', "line 1"),
        (b"", "holds no questions"),
        (b"\n \n", "holds no questions"),
        (b"\xff\xfe", "no UTF-8"),
        (gzip.compress(LINE * 100, mtime=0)[:40], "cut short or damaged"),
        (gzip.compress(LINE, mtime=0)[:10] + b"nonsense", "cut short or damaged"),
        (b"\x1f\x8b" + bytes(20), "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, data: bytes, said: str) -> None:
    path = write(tmp_path, data)
    with pytest.raises(DataError, match=said) as refused:
        read_questions(path)
    assert str(path) in refused.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_questions(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="Is a directory"):
        read_questions(tmp_path)
