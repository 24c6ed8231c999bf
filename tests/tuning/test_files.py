"""Files become examples line by line; what is wrong is named with its line."""

import json
from pathlib import Path

import pytest

from tandem.tuning.examples import Draft, TuningError
from tandem.tuning.files import read_file

CHAT = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}


def read(path: Path, text: str) -> list[Draft]:
    path.write_text(text)
    return read_file(path, licence="CC0-1.0", author="Ann")


def test_chat_lines_keep_their_turns_and_may_say_more(tmp_path: Path) -> None:
    lines = [CHAT, CHAT | {"origin": "page 3", "licence": "MIT", "author": "Bo"}]
    first, second = read(tmp_path / "a.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert (first.origin, first.licence, first.author, first.place) == ("a.jsonl", "CC0-1.0", "Ann", None)
    assert (second.origin, second.licence, second.author, second.place) == ("page 3", "MIT", "Bo", None)
    assert [turn.role for turn in first.messages] == ["user", "assistant"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_put_as_the_agent_asks(tmp_path: Path, delimiter: str) -> None:
    rows = [("Question", "answer", "origin", "note"), ("Where is it?", '"In room 3,\nby the door"', "p1", "x")]
    [draft] = read(tmp_path / "a.csv", "\ufeff" + "\n".join(delimiter.join(row) for row in rows))
    assert [turn.role for turn in draft.messages] == ["system", "user", "assistant"]
    assert (draft.question, draft.answer, draft.origin) == ("Where is it?", "In room 3,\nby the door", "p1")


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0c", "\x1e"])
def test_only_a_newline_ends_a_line(tmp_path: Path, separator: str) -> None:
    said = f"One.{separator}Two."
    rows = [{"question": "Why?", "answer": said}, {"question": "Where?", "answer": "Here."}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    if separator > "\x1f":  # JSON has no bare control characters
        assert [draft.answer for draft in read(tmp_path / "a.jsonl", "\r\n".join(lines))] == [said, "Here."]
    table = read(tmp_path / "a.csv", f"question,answer\r\nWhy?,{said}\r\nWhere?,Here.\r\n")
    assert [draft.answer for draft in table] == [said, "Here."]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", "", "holds no examples"),
        ("a.jsonl", json.dumps(CHAT) + "\n{", "after line 1"),
        ("a.jsonl", json.dumps({"messages": CHAT["messages"][:1]}), "line 1: .*end with the assistant"),
        ("a.jsonl", json.dumps({"messages": []}), "line 1: .*alternate"),
        ("a.jsonl", json.dumps(CHAT | {"weight": 3}), "weight"),
        ("a.jsonl", json.dumps({"messages": [{"role": "tool", "content": "x"}]}), "role"),
        ("a.csv", "question,reply\nWhy?,So.\n", "line 2: .*at least 1 character"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(TuningError, match=said):
        read(tmp_path / name, text)


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    for path, said in ((tmp_path / "a.csv", "no UTF-8"), (tmp_path / "b.csv", "cannot be read")):
        with pytest.raises(TuningError, match=said):
            read_file(path, licence="own", author="Ann")
