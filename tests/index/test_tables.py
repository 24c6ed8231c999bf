import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.blocks import parse_blocks
from index.chunks import MAX_TOKENS, cut_chunks, estimate_tokens
from index.documents import DocumentError
from index.tables import write_record, write_records

words = st.text("abc xyz-0189.,;", min_size=1, max_size=30).map(str.strip).filter(bool)


def write(text: str, *, every: bool = True) -> str:
    return write_records(parse_blocks(text), every=every, limit=100_000)


def test_a_row_becomes_a_paragraph_with_its_columns_names() -> None:
    table = "| Name | Since | |\n|:--|--:|---|\n| a \\| b | 2024-01-02 00:00:00 | x |\n| c | | |\n"
    assert write(table) == "Name: a | b; Since: 2024-01-02; x\n\nName: c\n\n"


def test_only_tables_change() -> None:
    text = "# Head\n\nWords | with a bar.\n\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n```\n\n| no | header |\n"
    assert write(text) == text


def test_a_table_that_fits_a_chunk_stays() -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert write(table, every=False) == table


def test_a_table_of_names_alone_is_these() -> None:
    assert write("| a | b |\n|---|---|\n") == "a; b\n\n"


def test_a_row_that_fits_no_chunk_repeats_what_it_is_about() -> None:
    names = [f"column {n}" for n in range(200)]
    paragraphs = write_record(names, ["Printer 7", *(f"value {n}" for n in range(1, 200))]).split("\n\n")[:-1]
    assert len(paragraphs) > 5
    for paragraph in paragraphs:
        assert paragraph.startswith("column 0: Printer 7; column ")
        assert estimate_tokens(paragraph) <= MAX_TOKENS + 20
    assert paragraphs[-1].endswith("column 199: value 199")


def test_bounds_are_said() -> None:
    with pytest.raises(DocumentError, match="1,001 columns"):
        write(f"|{'a|' * 1001}\n|{'-|' * 1001}\n|{'1|' * 1001}\n")
    with pytest.raises(DocumentError, match="100,000 characters"):
        write(f"| {'name' * 20} |\n|---|\n" + "| 1 |\n" * 2000)


@given(
    st.lists(words, min_size=2, max_size=4), st.lists(st.lists(words, min_size=2, max_size=4), min_size=1, max_size=40)
)
def test_no_passage_holds_a_cell_without_its_columns_name(names: list[str], rows: list[list[str]]) -> None:
    width = len(names)
    rows = [[*row, *["x"] * width][:width] for row in rows]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [names, ["---"] * width, *rows])
    passages = [chunk.text for chunk in cut_chunks("t", write(table))]
    for row in rows:
        record = "; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=True))
        assert any(record in passage for passage in passages)
