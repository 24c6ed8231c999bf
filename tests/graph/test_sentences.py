"""Sentences are cut where a reader would cut them, and nothing but blanks is lost, however the text arrives."""

from hypothesis import given
from hypothesis import strategies as st

from graph.sentences import split_sentences, take_sentences, tidy

TEXTS = st.text(alphabet="abZ .!?\n\"'0123456789)(*é", max_size=200)


def test_sentences_end_at_their_stops_not_at_abbreviations_or_decimals() -> None:
    text = "Ask Dr. Miller, e.g. by mail. It costs 3.50 dollars. Done"
    assert take_sentences(text) == (["Ask Dr. Miller, e.g. by mail.", "It costs 3.50 dollars."], "Done")


@given(TEXTS)
def test_taking_sentences_loses_nothing_but_blanks(text: str) -> None:
    sentences, rest = take_sentences(text)
    assert "".join("".join(sentences).split()) + "".join(rest.split()) == "".join(text.split())


@given(TEXTS, st.integers(1, 7))
def test_a_stream_in_pieces_loses_nothing_but_blanks(text: str, size: int) -> None:
    pending, taken = "", list[str]()
    for at in range(0, len(text), size):
        whole, pending = take_sentences(pending + text[at : at + size])
        taken += whole
    assert "".join("".join([*taken, pending]).split()) == "".join(text.split())


def test_a_passage_gives_its_sentences_without_markers_headings_code_and_tables() -> None:
    passage = "## Leave\n- Ask first. Then go.\n\n| a | b |\n| - | - |\n```\ncode. More\n```\n1. Come back."
    assert split_sentences(passage) == ["Ask first.", "Then go.", "Come back."]


def test_lines_that_are_wrapped_are_one_sentence() -> None:
    assert split_sentences("Badges are made\nevery Wednesday. When yours\nis ready, you get mail.") == [
        "Badges are made\nevery Wednesday.",
        "When yours\nis ready, you get mail.",
    ]


@given(TEXTS)
def test_sentences_of_a_passage_are_verbatim_and_in_order(text: str) -> None:
    at = 0
    for sentence in split_sentences(text):
        assert sentence.strip() == sentence != ""
        at = text.index(sentence, at) + len(sentence)


def test_tidy_takes_out_line_ends_made_up_citations_and_targets_of_links() -> None:
    assert tidy("It opens\nat [nine](https://x.test/9) [1].") == "It opens at nine."
