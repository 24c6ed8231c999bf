import pytest

from index.documents import DocumentError
from index.separated import convert_separated


def convert(text: str) -> str:
    return convert_separated(text, limit=10_000)


def test_quoted_cells_keep_their_delimiters_and_lose_their_line_ends() -> None:
    assert convert('name,note\n"Doe, Ann","two\nlines ""here"""\n') == 'name: Doe, Ann; note: two lines "here"\n\n'


def test_the_delimiter_is_what_the_first_line_has_most_of() -> None:
    for delimiter in ",;\t|":
        text = f"\n\na{delimiter}b{delimiter}c, d\n1{delimiter}2{delimiter}3\n"
        assert convert(text) == "a: 1; b: 2; c, d: 3\n\n" if delimiter != "," else convert(text)


def test_ragged_rows_lose_nothing() -> None:
    assert convert("a,b\n1\n1,2,3\n,\n") == "a: 1\n\na: 1; b: 2; 3\n\n"


def test_names_alone_are_text() -> None:
    assert convert("a,b\n") == "a; b\n\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (",".join(["c"] * 1_000_000), "1,000,000 columns"),
        ("word " * 400_000, "field larger"),
        ('a,b\n"' + "x,y\n" * 400_000, "field larger"),
        (f"{'name' * 20}\n" + "1\n" * 1000, "10,000 characters"),
    ],
)
def test_what_has_no_end_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        convert(text)
