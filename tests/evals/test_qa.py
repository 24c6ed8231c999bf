"""Question files are read as people write them, and what is wrong with one is told by its line."""

import gzip
from pathlib import Path

import pytest

from tandem.evals.qa import PASSAGES, Asked, OnPassage, read_asked
from tandem.evals.rows import DataError


def test_answerable_is_taken_from_the_answers_unless_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "qa.jsonl.gz"
    lines = (
        '{"question": " Who? ", "answers": ["Rollo"], "uri": "a.md"}',
        '{"question": "Why?", "answers": [], "id": 7}',
        '{"question": "When?", "answerable": false}',
    )
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    who, why, when = read_asked(file, Asked)
    assert (who.question, who.answers, who.answerable, who.uri) == ("Who?", ("Rollo",), True, "a.md")
    assert not why.answerable
    assert not when.answerable


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"question": "Who?", "answerable": true}', "it is answerable, and has no answer"),
        ('{"question": "Who?", "answers": "Rollo"}', "line 1: answers: "),
        ('{"answers": ["Rollo"]}', "line 1: question: Field required"),
        ('{"question": "%s", "answers": ["x"]}' % ("x" * 4001), "at most 4000"),
        ("nonsense", "line 1: Invalid JSON"),
        ("", "holds no questions"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, line: str, fault: str) -> None:
    file = tmp_path / "qa.jsonl"
    file.write_text(line)
    with pytest.raises(DataError, match=fault):
        read_asked(file, Asked)


def test_a_passage_is_wanted_where_reading_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "qa.jsonl"
    file.write_text('{"question": "Who?", "answers": ["Rollo"]}')
    with pytest.raises(DataError, match="passage: Field required"):
        read_asked(file, OnPassage, remedy=PASSAGES)
