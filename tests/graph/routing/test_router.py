"""Before anything was graded, the route is the one that a person would choose; the policy and stale weights bind it."""

from dataclasses import replace

import pytest

from graph.answers import Route
from graph.routing.decision import Chances, Decision
from graph.routing.policy import Policy, PolicyName
from graph.routing.router import choose_route, decide
from index.search import SearchResult
from tests.graph.hits import make_hit
from tests.graph.routing.given import COVERED, STALE, UNCOVERED, found, make_inputs


def choose(question: str, result: SearchResult = COVERED, policy: PolicyName = "balanced") -> Decision:
    return decide(make_inputs(question, result), None, Policy(policy), lambda: 1.0)


def test_a_question_that_the_documents_cover_is_grounded_with_its_reasons() -> None:
    decision = choose("How many weeks of leave do I get?")
    assert decision.route == "grounded"
    assert decision.reasons[0] == "looked it up: the best passage covers 92% of the words that matter"
    assert decision.record()["inputs"]["evidence"]["best_dense"] == 0.7


@pytest.mark.parametrize("text", ["hi", "Thanks a lot!", "good morning", "Who are you?"])
def test_small_talk_goes_to_the_weights_even_when_a_passage_fits(text: str) -> None:
    assert choose(text).route == "direct"


@pytest.mark.parametrize(
    "text",
    [
        "Hello, how many weeks of leave do I get?",
        "ok, who approves leave?",
        "Help me book my leave",
        "thanks, and sick leave?",
    ],
)
def test_a_question_behind_a_greeting_is_a_question(text: str) -> None:
    decision = choose(text)
    assert decision.route == "grounded"
    assert decision.chances
    assert choose(text, UNCOVERED, "sourced").route == "declined"


def test_a_writing_task_goes_to_the_weights() -> None:
    assert choose("Write a short thank-you note to a colleague", UNCOVERED).route == "direct"
    assert choose("Hi, can you rephrase this: leave lasts five weeks").route == "direct"


def test_writing_of_what_the_documents_hold_is_a_question_of_fact() -> None:
    assert choose("Summarize our leave policy").route == "grounded"
    assert choose("Write a mail that announces the leave rules").route == "grounded"
    assert choose("Summarize our leave policy", UNCOVERED).route == "declined"
    assert choose("Summarize our leave policy", UNCOVERED, "sourced").route == "declined"
    stale = decide(
        make_inputs("Draft a mail on sick leave", COVERED, staleness=STALE), None, Policy("fast"), lambda: 1.0
    )
    assert stale.route == "grounded"


def test_a_general_question_that_no_passage_fits_goes_to_the_weights() -> None:
    decision = choose("Why is the sky blue?", UNCOVERED)
    assert (decision.route, decision.fallback) == ("direct", "declined")
    assert "no passage is about this (the best covers 10%" in decision.reasons[0]


@pytest.mark.parametrize(
    "text", ["What is our parking rule?", "What is the latest price?", "Where can I find the source for that?"]
)
def test_a_question_about_the_house_the_present_or_a_source_is_declined_when_no_passage_fits(text: str) -> None:
    decision = choose(text, UNCOVERED)
    assert decision.route == "declined"
    assert decision.reasons[-1].endswith("guessing")


def test_a_question_in_other_words_than_the_page_is_looked_up() -> None:
    hits = (
        make_hit("Call your supervisor by nine.", heading="Sick leave", dense=0.54, coverage=0.16, score=0.7),
        make_hit("b", chunk_id=2, document_id=2, title="Badges", score=0.42, dense=0.1, coverage=0.0),
    )
    decision = choose("Whom do I call when I am ill?", found(*hits, known_share=0.16))
    assert decision.route == "grounded"
    assert "means much the same" in decision.reasons[0]


def test_an_empty_index_is_said_to_be_empty() -> None:
    assert "there are no documents yet" in choose("Why is the sky blue?", found()).reasons[0]


def test_weights_that_are_older_than_the_page_do_not_speak() -> None:
    decision = decide(make_inputs("How much leave?", COVERED, staleness=STALE), None, Policy("fast"), lambda: 1.0)
    assert decision.route == "grounded"
    assert decision.reasons[0] == "looked it up: “Leave” changed on 3 May 2026, after the model was trained"


def test_a_house_that_wants_sources_answers_nothing_from_memory() -> None:
    decision = choose("Why is the sky blue?", UNCOVERED, "sourced")
    assert decision.route == "declined"
    assert "nothing is answered from memory here" in decision.reasons[0]
    assert choose("Thanks!", UNCOVERED, "sourced").route == "direct"


def test_where_two_pages_fit_equally_well_the_person_is_asked() -> None:
    two = found(
        make_hit("Sick leave lasts.", title="Leave", heading="Sick leave", score=0.70, dense=0.60, coverage=0.9),
        make_hit(
            *("Parental leave lasts.",),
            chunk_id=2,
            document_id=2,
            title="Leave",
            heading="Parental leave",
            score=0.69,
            dense=0.58,
            coverage=0.9,
        ),
    )
    decision = choose("How long is the leave?", two)
    assert decision.route == "asked"
    assert "“Leave › Sick leave” or about “Leave › Parental leave”" in decision.reasons[0]
    assert choose("How long is the sick leave?", two).route == "grounded"
    exploring = decide(make_inputs("How long is the leave?", two), None, Policy("balanced", explore=0.5), lambda: 0.0)
    assert exploring.route == "asked", "what is not understood is not tried out"


def test_a_close_call_is_tried_the_other_way_now_and_then_and_says_so() -> None:
    worth = Policy().utilities(Chances(0.72, 0.72, "fit 1"), covered=0.9, stale=False)
    assert choose_route(worth, Policy(explore=0.1), lambda: 0.5) == ("direct", 0.9)
    assert choose_route(worth, Policy(explore=0.1), lambda: 0.05) == ("grounded", 0.1)
    assert choose_route(worth, Policy(), lambda: 0.05) == ("direct", 1.0)


@pytest.mark.parametrize(("policy", "stale"), [("sourced", False), ("cite", False), ("balanced", True)])
def test_what_the_policy_or_a_changed_page_shuts_is_not_tried(policy: PolicyName, stale: bool) -> None:
    exploring = Policy(policy, explore=0.5)
    worth = exploring.utilities(Chances(0.72, 0.72, "fit 1"), covered=0.9, stale=stale)
    assert choose_route(worth, exploring, lambda: 0.0) == ("grounded", 1.0)


def test_what_is_worth_less_than_to_decline_is_not_tried() -> None:
    worth: dict[Route, float] = {"direct": 0.03, "grounded": -0.03, "declined": 0.0}
    assert choose_route(worth, Policy(explore=0.5), lambda: 0.0) == ("direct", 1.0)


def test_the_packaged_model_is_not_asked_for_what_has_a_rare_name() -> None:
    rare, common = "Who founded the Huguenots?", "What is the capital of France?"
    for question, little, route in ((rare, True, "declined"), (rare, False, "direct"), (common, True, "direct")):
        inputs = replace(make_inputs(question, UNCOVERED), knows_little=little)
        assert decide(inputs, None, Policy(), lambda: 1.0).route == route
    inputs = replace(make_inputs(rare, UNCOVERED), knows_little=True)
    told = decide(inputs, None, Policy(), lambda: 1.0).reasons
    assert "you name something rare, which memory easily gets wrong" in told
