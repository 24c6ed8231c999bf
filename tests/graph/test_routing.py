"""The rules choose the route that a person would choose, record what they knew, and say why in words."""

from datetime import UTC, datetime, timedelta

import pytest

from graph.routing import RuleRouter, describe_days
from index.search import Hit, SearchResult
from tests.graph.hits import make_hit

ROUTER = RuleRouter()


def found(*hits: Hit, known_share: float = 0.9) -> SearchResult:
    return SearchResult(hits=hits, index_version="1", known_share=known_share)


COVERED = found(make_hit("a", dense=0.7, coverage=0.9), make_hit("b", chunk_id=2, score=0.5, dense=0.3, coverage=0.2))
UNCOVERED = found(make_hit("a", dense=0.15, coverage=0.1, score=0.4), known_share=0.2)


def test_a_question_that_the_documents_cover_is_grounded_with_its_reasons() -> None:
    decision = ROUTER.decide("How many weeks of leave do I get?", COVERED)
    assert decision.route == "grounded"
    assert "covers 90% of the words that matter" in decision.reasons[0]
    assert decision.record()["best_dense"] == 0.7


@pytest.mark.parametrize("text", ["hi", "Thanks a lot!", "good morning", "Who are you?"])
def test_small_talk_goes_to_the_weights_even_when_a_passage_fits(text: str) -> None:
    assert ROUTER.decide(text, COVERED).route == "direct"


def test_a_writing_task_goes_to_the_weights() -> None:
    assert ROUTER.decide("Write a short thank-you note to a colleague", COVERED).route == "direct"


def test_a_general_question_that_no_passage_fits_goes_to_the_weights() -> None:
    assert ROUTER.decide("Why is the sky blue?", UNCOVERED).route == "direct"


@pytest.mark.parametrize(
    "text", ["What is our parking rule?", "What is the latest price?", "Where can I find the source for that?"]
)
def test_a_question_about_the_house_the_present_or_a_source_is_declined_when_no_passage_fits(text: str) -> None:
    decision = ROUTER.decide(text, UNCOVERED)
    assert decision.route == "declined"
    assert "guessing" in decision.reasons[1]


def test_an_empty_index_is_said_to_be_empty() -> None:
    assert "there are no documents yet" in ROUTER.decide("Why is the sky blue?", found()).reasons[0]


def test_the_age_of_the_best_page_is_a_reason() -> None:
    hit = make_hit("a", dense=0.9, coverage=0.9, changed_at=datetime.now(UTC) - timedelta(days=3))
    assert "that page last changed 3 days ago" in ROUTER.decide("How much leave?", found(hit)).reasons


@pytest.mark.parametrize(
    ("days", "words"),
    [(0.2, "today"), (1.1, "yesterday"), (12, "12 days ago"), (90, "3 months ago"), (800, "2 years ago")],
)
def test_ages_are_told_in_words(days: float, words: str) -> None:
    assert describe_days(days) == words
