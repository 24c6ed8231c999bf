"""The bar declines as many misleading questions as it is to decline, and everyday questions count in it."""

import random
from dataclasses import asdict

import pytest

from graph.signs import SecondSigns, Signs
from tandem.tuning.manners.bar import DECLINED, DOUBTFUL, Question, Row, fit_bar

PASSAGES = 40


def make_rows(*, everyday_expects: float) -> list[Row]:
    """Sure answers are right. What is answerable is expected in articles, and as `everyday_expects` says elsewhere."""
    chance = random.Random(1)
    rows = []
    for number in range(10 * PASSAGES):
        answerable, everyday = number % 2 == 0, number % 10 < 3
        sure = chance.gauss(1.0 if answerable else -1.0, 1.0)
        expected = chance.gauss((everyday_expects if everyday else 1.0) * (1 if answerable else -1), 1.0)
        question = Question("?", "A page", f"{number % PASSAGES}", ("so",) if answerable else (), is_everyday=everyday)
        second = SecondSigns(chance.gauss(1.0 if answerable else -1.0, 1.0), 0.0, 0.0)
        rows.append(Row(question, make_signs(sure, expected), second, 1.0 if answerable else 0.0))
    return rows


def make_signs(answers: float, expected: float) -> Signs:
    plain = dict.fromkeys(Signs.__dataclass_fields__, 0.0)
    return Signs(**{**plain, "answers": answers, "expected": expected})


def test_the_bar_declines_what_it_is_to_decline() -> None:
    rows = make_rows(everyday_expects=1.0)
    bar, unseen = fit_bar(rows)
    misleading = [
        chance
        for row, chance in zip(rows, unseen, strict=True)
        if not row.question.answers and not row.question.is_everyday
    ]
    assert sum(chance < bar.least for chance in misleading) / len(misleading) == pytest.approx(DECLINED, abs=0.05)
    assert len(unseen) == len(rows), "each row once, however often it counts"


def test_what_is_doubted_is_read_again_and_weighed_by_more() -> None:
    rows = make_rows(everyday_expects=1.0)
    bar, _ = fit_bar(rows)
    assert bar.doubtful[0] < bar.doubtful[1]
    once = [bar.model.chance(asdict(row.signs)) for row in rows]
    share = sum(bar.doubtful[0] <= chance < bar.doubtful[1] for chance in once) / len(rows)
    assert share == pytest.approx(DOUBTFUL[1] - DOUBTFUL[0], abs=0.1)
    assert bar.second.names[: len(bar.model.names)] == bar.model.names
    assert bar.second.weights[bar.second.names.index("again")] > 0.1


def test_a_sign_that_misleads_about_everyday_questions_weighs_less() -> None:
    weights = []
    for expects in (1.0, -1.0):
        bar, _ = fit_bar(make_rows(everyday_expects=expects))
        weights.append(bar.model.weights[bar.model.names.index("expected")])
    assert weights[0] > 2 * weights[1]
