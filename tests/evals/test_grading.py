"""Replies are graded as SQuAD's official script does; a reply that declines is right about what nothing answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.evals.grading import best_em, best_f1, contains, grade_reply, normalise
from tandem.evals.qa import Asked

WHEN = Asked(question="When?", answers=("10th and 11th centuries", "in the 10th century"))
NEVER = Asked(question="Why?", answerable=False)


def test_normalised_as_the_official_script_does() -> None:
    assert normalise("  The Cat's  hat,\tan A-list theatre. ") == "cats hat alist theatre"


@pytest.mark.parametrize(
    ("said", "em", "f1", "contained"),
    [
        ("In the 10th century.", 1, 1, 1),
        ("The Normans came in the 10th century [1].", 0, 2 * 3 / (5 + 3), 1),
        ("10th century", 0, 2 * 2 / (2 + 3), 0),
        ("in the 110th century", 0, 2 * 2 / (3 + 3), 0),
        ("Nobody knows", 0, 0, 0),
    ],
)
def test_an_answer_is_measured_against_the_nearest_wording(said: str, em: float, f1: float, contained: float) -> None:
    grade = grade_reply(WHEN, said, declined=False)
    assert (grade.em, grade.contained, grade.right) == (em, contained, contained)
    assert grade.f1 == pytest.approx(f1)


def test_declining_is_right_where_nothing_answers() -> None:
    assert grade_reply(NEVER, "The passages do not say.", declined=True).right == 1
    assert grade_reply(NEVER, "In 1066.", declined=False).right == 0
    refused = grade_reply(WHEN, "In the 10th century.", declined=True)
    assert (refused.right, refused.f1, refused.declined) == (0, 0, 1)


@given(st.text(), st.lists(st.text(), min_size=1))
def test_measures_agree_with_each_other(said: str, answers: list[str]) -> None:
    assert 0 <= best_em(said, answers) <= best_f1(said, answers) <= 1
    if best_em(said, answers) and normalise(said):
        assert contains(said, answers)
