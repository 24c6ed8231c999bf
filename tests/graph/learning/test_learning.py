"""Questions are answered on both routes and graded; a fit is made of that, judged, kept, and can be taken back."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graph.agent import Agent
from graph.answers import Answer, Done, Question, Receipt, Route, Timings, Tokens
from graph.learning.gate import judge
from graph.learning.graded import Graded, list_graded, recall_without_oneself
from graph.learning.grading import Grade, grade_trial, say_the_same
from graph.learning.judging import Judged, estimate_liked, list_judged
from graph.learning.night import clashes, grade_next, keep_clash, list_clashes, refit_if_due
from graph.learning.refit import Refit, refit
from graph.learning.sample import Logged, draw_next
from graph.learning.trial import Trial, answer_both
from graph.records import store_answer, store_correction
from graph.routing.decision import Decision
from graph.routing.fit import GUESSES, KNOWS, Fit
from graph.routing.fits import FitUnknown, find_serving, keep_fit, list_fits, promote_fit, roll_back
from graph.routing.history import History, find_history
from graph.routing.linear import LinearModel
from graph.routing.policy import Policy
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.settings import Settings
from tests.graph.routing.given import COVERED, STALE, UNCOVERED, make_inputs

EVERYBODY = Viewer("test")
HR = Viewer("test", frozenset({"hr"}))
NOWHERE = np.zeros(384, np.float32)
SETTLED = LinearModel((), (), (), (), (), (), 0.0)


async def ask(agent: Agent, text: str, viewer: Viewer = EVERYBODY) -> str:
    question = Question(id=f"q:{text}", text=text, conversation=f"c:{text}", viewer=viewer)
    [answer] = [event.answer async for event in agent.answer(question) if isinstance(event, Done)]
    return answer.id


@pytest.fixture
async def asked(agent: Agent) -> dict[str, str]:
    texts = ("When are new badges made?", "Where does the colour printer stand?", "thanks!")
    return {text: await ask(agent, text) for text in texts}


async def test_people_choose_what_is_graded_and_each_is_graded_once(
    agent: Agent, asked: dict[str, str], database: Database, model: ModelClient, model_settings: Settings
) -> None:
    badges, printer, _ = asked
    await agent.record_feedback(asked[printer], user="u", verdict="down")
    first = await draw_next(database, PACKAGED_ADAPTER)
    assert first is not None
    assert (first.question, first.verdict, first.viewer, first.route) == (printer, "down", EVERYBODY, "grounded")
    await store_correction(database, asked[badges], person="u", text="New badges are made every Wednesday.")
    second = await draw_next(database, PACKAGED_ADAPTER)
    assert second is not None
    assert second.correction == "New badges are made every Wednesday."
    while await grade_next(database, model, model_settings):
        pass
    assert await draw_next(database, PACKAGED_ADAPTER) is None
    assert (await draw_next(database, "another adapter")) is not None
    rows = await database.fetch_all(b"SELECT graded_by, grounded_right FROM graded_questions ORDER BY 1")
    assert [row["graded_by"] for row in rows] == ["correction", "verdict"]  # small talk is no question
    assert rows[1]["grounded_right"] == 0.0, "what got a thumb down was wrong"
    assert not await database.fetch_all(b"SELECT FROM answers WHERE conversation LIKE 'trial:%%'")
    await agent.record_feedback(asked[badges], user="u", verdict="up")
    assert await draw_next(database, PACKAGED_ADAPTER) is not None, "a new verdict is worth another look"


async def test_a_nights_quota_is_kept(
    asked: dict[str, str], database: Database, model: ModelClient, model_settings: Settings
) -> None:
    one = model_settings.model_copy(update={"learn_questions": 1})
    assert await grade_next(database, model, one)
    assert not await grade_next(database, model, one)


async def test_history_is_what_was_graded_where_no_more_could_be_seen(
    house: Path, agent: Agent, database: Database, model: ModelClient, model_settings: Settings
) -> None:
    await ask(agent, "What does pay band seven start at?", HR)
    await ask(agent, "Where does the colour printer stand?")
    while await grade_next(database, model, model_settings):
        pass
    [vector] = await model.embed(["Where does pay band seven begin?"])
    here, there = [await find_history(database, viewer, vector, None) for viewer in (EVERYBODY, HR)]
    elsewhere = await find_history(database, Viewer("other"), vector, None)
    assert elsewhere == History()
    assert here.nearest is not None
    assert there.nearest is not None
    assert there.nearest > here.nearest + 0.2
    assert (await find_history(database, HR, vector, "newer")).direct_rate is None


def make_graded(count: int, seed: int = 0) -> list[Graded]:
    """Memory is right where nothing is covered, the documents where it is, mostly."""
    drawn = random.Random(seed)
    graded = []
    for number in range(count):
        covered = number % 2 == 0
        inputs = make_inputs(f"Why is number {number}?", COVERED if covered else UNCOVERED)
        graded.append(
            Graded(inputs, float(drawn.random() < (0.2 if covered else 0.8)), float(drawn.random() < 0.9 * covered))
        )
    return graded


def test_a_fit_learns_who_is_right_about_what() -> None:
    made = refit(make_graded(200))
    assert isinstance(made, Refit)
    covered, not_covered = [made.fit.chances(make_inputs("Why?", result)) for result in (COVERED, UNCOVERED)]
    assert covered.grounded > 0.7 > 0.4 > covered.direct
    assert not_covered.direct > 0.6 > 0.2 > not_covered.grounded


def test_too_little_is_not_fitted_and_says_so() -> None:
    assert "59 questions are graded" in str(refit(make_graded(59)))
    same = [replace(one, direct_right=0.0) for one in make_graded(100)]
    assert "0 were answered rightly from memory" in str(refit(same))


def test_the_gate_lets_a_better_fit_pass_and_no_worse_one() -> None:
    graded = make_graded(300)
    made = refit(graded)
    assert isinstance(made, Refit)
    assert made.fit.direct
    upside_down = Fit(made.fit.grounded, made.fit.direct)
    better = judge(graded, made, upside_down, Policy())
    assert better.passed
    assert better.report["p_direct"]["auroc"] > 0.7
    worse = judge(graded, replace(made, fits=(upside_down,) * 5), made.fit, Policy())
    assert not worse.passed
    assert worse.difference[2] < 0


async def test_fits_are_kept_with_their_report_and_taken_back(database: Database) -> None:
    assert await find_serving(database, None) is None
    with pytest.raises(FitUnknown):
        await roll_back(database)
    fit, report = Fit(SETTLED, SETTLED), {"questions": 80}
    first = await keep_fit(database, fit, report, adapter=None, passed=True)
    refused = await keep_fit(database, fit, report, adapter=None, passed=False)
    second = await keep_fit(database, fit, report, adapter=None, passed=True)
    assert [record.passed for record in await list_fits(database)] == [True, False, True]
    serving = await find_serving(database, None)
    assert serving is not None
    assert serving.id == second
    assert await roll_back(database) == first
    await promote_fit(database, refused, by="Ada")
    serving = await find_serving(database, None)
    assert serving is not None
    assert serving.id == refused
    with pytest.raises(FitUnknown):
        await promote_fit(database, 99, by="Ada")
    assert await roll_back(database) == first
    assert await roll_back(database) is None


async def test_a_fit_tells_nothing_of_another_adapters_memory(database: Database) -> None:
    """After a promotion or a rollback, until enough is graded again."""
    sure = Fit(replace(SETTLED, bias=9.0), replace(SETTLED, bias=-9.0))
    await keep_fit(database, sure, {"questions": 80}, adapter="house.3", passed=True)
    own, others = [await find_serving(database, adapter) for adapter in ("house.3", "house.4")]
    assert own
    assert others
    [record] = await list_fits(database)
    assert record.adapter == "house.3"
    general, house = make_inputs("Why is the sky blue?"), make_inputs("What is our parking rule?")
    assert own.chances(general).direct > 0.99
    assert (others.chances(general).direct, others.chances(house).direct) == (KNOWS, GUESSES)
    assert others.chances(general).grounded == own.chances(general).grounded
    assert others.leanings(house)["wants_house"] > others.leanings(general)["wants_house"] == 0


async def test_a_refit_waits_for_something_new_and_says_why_there_is_none(
    asked: dict[str, str], database: Database, model: ModelClient, model_settings: Settings
) -> None:
    assert await refit_if_due(database, model, model_settings) is None
    await grade_next(database, model, model_settings)
    outcome = await refit_if_due(database, model, model_settings)
    assert outcome is None or outcome.fit_id is None
    [graded] = await list_graded(database, PACKAGED_ADAPTER)
    assert 0 < graded.grounded_right < 1, "nobody judged it, so it is as right as the reader thinks"
    assert all(one.direct_right is None for one in await list_graded(database, "another adapter"))


def test_nobody_is_in_their_own_history() -> None:
    graded = make_graded(4)
    vectors = np.eye(4, 384, dtype=np.float32)
    places = [("here", frozenset[str]())] * 3 + [("elsewhere", frozenset[str]())]
    found = recall_without_oneself(graded, places, vectors)
    assert [one.inputs.history.nearest for one in found] == [0.0, 0.0, 0.0, None]
    assert found[0].inputs.history.grounded_rate == np.mean([graded[1].grounded_right, graded[2].grounded_right])


def test_a_verdict_tells_of_the_route_that_gave_the_answer() -> None:
    inputs = make_inputs("When are badges made?")
    trial = Trial("Ask at the front desk.", "New badges are made every Wednesday.", 0.9, (1,), inputs, NOWHERE)
    logged = Logged("a", "When?", "New badges are made every Wednesday. [1]", "grounded", EVERYBODY, None, "up")
    up, down = grade_trial(logged, trial), grade_trial(replace(logged, verdict="down"), trial)
    assert up == Grade(0.0, 1.0, "verdict")
    assert down == Grade(None, 0.0, "verdict"), "that the page is wrong does not tell whether memory is right"
    same = replace(trial, from_memory="New badges are made every Wednesday.")
    assert grade_trial(replace(logged, verdict="down"), same) == Grade(0.0, 0.0, "verdict")
    remembered = replace(logged, answer=trial.from_memory, route="direct", verdict="down")
    assert grade_trial(remembered, trial) == Grade(0.0, 0.9, "verdict")
    corrected = grade_trial(replace(logged, correction="They are made on Friday 13."), trial)
    assert corrected.by == "correction"


def test_without_a_verdict_the_documents_are_as_right_as_their_reader_thinks() -> None:
    inputs = make_inputs("When are badges made?")
    trial = Trial("Made on Wednesday.", "New badges are made every Wednesday.", 0.8, (1,), inputs, NOWHERE)
    logged = Logged("a", "When?", "New badges are made every Wednesday. [1]", "grounded", EVERYBODY, None, None)
    assert grade_trial(logged, trial) == Grade(0.8, 0.8, "support")
    assert grade_trial(logged, replace(trial, from_memory="Ask at the front desk.")) == Grade(0.0, 0.8, "support")
    declined = replace(trial, from_documents=None, p_documents=0.0)
    assert grade_trial(logged, declined) == Grade(None, 0.0, "support")


def test_numbers_must_agree_for_two_texts_to_say_the_same() -> None:
    assert say_the_same("30 days of annual leave", "Everyone has 30 days of annual leave.")
    assert not say_the_same("25 days of annual leave", "Everyone has 30 days of annual leave.")


def test_weights_and_a_newer_page_that_disagree_clash() -> None:
    stale = make_inputs("How long is annual leave?", COVERED, staleness=STALE)
    trial = Trial("25 days of annual leave.", "Annual leave is 30 days.", 0.9, (1,), stale, NOWHERE)
    assert clashes(trial)
    assert not clashes(replace(trial, from_memory="Annual leave: 30 days."))
    assert not clashes(replace(trial, inputs=make_inputs("How long is annual leave?")))
    assert not clashes(replace(trial, from_memory="I'm not sure how long it is.")), "who does not know says nothing"
    assert not clashes(replace(trial, cited=(2,))), "another page was read than the one that changed"


async def test_a_clash_is_kept_for_whoever_trains(agent: Agent, database: Database) -> None:
    answer = await ask(agent, "How much annual leave is there?")
    [page] = await database.fetch_all(b"SELECT id, uri FROM documents WHERE path = 'leave.md'")
    stale = make_inputs("How long?", COVERED, staleness=replace(STALE, document_id=page["id"]))
    trial = Trial("25 days of annual leave.", "30 days of annual leave", 0.9, (page["id"],), stale, NOWHERE)
    assert clashes(trial)
    for said in ("25 days of annual leave.", "20 days of annual leave."):
        await keep_clash(database, answer, replace(trial, from_memory=said), "house.3")
    [kept] = await list_clashes(database)
    assert (kept["question"], kept["from_memory"]) == ("How much annual leave is there?", "20 days of annual leave.")
    assert (kept["uri"], kept["adapter"]) == (page["uri"], "house.3")


def test_the_logs_tell_what_another_choice_would_have_been_worth() -> None:
    """The documents are liked by nine of ten, memory by one of ten; each was drawn half of the time."""
    drawn, judged = random.Random(1), list[Judged]()
    for number in range(2_000):
        route: Route = "grounded" if drawn.random() < 0.5 else "direct"
        liked = float(drawn.random() < (0.9 if route == "grounded" else 0.1))
        judged.append(Judged(make_inputs(f"Why {number}?"), route, 0.5, liked))
    reading, remembering = [
        estimate_liked(judged, Fit(replace(SETTLED, bias=direct), replace(SETTLED, bias=-direct)), Policy())
        for direct in (-3.0, 3.0)
    ]
    assert reading is not None
    assert remembering is not None
    assert reading[1] < 0.9 < reading[2]
    assert remembering[1] < 0.1 < remembering[2]
    assert estimate_liked(judged[:10], None, Policy()) is None


async def test_judged_answers_are_read_with_their_propensity(
    agent: Agent, asked: dict[str, str], database: Database
) -> None:
    for identity in asked.values():
        await agent.record_feedback(identity, user="u", verdict="up")
    judged = await list_judged(database)
    assert {one.propensity for one in judged} == {1.0}
    assert {one.liked for one in judged} == {1.0}


async def test_a_verdict_weighs_by_the_route_that_was_drawn_not_by_the_one_that_wrote(
    agent: Agent, database: Database
) -> None:
    """Memory was tried at one in ten; its draft was unsure, so the documents answered."""
    drawn = Decision("direct", ("tried",), make_inputs("Why?"), fallback="grounded", propensity=0.1).doubted("unsure")
    receipt = Receipt(drawn.reasons, Timings(), Tokens(), "m", None, "1")
    question = Question("drawn", "Why?", "drawn", EVERYBODY)
    answer = Answer("drawn", "Why?", "So. [1]", "grounded", (), receipt)
    await store_answer(database, question, "Why?", answer, drawn.record())
    await agent.record_feedback("drawn", user="u", verdict="up")
    [judged] = await list_judged(database)
    assert (judged.route, judged.propensity, judged.liked) == ("direct", 0.1, 1.0)


@pytest.mark.parametrize(
    "text",
    ["When are new badges made? And why? " * 120, "новые пропуска " * 260],
    ids=["longer than a question", "longer than the context"],
)
async def test_what_cannot_be_answered_again_does_not_end_the_night(
    agent: Agent, database: Database, model: ModelClient, model_settings: Settings, text: str
) -> None:
    """A long question that leans on another long one: together they are too long."""
    identity = await ask(agent, "When are new badges made?")
    joined = {"text": text, "id": identity}
    await database.execute(b"UPDATE answers SET standalone = %(text)s WHERE id = %(id)s", joined)
    kept = await database.fetch_all(b"SELECT thread_id FROM checkpoints")
    assert await grade_next(database, model, model_settings)
    assert not await grade_next(database, model, model_settings)
    assert await database.fetch_all(b"SELECT graded_by, adapter FROM graded_questions") == [
        {"graded_by": "nothing", "adapter": PACKAGED_ADAPTER}
    ]
    assert await list_graded(database, PACKAGED_ADAPTER) == []
    assert await database.fetch_all(b"SELECT thread_id FROM checkpoints") == kept, "nothing of a trial is kept"


async def test_a_question_is_graded_within_the_scope_that_it_was_asked_in(
    agent: Agent, database: Database, model: ModelClient
) -> None:
    await ask(agent, "When are new badges made? since:2999")
    logged = await draw_next(database, PACKAGED_ADAPTER)
    assert logged is not None
    assert logged.question == "since:2999 When are new badges made?"
    trial = await answer_both(database, model, logged.question, logged.viewer)
    assert (trial.from_documents, trial.inputs.evidence.passages) == (None, 0)
    assert trial.inputs.question.words == 5
