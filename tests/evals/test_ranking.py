"""The measures give known values, stay between 0 and 1, and reward what they should."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tandem.evals.ranking import ndcg, recall, reciprocal_rank

DOCUMENTS = [f"d{number}" for number in range(8)]
RANKINGS = st.permutations(DOCUMENTS).flatmap(lambda order: st.integers(0, 8).map(lambda size: order[:size]))
GRADES = st.dictionaries(st.sampled_from([*DOCUMENTS, "unfound"]), st.integers(-1, 3))


def test_ndcg_of_the_wikipedia_s_example() -> None:
    """https://en.wikipedia.org/wiki/Discounted_cumulative_gain: 6.861 over 8.740, of the first six."""
    grades = {"d1": 3, "d2": 2, "d3": 3, "d4": 0, "d5": 1, "d6": 2, "d7": 3, "d8": 2}
    assert ndcg([f"d{n}" for n in range(1, 7)], grades, 6) == pytest.approx(0.785, abs=5e-4)


def test_one_relevant_document_at_each_place() -> None:
    for place in range(1, 9):
        grades = {f"d{place - 1}": 1}
        assert ndcg(DOCUMENTS, grades, 8) == pytest.approx(1 / math.log2(place + 1))
        assert reciprocal_rank(DOCUMENTS, grades, 8) == pytest.approx(1 / place)
        assert ndcg(DOCUMENTS, grades, place - 1) == reciprocal_rank(DOCUMENTS, grades, place - 1) == 0
        assert (recall(DOCUMENTS, grades, place - 1), recall(DOCUMENTS, grades, place)) == (0, 1)


def test_recall_counts_what_was_not_found() -> None:
    assert recall(["a", "b", "x"], {"a": 1, "b": 2, "c": 1, "x": 0, "y": -1}, 3) == pytest.approx(2 / 3)


def test_nothing_relevant_is_zero() -> None:
    for measure in (ndcg, recall, reciprocal_rank):
        assert measure(["a"], {"a": 0, "b": -1}, 10) == measure([], {"a": 1}, 10) == measure(["a"], {}, 10) == 0


@given(ranked=RANKINGS, grades=GRADES, k=st.integers(0, 10))
def test_measures_are_shares(ranked: list[str], grades: dict[str, int], k: int) -> None:
    for measure in (ndcg, recall, reciprocal_rank):
        assert 0 <= measure(ranked, grades, k) <= 1 + 1e-12
    assert recall(ranked, grades, k) <= recall(ranked, grades, k + 1)
    assert reciprocal_rank(ranked, grades, k) <= reciprocal_rank(ranked, grades, k + 1)


@given(grades=GRADES, k=st.integers(1, 10))
def test_the_order_of_the_grades_is_perfect(grades: dict[str, int], k: int) -> None:
    assume(any(grade > 0 for grade in grades.values()))
    best = sorted(grades, key=lambda document: -grades[document])
    assert ndcg(best, grades, k) == pytest.approx(1)
    assert reciprocal_rank(best, grades, k) == 1
    assert recall(best, grades, len(best)) == 1


@given(ranked=st.permutations(DOCUMENTS), grades=GRADES, place=st.integers(0, 6))
def test_a_better_document_moved_up_never_costs(ranked: list[str], grades: dict[str, int], place: int) -> None:
    above, below = ranked[place], ranked[place + 1]
    assume(grades.get(below, 0) >= grades.get(above, 0))
    swapped = [*ranked[:place], below, above, *ranked[place + 2 :]]
    for measure in (ndcg, recall, reciprocal_rank):
        assert measure(swapped, grades, 8) >= measure(ranked, grades, 8) - 1e-12
