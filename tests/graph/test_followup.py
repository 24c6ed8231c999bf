"""A follow-up that leans on the question before it stands alone afterwards; another subject is left as it is."""

import json
from pathlib import Path

import pytest

from graph.followup import Standalone, leans_on_history, make_standalone

DIALOGUES = [json.loads(line) for line in Path(__file__).with_name("dialogues.jsonl").read_text().splitlines()]
SHORT = [json.loads(line) for line in Path(__file__).with_name("short_questions.jsonl").read_text().splitlines()]
MISSED = 2
"""Name two things in small letters, as whole questions do: "Who reviews the drafts?"."""


def test_of_the_dialogues_no_other_subject_is_joined_and_few_follow_ups_are_missed() -> None:
    assert len(DIALOGUES) > 60
    joined = [row["question"] for row in DIALOGUES if not row["leans"] and leans_on_history(row["question"]) == "yes"]
    missed = [row["question"] for row in DIALOGUES if row["leans"] and leans_on_history(row["question"]) == "no"]
    assert not joined
    assert len(missed) <= MISSED, missed


def test_of_short_questions_none_that_stands_alone_is_joined_for_sure_and_few_follow_ups_are_missed() -> None:
    assert len(SHORT) > 40
    assert not [row["question"] for row in SHORT if not row["leans"] and leans_on_history(row["question"]) == "yes"]
    missed = [row["question"] for row in SHORT if row["leans"] and leans_on_history(row["question"]) == "no"]
    assert len(missed) <= 3, missed  # "Is a monitor included?"


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
    assert leans_on_history(question) == "yes"


@pytest.mark.parametrize("question", ["How do I get a laptop?", "What is the reward?", "How many hours can I request?"])
def test_what_names_one_thing_or_properties_alone_is_left_to_the_search(question: str) -> None:
    assert leans_on_history(question) == "unsure"
    joined = f"Who orders toner? {question}"
    assert make_standalone(question, ["Who orders toner?"]) == Standalone(joined, alone=question)


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
    assert leans_on_history(question) == "no"


@pytest.mark.parametrize("question", ["", "?", "  \n", "'’", "\x00 it", "ça ? それ"])
def test_any_text_is_judged(question: str) -> None:
    assert leans_on_history(question) in ("yes", "no", "unsure")


def test_a_leaning_question_keeps_every_word_and_gains_the_earlier_ones() -> None:
    assert make_standalone("And for part-time staff?", ["old", "How do I request leave?"]).text == (
        "How do I request leave? And for part-time staff?"
    )


def test_courtesies_are_not_searched_for_and_nothing_leans_on_them() -> None:
    assert make_standalone("Hi, what does a lost badge cost?", []).text == "what does a lost badge cost?"
    assert make_standalone("Thanks! And for interns?", ["How do I request leave?", "Thanks a lot!"]).text == (
        "How do I request leave? And for interns?"
    )
    assert make_standalone("How do I cancel it?", ["Hello!"]).text == "How do I cancel it?"
    assert make_standalone("Thanks a lot!", ["How do I request leave?"]).text == "Thanks a lot!"


def test_the_reply_to_an_ask_back_keeps_the_question() -> None:
    earlier = ["How long is the leave?"]
    for reply in ("Sick leave", "Sick leave?", "the parental one, for part-time staff"):
        assert make_standalone(reply, earlier, asked_back=True).text == f"How long is the leave? {reply}"
    assert make_standalone("Sick leave, thanks!", earlier, asked_back=True).text == "How long is the leave? Sick leave"
    assert make_standalone("Thanks!", earlier, asked_back=True).text == "Thanks!"
    other = "Who won the 1998 world cup?"
    assert make_standalone(other, earlier, asked_back=True).text == other


def test_the_first_question_of_a_thread_and_another_subject_stay_as_they_are() -> None:
    assert make_standalone("Why?", []).text == "Why?"
    other = "Who won the 1998 world cup?"
    assert make_standalone(other, ["Where does the colour printer stand?"]).text == other
