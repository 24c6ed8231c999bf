"""A follow-up that leans on the question before it stands alone afterwards; other questions are left as they are."""

import pytest

from graph.followup import leans_on_history, make_standalone


@pytest.mark.parametrize(
    "question",
    ["And for part-time staff?", "Why?", "What about contractors?", "How long does it take?", "the deadline"],
)
def test_short_or_pointing_questions_lean_on_history(question: str) -> None:
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question",
    [
        "How do I order business cards for my whole team before the conference?",
        "Is a badge needed in Boston?",
    ],
)
def test_whole_questions_do_not(question: str) -> None:
    assert not leans_on_history(question)


def test_a_leaning_question_keeps_every_word_and_gains_the_earlier_ones() -> None:
    assert make_standalone("And for part-time staff?", ["old", "How do I request leave?"]) == (
        "How do I request leave? And for part-time staff?"
    )


def test_the_first_question_of_a_thread_stays_as_it_is() -> None:
    assert make_standalone("Why?", []) == "Why?"
