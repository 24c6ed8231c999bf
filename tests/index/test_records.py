"""Records are folded: the names once, every value kept; whatever else a passage says stays as it is."""

from hypothesis import given
from hypothesis import strategies as st

from index.chunks import cut_chunks
from index.records import fold_records
from index.tables import write_record

cells = st.text("abc xyz-0189.,", min_size=1, max_size=20).map(lambda cell: " ".join(cell.split())).filter(bool)


def test_neighbouring_rows_of_the_same_columns_share_their_names() -> None:
    names = ("Name", "Floor")
    rows = [("Ann Abel", "3"), ("Bob Berg", "4")]
    text = "".join(write_record(names, row) for row in rows).strip()
    assert fold_records(text) == "Name; Floor\nAnn Abel; 3\nBob Berg; 4"
    other = write_record(("Kind", "Price"), ("printer", "20 EUR")).strip()
    assert fold_records(f"Words.\n\n{text}\n\n{other}") == f"Words.\n\nName; Floor\nAnn Abel; 3\nBob Berg; 4\n\n{other}"


def test_prose_and_single_records_stay_as_they_are() -> None:
    for text in (
        "Note: the door is shut; use the other one.\n\nNote: bring a badge; it is checked.",
        "a: 1; b: 2",
        "",
        "\n\n\n",
    ):
        assert fold_records(text) == text


def test_a_passage_is_quoted_as_it_stands_and_embedded_folded() -> None:
    text = "".join(write_record(("Name", "Floor"), (f"Person {n}", str(n))) for n in range(4))
    [chunk] = cut_chunks("Staff", text)
    assert chunk.text == text
    assert chunk.with_context("Staff") == "Staff\nName; Floor\n" + "\n".join(f"Person {n}; {n}" for n in range(4))


@given(st.lists(cells, min_size=2, max_size=4), st.lists(st.lists(cells, min_size=4, max_size=4), max_size=6))
def test_no_value_is_lost(names: list[str], rows: list[list[str]]) -> None:
    text = "".join(write_record(names, row[: len(names)]) for row in rows)
    folded = fold_records(text)
    for row in rows:
        for cell in row[: len(names)]:
            assert cell in folded


@given(st.text(max_size=200))
def test_any_text_is_folded(text: str) -> None:
    assert set(fold_records(text).split()) <= set(text.split()) | {word.rstrip(":") for word in text.split()} | {
        f"{word.rstrip(':')};" for word in text.split()
    }
