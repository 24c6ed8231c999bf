from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from index.front_matter import read_time, split_front_matter


def test_plain_fields_are_read_and_cut_off() -> None:
    fields, text = split_front_matter(
        '---\ntitle: "Quoted: yes"\nTags:\n  - a\nowner: ann # of HR\nexpires_at: 2030-01-02\n---\n# Body\n'
    )
    assert fields == {"title": "Quoted: yes", "owner": "ann", "expires_at": "2030-01-02"}
    assert text == "# Body\n"


def test_a_rule_or_an_open_head_is_text() -> None:
    for text in ("---\njust a rule\n---\nmore", "---\ntitle: never closed\n", "text\n---\ntitle: later\n---\n"):
        assert split_front_matter(text) == ({}, text)


@given(st.text())
def test_any_text_is_split_without_error(text: str) -> None:
    _, rest = split_front_matter(text)
    assert text.endswith(rest)


def test_times_are_aware_and_nonsense_is_none() -> None:
    assert read_time("2030-01-02") == datetime(2030, 1, 2, tzinfo=UTC)
    assert read_time("2030-01-02T03:04:05+00:00") == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert read_time("soon") is None
    assert read_time(None) is None
