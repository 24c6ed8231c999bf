"""The recommendation follows from the differences and their intervals, and says how sure it is."""

from collections.abc import Mapping, Sequence

import pytest

from tandem.evals.arms import ArmName
from tandem.evals.recommendation import choose_arm, recommend
from tests.evals.compared import first, make_comparison, make_questions

N = 60


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [
        ({"prompt": 5, "tuned": 6, "retrieval": 40, "tuned+retrieval": 41}, "retrieval"),
        ({"prompt": 5, "tuned": 40, "retrieval": 8, "tuned+retrieval": 41}, "tuned"),
        ({"prompt": 5, "tuned": 20, "retrieval": 20, "tuned+retrieval": 45}, "tuned+retrieval"),
        ({"prompt": 40, "tuned": 41, "retrieval": 40, "tuned+retrieval": 41}, "prompt"),
    ],
)
def test_the_cheapest_that_none_is_surely_better_than(counts: Mapping[ArmName, int], chosen: str) -> None:
    compared = make_comparison(make_questions(N), {arm: first(count, N) for arm, count in counts.items()})
    assert choose_arm(compared) == chosen
    said = recommend(compared)
    wanted = {"prompt": "no more than", "tuned+retrieval": "both fine-tuning and retrieval", "tuned": "fine-tuning."}
    assert said.startswith(f"Your questions call for {wanted.get(chosen, chosen)}")


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            first(40, N),
            "no fewer than retrieval (between 6 fewer and 6 more), with 50% of its tokens: leave the choice",
        ),
        ([*first(37, 50), *[True] * 1, *[False] * 9], "perhaps fewer than retrieval"),
        (first(20, N), "right, fewer than retrieval"),
        (first(55, N), "right, more than retrieval"),
        ([*first(38, 50), *[True] * 2, *[False] * 8], "no fewer than retrieval"),
    ],
)
def test_tandem_is_held_against_the_best(own: Sequence[bool], said: str) -> None:
    arms: dict[ArmName, Sequence[bool]] = {"prompt": first(3, N), "retrieval": first(40, N), "tandem": own}
    told = recommend(make_comparison(make_questions(N), arms))
    assert said in told


def test_where_the_choice_is_surely_best_the_questions_call_for_both() -> None:
    plain: dict[ArmName, Sequence[bool]] = {"tuned": first(30, N), "tuned+retrieval": first(33, N)}
    said = "Your questions call for both fine-tuning and retrieval, chosen question by question."
    assert recommend(make_comparison(make_questions(N), plain | {"tandem": first(50, N)})).startswith(said)
    assert said not in recommend(make_comparison(make_questions(N), plain | {"tandem": first(34, N)}))
    assert said not in recommend(make_comparison(make_questions(N), {"prompt": first(9, N), "tandem": first(50, N)}))


def test_a_server_that_tells_no_tokens_is_no_reason_to_say_nothing() -> None:
    arms: dict[ArmName, Sequence[bool]] = {"retrieval": first(40, N), "tandem": first(40, N)}
    compared = make_comparison(make_questions(N), arms, tokens={"retrieval": 0, "tandem": 0})
    assert "no fewer than retrieval (between 6 fewer and 6 more): leave the choice to it." in recommend(compared)


def test_luck_is_called_so() -> None:
    told = recommend(make_comparison(make_questions(20), {"prompt": first(9, 20), "retrieval": first(11, 20)}))
    assert told.startswith("20 questions are too few to tell what yours call for.")
    assert "Retrieval got 55 of 100, which may be luck" in told
    assert "questions would tell" in told


@pytest.mark.parametrize(("places", "where"), [([1] * N, "lost in reading"), ([None] * N, "lost in search")])
def test_it_says_where_answers_are_lost(places: Sequence[int | None], where: str) -> None:
    arms: dict[ArmName, Sequence[bool]] = {"prompt": first(0, N), "retrieval": first(20, N)}
    assert where in recommend(make_comparison(make_questions(N), arms, places=places))


def test_what_nothing_answers_and_what_was_not_tried() -> None:
    told = recommend(
        make_comparison(
            make_questions(30, 10),
            {"prompt": first(2, 40), "retrieval": first(15, 40)},
            left_out={"tuned": "no adapter is in service", "tuned+retrieval": "no adapter is in service"},
        )
    )
    assert "retrieval declines 0 of 100 (between 0 and 31); to the others it makes an answer up." in told
    assert told.endswith("Not tried: fine-tuning and fine-tuning with retrieval, as no adapter is in service.")


def test_one_arm_alone_recommends_nothing() -> None:
    assert "ask the other arms too" in recommend(make_comparison(make_questions(4), {"tandem": [True] * 4}))
    assert recommend(make_comparison(make_questions(4), {"retrieval": [True] * 4})).startswith(
        "Only retrieval was tried"
    )
