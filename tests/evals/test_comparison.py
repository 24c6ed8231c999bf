"""Figures of the arms are those of their outcomes, and the oracle is what their best choice would have been."""

import json

import pytest

from graph.answers import Citation
from tandem.evals.comparison import ArmRun, Outcome
from tandem.evals.costs import price_reply
from tandem.evals.grading import grade_reply
from tandem.evals.qa import Asked
from tandem.settings import Settings
from tests.evals.compared import first, make_comparison, make_questions, make_reply


def test_the_contract() -> None:
    compared = make_comparison(
        make_questions(8, 2),
        {"prompt": first(2, 10), "retrieval": [*first(6, 8), True, False], "tandem": [True] * 10},
        left_out={"tuned": "no adapter is in service"},
        places=[1, 1, 1, 1, 2, 6, None, None],
    )
    described = json.loads(json.dumps(compared.describe()))
    assert list(described) == ["questions", "arms", "details"]
    assert described["questions"] == 10
    assert list(described["arms"]) == ["prompt", "retrieval", "tandem"]
    assert described["arms"]["retrieval"] == {
        "answerable": {"em": 0.75, "f1": 0.75, "contained": 0.75},
        "unanswerable": {"declined": 0.5},
        "retrieval": {"recall@1": 0.5, "recall@5": 0.625, "mrr": round((4 + 1 / 2 + 1 / 6) / 8, 4)},
        "citations": {"precision": None, "recall": 0.0},
        "tokens": 400.0,
        "latency_ms": {"p50": 250.0, "p95": 250.0},
        "cost_per_1000": 0.02,
    }
    assert described["arms"]["prompt"]["retrieval"] == {"recall@1": None, "recall@5": None, "mrr": None}
    assert described["arms"]["prompt"]["citations"] == {"precision": None, "recall": None}
    unanswerable = make_comparison(make_questions(0, 2), {"retrieval": [True, True]}, places=[]).describe()
    assert unanswerable["arms"]["retrieval"]["retrieval"] == described["arms"]["prompt"]["retrieval"]
    details = described["details"]
    assert details["left_out"] == {"tuned": "no adapter is in service"}
    assert details["right"]["retrieval"]["mean"] == 0.7
    assert details["differences"]["retrieval - prompt"]["mean"] == 0.5
    assert details["differences"]["retrieval - prompt"]["low"] > 0
    assert details["declined_rightly"]["tandem"]["mean"] == 1
    assert details["declined_wrongly"]["tandem"]["mean"] == 0


def test_the_oracle_takes_the_cheapest_right_route_and_declines_for_nothing() -> None:
    compared = make_comparison(
        make_questions(4, 1),
        {
            "prompt": [True] * 5,  # the tuned arm stands in its place
            "tuned": [True, False, True, False, False],
            "tuned+retrieval": [True, True, False, False, False],
        },
    )
    assert compared.oracle
    assert compared.oracle.right == pytest.approx(4 / 5)
    assert compared.oracle.tokens == pytest.approx((50 + 380 + 50 + 50 + 0) / 5)
    assert make_comparison(make_questions(2), {"tandem": [True, True]}).oracle is None


def test_citations() -> None:
    asked = Asked(question="Cost?", answers=("15 euros",))
    right = Citation(1, "Badges", "file:///badges.md", "It costs 15 euros.", 0.9)
    wrong = Citation(2, "Leave", "file:///leave.md", "Thirty days.", 0.5)

    def outcome(*citations: Citation) -> Outcome:
        reply = make_reply("15 euros", "grounded", citations=citations)
        return Outcome(asked, reply, grade_reply(asked, reply.text, declined=False), 0.0)

    run = ArmRun((outcome(right, wrong), outcome(wrong), outcome(right), outcome()))
    assert run.citation_precision == 0.5
    assert run.citation_recall == 0.5


def test_cost_is_electricity_and_tokens() -> None:
    reply = make_reply("x", tokens=1010)  # a quarter of a second; 1,000 read and 10 written
    free = Settings(_env_file=None, watts=100, price_kwh=0.36)
    assert price_reply(reply, free) == pytest.approx(0.25 * 100 / 3.6e6 * 0.36)
    paid = free.model_copy(update={"watts": 0, "price_prompt": 2.0, "price_answer": 10.0})
    assert price_reply(reply, paid) == pytest.approx((1000 * 2 + 10 * 10) / 1e6)
