"""The questions that were written for this project fit their passages; one whose passage is not there is an error."""

import pytest

from tandem.tuning.manners.material import Asked, Passage
from tandem.tuning.manners.written import EVERYDAY, QUESTIONS, Written, ask_of_passages, mark, read_file

POND = Passage("pages/garden", "Garden", "The pond was dug in 1931. Otto Lind keeps nine carp in it.")


def write(**changes: object) -> Written:
    line = {"passage": mark(POND), "origin": POND.origin, "answered": [("When was the pond dug?", "1931")]}
    return Written.model_validate({**line, "unanswered": ["Who dug the pond?"], **changes})


def test_questions_find_their_passage() -> None:
    other = Passage("pages/hall", "Hall", "The hall seats 300.")
    asked = list(ask_of_passages([write()], [other, POND]))
    assert asked == [Asked(POND, "When was the pond dug?", "1931"), Asked(POND, "Who dug the pond?", None)]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (write(passage="000000000000"), "do not hold"),
        (write(answered=[("When was the pond dug?", "1932")]), "does not hold the answer"),
    ],
)
def test_what_does_not_fit_is_named(line: Written, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"{complaint}|garden.*{complaint}"):
        list(ask_of_passages([line], [POND]))


def test_each_passage_is_asked_of_once_and_no_question_twice_on_it() -> None:
    lines = read_file(QUESTIONS)
    assert len({line.passage for line in lines}) == len(lines) > 1_000
    for line in lines:
        questions = [question for question, _ in line.answered] + line.unanswered
        assert len(set(questions)) == len(questions)
        assert all(question.endswith("?") for question in questions)
        assert all(answer.strip() for _, answer in line.answered)


def test_no_lesson_is_of_a_page_that_the_bar_is_fitted_on() -> None:
    everyday = read_file(EVERYDAY)
    assert not {line.origin for line in everyday} & {line.origin for line in read_file(QUESTIONS)}
    assert sum(len(line.answered) for line in everyday) > 100
