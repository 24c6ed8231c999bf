"""Tandem passes if it keeps up, saves tokens, and never says what a document said before."""

from typing import Any

import pytest

from tests.evals.healthcare.verdict import judge

SORTS = {f"q{number}": "changed" if number < 4 else "common" if number < 16 else "rare" for number in range(20)}
OLD = {f"q{number}": f"1 in {number + 2},000" for number in range(4)}


def make_replies(tokens: int, reply: str = "1 in 90") -> list[dict[str, Any]]:
    def row(arm: str, question: str, right: bool, size: int, said: str = "it") -> dict[str, Any]:
        return {"arm": arm, "question": question, "right": right, "tokens": size, "reply": said, "route": "grounded"}

    return [
        row(arm, question, right, size, reply if arm == "tandem" and question == "q1" else "it")
        for question, sort in SORTS.items()
        for arm, right, size in (
            ("tuned", sort == "common", 50),
            ("tuned+retrieval", sort != "common", 400),
            ("tandem", True, tokens),
        )
    ]


def test_it_holds() -> None:
    verdict = judge(make_replies(200), SORTS, OLD)
    assert verdict.holds
    assert verdict.right["tuned"] == {"all": 0.6, "changed": 0, "common": 1, "rare": 0}
    assert verdict.best == "tuned"
    assert verdict.difference.mean == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("tokens", "reply", "said"),
    [(300, "1 in 90", 0), (200, "About 1 in 3,000 people [1].", 1), (200, "1 in 30,001", 0)],
)
def test_tokens_and_old_facts_count(tokens: int, reply: str, said: int) -> None:
    verdict = judge(make_replies(tokens, reply), SORTS, OLD)
    assert verdict.token_share == tokens / 400
    assert len(verdict.said_old) == said
    assert verdict.holds == (tokens <= 240 and not said)
