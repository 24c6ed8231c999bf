from hypothesis import given
from hypothesis import strategies as st

from index.blocks import parse_blocks, plain_heading

ODD_LINES = ["", "   ", "| a | b |", "|---|---|", "\u2028", "x" * 300]
LINES = st.sampled_from(
    ["# One", "## Two ##", "text", "more text. And more.", "```python", "```", "~~~~", "===", "---", *ODD_LINES]
)


@given(st.lists(LINES, max_size=40).map("\n".join))
def test_blocks_joined_are_the_text(text: str) -> None:
    assert "".join(block.text for block in parse_blocks(text)) == text


@given(st.text())
def test_blocks_of_any_text_joined_are_the_text(text: str) -> None:
    assert "".join(block.text for block in parse_blocks(text)) == text


def test_kinds_are_told_apart() -> None:
    text = "# A\n\nfirst\nline\n\n| a |\n|---|\n\nB\n---\n```sh\n# not a heading\n\n```\nlast\n"
    assert [block.kind for block in parse_blocks(text)] == [
        "heading", "paragraph", "table", "heading", "code", "paragraph",
    ]  # fmt: skip
    assert [(block.level, block.title) for block in parse_blocks(text) if block.title] == [(1, "A"), (2, "B")]


def test_a_fence_that_never_closes_runs_to_the_end() -> None:
    assert [block.kind for block in parse_blocks("a\n```\n# b\n\nc")] == ["paragraph", "code"]


def test_a_shorter_fence_does_not_close_a_longer_one() -> None:
    [code] = parse_blocks("````\n```\n# still code\n````\n")
    assert code.kind == "code"


def test_headings_lose_their_marks() -> None:
    assert plain_heading("The **bold** `code` and [a link](http://x/y) ") == "The bold code and a link"
    assert plain_heading("snake_case stays") == "snake_case stays"
    assert plain_heading("[see [the page](http://x)") == "[see the page"


def test_a_line_of_a_million_marks_is_read_in_one_pass() -> None:
    tildes = "~" * 1_000_000 + "`"
    assert [block.kind for block in parse_blocks(tildes + "\n# After\n")] == ["paragraph", "heading"]
    brackets = "# " + "[" * 998 + "\n"
    assert sum(len(block.title) for block in parse_blocks(brackets * 1_000)) == 998_000
