"""What is taught is true: an answer stands in the passage that it cites, and what is declined does not stand there."""

import gzip
import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.prompts import DECLINE
from tandem.tuning.manners.clozes import ask_for_span, make_clozes
from tandem.tuning.manners.lessons import COMPANY, gather_contexts, make_reading_lessons
from tandem.tuning.manners.material import LONGEST_PASSAGE, Asked, Passage, choose_answer, cut, read_questions, tidy
from tandem.tuning.manners.twists import find_names, twist

KITCHEN = Passage("a", "Kitchen", "The kitchen opened in 1998 and closes at eight. Anna Berg runs it with 12 cooks.")
GARDEN = Passage("a", "Garden", "The garden was planted by Otto Lind in 2003. It has 40 apple trees and a pond.")
HALL = Passage("b", "Hall", "The hall seats 300 guests. It was built in 1911 by the town of Ystad for its fairs.")
ASKED = [
    Asked(KITCHEN, "When did the kitchen open?", "1998"),
    Asked(KITCHEN, "Who runs the kitchen with Anna Berg's cooks?", "Anna Berg"),
    Asked(GARDEN, "Who planted the garden in 2003?", "Otto Lind"),
    Asked(HALL, "How many guests does the hall seat?", "300"),
    Asked(HALL, "Who paid for the hall?", None),
]
_CITED = re.compile(r"\[(\d)\] (.+)")


def read_numbered(prompt: str) -> dict[int, str]:
    passages, _, _ = prompt.rpartition("\n\nQuestion: ")
    return {int(n): text for n, text in re.findall(r"\[(\d)\] (.*?)(?=\n\n\[\d\] |\Z)", passages, re.DOTALL)}


@given(st.integers(0, 10_000))
def test_every_lesson_is_true(seed: int) -> None:
    lessons = list(make_reading_lessons(ASKED, random.Random(seed), twists=0.8, strangers=0.8))
    assert len(lessons) >= len(ASKED)
    known = {asked.question: asked.answer for asked in ASKED}
    for lesson in lessons:
        prompt, reply = lesson.messages[1].content, lesson.messages[-1].content
        given_texts, question = read_numbered(prompt), prompt.rpartition("Question: ")[2]
        if cited := _CITED.fullmatch(reply):
            assert cited[2] in given_texts[int(cited[1])]
            assert cited[2] == known[question]
        else:
            assert reply == DECLINE
            answer = known.get(question)
            assert answer is None or not any(answer in text for text in given_texts.values())


@given(st.integers(0, 10_000))
def test_every_passage_is_new_in_one_context(seed: int) -> None:
    pages = {"a": [KITCHEN, GARDEN], "b": [HALL]}
    contexts = list(gather_contexts(pages, random.Random(seed)))
    assert Counter(passage for _, new in contexts for passage in new) == {KITCHEN: 1, GARDEN: 1, HALL: 1}
    for given_along, new in contexts:
        assert set(new) <= set(given_along)
        assert len(set(given_along)) == len(given_along) <= 1 + max(COMPANY)


@given(st.integers(0, 10_000))
def test_a_twist_asks_for_something_else(seed: int) -> None:
    rng = random.Random(seed)
    for asked in ASKED:
        twisted = twist(asked, find_names(f"{GARDEN.text} {HALL.text}"), rng)
        assert twisted is None or (twisted.answer is None and twisted.question != asked.question)


def test_a_name_is_swapped_for_one_that_neither_question_nor_answer_has() -> None:
    asked = Asked(KITCHEN, "Who cooks for Otto Lind?", "Anna Berg")
    twisted = [twist(asked, ["Anna Berg", "Otto Lind", "Mia Falk"], random.Random(seed)) for seed in range(9)]
    assert {one.question for one in twisted if one} == {"Who cooks for Mia Falk?"}


@given(st.integers(0, 10_000))
def test_a_cloze_hides_its_answer(seed: int) -> None:
    rng = random.Random(seed)
    cloze = ask_for_span(KITCHEN.text, rng)
    if cloze is not None:
        question, answer = cloze
        assert answer in KITCHEN.text
        assert question.endswith("?")
    for asked in make_clozes([KITCHEN, GARDEN, HALL], 4, rng):
        assert (asked.answer is None) or asked.answer in asked.passage.text


@given(st.lists(st.text("ab .!\nA", max_size=30)).map("".join))
def test_cutting_loses_nothing(text: str) -> None:
    assert " ".join(cut(tidy(text))).split() == tidy(text).split()


def test_passages_are_cut_around_the_answer(tmp_path: Path) -> None:
    filler = " ".join(f"Sentence number {n} says nothing at all." for n in range(60))
    row = {
        "id": "1",
        "title": "House_rules",
        "passage_id": "p-0",
        "passage": f"{filler} The pool opens at noon. {filler}",
        "question": "When does the pool open ?",
        "answers": ["at noon", "noon."],
        "answerable": True,
    }
    (tmp_path / "set").mkdir()
    with gzip.open(tmp_path / "set" / "qa.jsonl.gz", "wt") as file:
        file.write(json.dumps(row) + "\n" + json.dumps(row | {"answers": ["midnight"]}) + "\n")
    [asked] = read_questions(tmp_path, "set")  # the second answer stands nowhere
    assert (asked.question, asked.answer) == ("When does the pool open?", "noon")
    assert "opens at noon" in asked.passage.text
    assert len(asked.passage.text) <= LONGEST_PASSAGE
    assert asked.passage.title == "House rules"


@pytest.mark.parametrize(
    ("answers", "chosen"), [(["the end of May.", "May"], "May"), (["June"], None), ([], None), (["x" * 200], None)]
)
def test_the_shortest_gold_answer_is_taught(answers: list[str], chosen: str | None) -> None:
    assert choose_answer(answers, "It lasts to the end of May. " + "x" * 200) == chosen
