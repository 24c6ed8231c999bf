"""The reasons are the largest contributions, in words that need no manual."""

from datetime import UTC, datetime, timedelta

import pytest

from graph.routing.fit import Fit
from graph.routing.history import History
from graph.routing.inputs import Inputs
from graph.routing.linear import LinearModel
from graph.routing.policy import Policy
from graph.routing.reasons import describe_days
from graph.routing.router import decide
from graph.routing.staleness import Staleness
from tests.graph.hits import make_hit
from tests.graph.routing.given import COVERED, STALE, UNCOVERED, found, make_inputs


def make_fit(direct: dict[str, float], grounded: dict[str, float], bias: tuple[float, float] = (0.0, 0.0)) -> Fit:
    """Weights by feature, of values that are 0.5 on average and vary by 1."""

    def model(weights: dict[str, float], bias: float) -> LinearModel:
        count = len(weights)
        return LinearModel(
            tuple(weights),
            (0.5,) * count,
            (1.0,) * count,
            (-9.0,) * count,
            (9.0,) * count,
            tuple(weights.values()),
            bias,
        )

    return Fit(model(direct, bias[0]), model(grounded, bias[1]), 3)


def reasons(inputs: Inputs, fit: Fit | None = None) -> tuple[str, ...]:
    return decide(inputs, fit, Policy(), lambda: 1.0).reasons


def test_the_issues_own_example_is_said() -> None:
    history = History(0.2, 0.8, 0.9, 2, 9, 7, 9)
    inputs = make_inputs("How much leave do I get?", COVERED, history, STALE)
    fit = make_fit({"direct_history": 3.0}, {"best_coverage": 4.0})
    assert reasons(inputs, fit) == (
        "looked it up: “Leave” changed on 3 May 2026, after the model was trained",
        "the best passage covers 92% of the words that matter",
        "I was right on 2 of 9 similar questions from memory",
    )


def test_a_good_memory_is_a_reason_to_use_it() -> None:
    history = History(0.9, 0.3, 0.9, 8, 9, 3, 9)
    inputs = make_inputs("Why is the sky blue?", UNCOVERED, history)
    fit = make_fit({"direct_history": 8.0}, {"grounded_history": 1.0}, (2.0, -1.0))
    first, *others = reasons(inputs, fit)
    assert first == "answered from memory: I was right on 8 of 9 similar questions from memory"
    assert "the documents answered 3 of 9 similar questions rightly" in others


def test_what_the_model_was_trained_on_is_a_reason_for_either_side() -> None:
    fit = make_fit({"taught": 8.0}, {"covered": 1.0})
    trained = datetime(2026, 4, 1, tzinfo=UTC)
    taught = make_inputs("How much leave do I get?", staleness=Staleness(trained, taught=True))
    assert reasons(taught, fit)[0] == (
        "answered from memory: the model was trained on the page about this, and it is still the same"
    )
    untaught = make_inputs("How much leave do I get?", staleness=Staleness(trained))
    assert "the model was not trained on the page about this" in " ".join(reasons(untaught, fit))
    assert "trained" not in " ".join(reasons(make_inputs("How much leave do I get?"), fit))


def test_the_age_of_the_best_page_is_a_reason() -> None:
    hit = make_hit("a", dense=0.9, coverage=0.9, changed_at=datetime.now(UTC) - timedelta(days=3))
    assert "that page last changed 3 days ago" in reasons(make_inputs("How much leave?", found(hit)))


def test_what_is_asked_for_is_a_reason_to_decline() -> None:
    told = reasons(make_inputs("What is our latest parking rule?", UNCOVERED))
    assert told[0].startswith("no passage is about this")
    assert set(told[1:]) <= {"you ask about the house", "you ask for what is true now"}


def test_a_bad_history_is_the_reason_to_decline_what_a_passage_covers() -> None:
    history = History(0.2, 0.1, 0.9, 2, 9, 1, 9)
    fit = make_fit({"direct_history": 8.0}, {"grounded_history": 8.0})
    decision = decide(make_inputs("How much leave do I get?", COVERED, history), fit, Policy(), lambda: 1.0)
    assert decision.route == "declined"
    assert decision.reasons == (
        "the documents answered 1 of 9 similar questions rightly",
        "I was right on 2 of 9 similar questions from memory",
        "a passage covers 92% of the words that matter, but seemed unlikely to hold the answer",
    )


@pytest.mark.parametrize("policy", [Policy(), Policy("sourced")])
def test_where_memory_was_shut_declining_says_why_and_not_that_it_would_guess(policy: Policy) -> None:
    staleness = STALE if policy.name == "balanced" else None
    inputs = make_inputs("How much leave do I get?", COVERED, staleness=staleness)
    decision = decide(inputs, make_fit({}, {}, (3.0, -3.0)), policy, lambda: 1.0)
    assert decision.route == "declined"
    assert decision.reasons == (
        "memory may be out of date: “Leave” changed on 3 May 2026, after the model was trained"
        if staleness
        else "nothing is answered from memory here (that is this team's setting)",
        "a passage covers 92% of the words that matter, but seemed unlikely to hold the answer",
    )


def test_after_an_unsure_draft_nothing_says_that_memory_answered() -> None:
    decision = decide(make_inputs("Why is the sky blue?", UNCOVERED), None, Policy(), lambda: 1.0)
    assert decision.reasons[0].startswith("answered from memory: ")
    unsure = "a first draft from memory was unsure of itself"
    doubted = decision.doubted(unsure)
    assert doubted.reasons[0] == unsure
    assert doubted.reasons[1].startswith("asked memory first: no passage is about this")
    assert not any("answered from memory" in reason for reason in doubted.doubted("so were the passages").reasons)


@pytest.mark.parametrize(
    ("days", "words"),
    [(0.2, "today"), (1.1, "yesterday"), (12, "12 days ago"), (90, "3 months ago"), (800, "2 years ago")],
)
def test_ages_are_told_in_words(days: float, words: str) -> None:
    assert describe_days(days) == words


def test_where_memory_is_chosen_before_a_passage_nobody_is_told_that_there_is_none() -> None:
    told = reasons(make_inputs("How much leave do I get?", COVERED), make_fit({}, {}, (3.0, -3.0)))
    assert told == ("answered from memory: that seemed the likelier to be right",)
