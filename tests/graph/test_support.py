"""A sentence of the draft is sent only when adjoining sentences of a passage hold its words and all of its numbers."""

import pytest

from graph.support import find_support, says_again
from tests.graph.hits import make_hit

PASSAGE = make_hit(
    "You are entitled to 12 weeks of paid leave. Use it within a year of the birth.\n\n"
    "Badges are made on Wednesdays. The office in Boston closes at 18:00.",
    chunk_id=7,
)
QUESTION = "How many weeks of paid leave do I get?"


def test_a_sentence_that_the_passage_holds_is_supported_by_its_words() -> None:
    support = find_support(
        "You get 12 weeks of paid leave within a year.", [make_hit("Nothing here."), PASSAGE], QUESTION
    )
    assert support is not None
    assert support.passage.chunk_id == 7
    assert "entitled to 12 weeks" in support.quote


def test_a_wrong_number_is_not_supported() -> None:
    assert find_support("You are entitled to 14 weeks of paid leave.", [PASSAGE], QUESTION) is None


def test_words_gathered_from_all_over_the_passage_are_not_support() -> None:
    assert find_support("The Boston office closes for paid leave in the year of birth.", [PASSAGE], QUESTION) is None


def test_a_sentence_that_only_repeats_the_question_is_not_supported() -> None:
    assert find_support("You get weeks of paid leave.", [PASSAGE], QUESTION) is None


def test_invented_words_are_not_supported() -> None:
    assert find_support("Paid leave requires a doctor's certificate from Canada.", [PASSAGE], QUESTION) is None


def test_nothing_is_supported_by_no_passages() -> None:
    assert find_support("You are entitled to 12 weeks of paid leave.", [], QUESTION) is None


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("The main goal of the talks was the goal.", True),
        ("Peace.", False),
        ("Yes.", False),
        ("The main goal was peace.", False),
    ],
)
def test_a_draft_that_only_says_the_question_again_is_known(text: str, again: bool) -> None:
    assert says_again(text, "What was the main goal of the talks?") is again


def test_a_choice_among_the_questions_words_is_an_answer() -> None:
    assert not says_again("The Nile.", "Which is longer, the Nile or the Rhine?")
