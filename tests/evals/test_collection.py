"""A collection is read as it was written, and what is wrong with it is said with file and line."""

import gzip
import json
from pathlib import Path

import pytest

from tandem.evals.collection import read_collection
from tandem.evals.rows import DataError

CORPUS = [
    {"_id": "a/1", "title": "Ferries", "text": "They leave at noon.", "metadata": {}},
    {"_id": "b", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "When?"}, {"_id": "q2", "text": "Who?"}, {"_id": "q3", "text": "Why?"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\ta/1\t2\nq1\tb\t0\nq2\tb\t0\n"


def write(
    folder: Path, *, corpus: str | None = None, queries: str | None = None, qrels: str = QRELS, zipped: bool = False
) -> Path:
    files = {
        "corpus.jsonl": corpus if corpus is not None else "\n".join(map(json.dumps, CORPUS)),
        "queries.jsonl": queries if queries is not None else "\n".join(map(json.dumps, QUERIES)) + "\n\n",
        "qrels.tsv": qrels,
    }
    for name, text in files.items():
        data = text.encode()
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(data) if zipped else data)
    return folder


@pytest.mark.parametrize("zipped", [False, True])
def test_a_collection_is_read_as_it_was_written(tmp_path: Path, zipped: bool) -> None:
    found = read_collection(write(tmp_path, zipped=zipped))
    assert [(own.id, own.title, own.text) for own in found.documents] == [
        ("a/1", "Ferries", "They leave at noon."),
        ("b", "", ""),
    ]
    assert found.grades == {"q1": {"a/1": 2, "b": 0}}  # nothing is relevant to q2, nothing was judged for q3
    assert found.queries["q1"] == "When?"


def test_judgements_need_no_header(tmp_path: Path) -> None:
    assert read_collection(write(tmp_path, qrels="q2\tb\t1\r\nq1\tb\t1\r\n")).grades == {"q2": {"b": 1}, "q1": {"b": 1}}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"corpus": '{"_id": "b", "text": ""}\n{"_id": "c", "tex'}, r"corpus\.jsonl, line 2: Invalid JSON"),
        ({"corpus": '\n{"_id": "c"}'}, r"corpus\.jsonl, line 2: text: Field required"),
        ({"corpus": '{"_id": 7, "text": "x"}'}, r"corpus\.jsonl, line 1: _id"),
        ({"corpus": '{"_id": "b", "text": "x"}\n' * 2}, r"corpus\.jsonl, line 2: the document b was there before"),
        ({"queries": '{"_id": "q1", "text": "x"}\n' * 2}, r"queries\.jsonl, line 2: the query q1 was there before"),
        ({"queries": "[]"}, r"queries\.jsonl, line 1"),
        ({"qrels": QRELS + "q1\tz\t1\n"}, r"qrels\.tsv, line 5: corpus\.jsonl has no document z"),
        ({"qrels": QRELS + "q9\tb\t1\n"}, r"qrels\.tsv, line 5: queries\.jsonl has no query q9"),
        ({"qrels": QRELS + "q1\tb\thigh\n"}, r"qrels\.tsv, line 5: its grade is no whole number"),
        ({"qrels": "q1 b 1\n"}, r"qrels\.tsv, line 1: it has 1 fields, not 3"),
        ({"qrels": "query-id\tcorpus-id\tscore\nq1\tb\t0\n"}, r"qrels\.tsv names no relevant document"),
        ({"qrels": ""}, r"qrels\.tsv names no relevant document"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_collection(write(tmp_path, **files))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=f"holds no {name}"):
        read_collection(tmp_path)
