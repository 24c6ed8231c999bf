"""A follow-up that leans on the question before it stands alone afterwards; another subject is left as it is."""

import json
from pathlib import Path

import pytest

from graph.followup import leans_on_history, make_standalone

DIALOGUES = [json.loads(line) for line in Path(__file__).with_name("dialogues.jsonl").read_text().splitlines()]
MISSED = 3
"""Name two things in small letters, as whole questions do: "Who reviews the drafts?"."""


def test_of_the_dialogues_no_other_subject_is_joined_and_few_follow_ups_are_missed() -> None:
    assert len(DIALOGUES) > 60
    joined = [row["question"] for row in DIALOGUES if not row["leans"] and leans_on_history(row["question"])]
    missed = [row["question"] for row in DIALOGUES if row["leans"] and not leans_on_history(row["question"])]
    assert not joined
    assert len(missed) <= MISSED, missed


@pytest.mark.parametrize(
    "question",
    [
        "And how do I cancel it?",
        "Is there a limit?",
        "Where do they meet?",
        "What else do I need?",
        "Which form?",
        "or by mail?",
        "Can my manager refuse it?",
        "But what if I am abroad?",
    ],
)
def test_what_goes_on_points_back_or_names_nothing_leans(question: str) -> None:
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who won the 1998 world cup?",
        "What is a purchase order?",
        "When I travel by train, do I have to keep it?",
        "Is it possible to work from Spain for a month?",
        "Are there showers in the Munich office?",
        "Can interns see their pay slips online?",
        "Thanks a lot!",
    ],
)
def test_what_names_its_subject_and_small_talk_do_not(question: str) -> None:
    assert not leans_on_history(question)


@pytest.mark.parametrize("question", ["", "?", "  \n", "'’", "\x00 it", "ça ? それ"])
def test_any_text_is_judged(question: str) -> None:
    assert leans_on_history(question) in (True, False)


def test_a_leaning_question_keeps_every_word_and_gains_the_earlier_ones() -> None:
    assert make_standalone("And for part-time staff?", ["old", "How do I request leave?"]) == (
        "How do I request leave? And for part-time staff?"
    )


def test_courtesies_are_not_searched_for_and_nothing_leans_on_them() -> None:
    assert make_standalone("Hi, what does a lost badge cost?", []) == "what does a lost badge cost?"
    assert make_standalone("Thanks! And for interns?", ["How do I request leave?", "Thanks a lot!"]) == (
        "How do I request leave? And for interns?"
    )
    assert make_standalone("How do I cancel it?", ["Hello!"]) == "How do I cancel it?"
    assert make_standalone("Thanks a lot!", ["How do I request leave?"]) == "Thanks a lot!"


def test_the_reply_to_an_ask_back_keeps_the_question() -> None:
    earlier = ["How long is the leave?"]
    for reply in ("Sick leave", "Sick leave?", "the parental one, for part-time staff"):
        assert make_standalone(reply, earlier, asked_back=True) == f"How long is the leave? {reply}"
    assert make_standalone("Sick leave, thanks!", earlier, asked_back=True) == "How long is the leave? Sick leave"
    assert make_standalone("Thanks!", earlier, asked_back=True) == "Thanks!"
    other = "Who won the 1998 world cup?"
    assert make_standalone(other, earlier, asked_back=True) == other


def test_the_first_question_of_a_thread_and_another_subject_stay_as_they_are() -> None:
    assert make_standalone("Why?", []) == "Why?"
    other = "Who won the 1998 world cup?"
    assert make_standalone(other, ["Where does the colour printer stand?"]) == other
