"""The signs tell an answer that was asked for from one that only looks like it."""

import math

import pytest

from graph.reading import plain_text
from graph.signs import (
    OPPOSITE,
    find_agreement,
    is_turned,
    list_missing,
    weigh_again,
    weigh_question,
    weigh_signs,
)
from graph.support import content_terms
from tests.graph.hits import make_hit

LEAVE = "Everyone has **30 days** of leave. It ends with the year, see [the rules](https://example.org/rules)."


def test_signs_tell_what_the_passage_lacks() -> None:
    hit = make_hit(LEAVE)
    likely = [math.log(0.9), math.log(0.5), 0.0, math.log(0.8), math.log(0.2)]
    own = weigh_signs(
        "How many days of leave?", hit, plain_text(LEAVE), "Everyone has **30 days** of leave.", likely, (), 0.7
    )
    other = weigh_signs("Did the Normans have leave in 1066?", hit, plain_text(LEAVE), LEAVE, likely, (), 0.1)
    assert own.answers == pytest.approx(math.log(9))
    assert own.words == pytest.approx((math.log(0.8) + math.log(0.2)) / 2)
    assert own.least == pytest.approx(math.log(0.2))
    assert (own.numbers, own.names, own.coverage) == (0.0, 0.0, 1.0)
    assert (other.numbers, other.names) == (1.0, 1.0)
    assert other.coverage < own.coverage
    assert own.rarest == 0.0
    assert other.rarest > 0.8


@pytest.mark.parametrize(
    ("question", "is_one"),
    [
        ("who did not join the guild in 1911?", True),
        ("which team couldn't move?", True),
        ("who was the last to join the guild?", True),
        ("who joined the guild first?", False),
        ("when was the guild founded?", False),
    ],
)
def test_a_turned_question_is_told(question: str, is_one: bool) -> None:
    assert is_turned(question, "the weavers were the first to join the guild, in 1911.") == is_one


def test_a_question_that_says_not_like_its_passage_is_not_turned() -> None:
    assert not is_turned("which rooms are not heated?", "the cellar and the attic are not heated.")


def test_agreement_is_of_words_without_articles() -> None:
    assert find_agreement("The Normans", "normans") == 1.0
    assert find_agreement("in the year 1066", "1066") == pytest.approx(0.5)
    assert find_agreement("the", "a") == find_agreement("", "x") == 0.0


def test_a_second_reading_that_declines_speaks_against_the_first() -> None:
    yes, no = (weigh_again("eight", "eight", [math.log(chance)], []) for chance in (0.9, 0.1))
    assert yes.again == pytest.approx(-no.again)
    assert (yes.again > 0, yes.agreement) == (True, 1.0)


def test_opposites_go_both_ways() -> None:
    assert all(OPPOSITE.get(other) is not None for other in OPPOSITE.values())


def test_a_word_of_which_a_part_is_held_is_not_missing() -> None:
    held = content_terms("The well known rules")
    assert list_missing("Which well-known rules bind Huguenots and Huguenots?", held) == ["bind", "Huguenots"]


def test_a_question_is_as_expected_as_its_two_least_likely_words() -> None:
    tokens = [
        ("A", -9.0), (" Question", -8.0), (":", -7.0), (" Who", -1.0), (" re", -2.0), ("views", -1.5), (" the", -0.1),
        (" year", -0.4), ("'s", -0.2), (" drafts", -3.0), ("?", -6.0),
    ]  # fmt: skip
    assert weigh_question(tokens) == pytest.approx((-3.5 - 3.0) / 2)
    assert weigh_question(tokens[5:]) == pytest.approx((-3.0 - 1.5) / 2), "a long one whose beginning is cut off"
    assert weigh_question(tokens[:4]) == -1.0
    assert weigh_question(()) == 0.0
