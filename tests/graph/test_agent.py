"""The agent on a real index and a real model: finds the page, cites it, remembers, declines, answers once."""

import itertools
from pathlib import Path

import pytest

from graph.agent import Agent
from graph.answers import Answer, Delta, Done, Progress, Question
from index.audience import Viewer
from index.jobs import enqueue_look, run_next_job
from index.sources import list_sources
from tandem.db.pool import Database
from tandem.errors import QuestionRejected
from tandem.models.client import ModelClient
from tandem.settings import Settings

EVERYBODY = Viewer("terminal")
_numbers = itertools.count()


def question(text: str, conversation: str = "", viewer: Viewer = EVERYBODY) -> Question:
    number = next(_numbers)
    return Question(id=f"q{number}", text=text, conversation=conversation or f"c{number}", viewer=viewer)


async def ask(agent: Agent, asked: Question) -> Answer:
    events = [event async for event in agent.answer(asked)]
    assert isinstance(events[-1], Done)
    return events[-1].answer


async def test_a_covered_question_is_answered_from_its_page_with_a_receipt(agent: Agent) -> None:
    events = [event async for event in agent.answer(question("On which day are new badges made?"))]
    assert isinstance(events[0], Progress)
    done = events[-1]
    assert isinstance(done, Done)
    answer = done.answer
    assert answer.route == "grounded"
    assert "Wednesday" in answer.answer
    assert answer.citations[0].uri.endswith("badges.md")
    assert answer.citations[0].n == 1
    assert "[1]" in answer.answer
    assert "Wednesday" in answer.citations[0].quote
    assert "".join(event.text for event in events if isinstance(event, Delta)) == answer.answer
    assert answer.receipt.reasons[0].startswith("looked it up")
    assert answer.receipt.reasons[-1].startswith("the answer stands in the passage, and fits with a chance of")
    assert answer.receipt.timings_ms.total >= answer.receipt.timings_ms.retrieve > 0
    assert answer.receipt.tokens.prompt > 0
    assert answer.receipt.model_calls == 1
    assert answer.receipt.model


async def test_small_talk_is_answered_at_once_without_model_or_citations(agent: Agent) -> None:
    answer = await ask(agent, question("Hello!"))
    assert (answer.route, answer.citations) == ("direct", ())
    assert answer.answer == "Hello! What would you like to know?"
    assert answer.receipt.tokens.prompt == answer.receipt.tokens.answer == answer.receipt.model_calls == 0


async def test_a_question_behind_a_greeting_is_looked_up(agent: Agent) -> None:
    answer = await ask(agent, question("Hi there! On which day are new badges made? Thanks!"))
    assert answer.route == "grounded"
    assert "Wednesday" in answer.answer


async def test_an_answer_from_memory_takes_no_citation_over_from_the_thread(agent: Agent) -> None:
    await ask(agent, question("On which day are new badges made?", "thread"))
    answer = await ask(agent, question("What is the capital of France?", "thread"))
    assert "Paris" in answer.answer
    assert "[" not in answer.answer


async def test_a_question_about_the_house_that_no_page_answers_is_declined_and_names_the_nearest(agent: Agent) -> None:
    answer = await ask(agent, question("What is our policy on sabbaticals in Antarctica?"))
    assert answer.route == "declined"
    assert "I don't know" in answer.answer
    assert "“" in answer.answer


async def test_a_follow_up_leans_on_the_thread_and_another_thread_does_not(agent: Agent) -> None:
    await ask(agent, question("How long does parental leave last?", "thread"))
    followed = await ask(agent, question("And when must I tell the office?", "thread"))
    assert any(citation.uri.endswith("leave.md") for citation in followed.citations)
    assert followed.question == "And when must I tell the office?"


async def test_a_short_question_that_names_its_subject_stands_alone_in_a_thread(agent: Agent) -> None:
    await ask(agent, question("How long does parental leave last?", "thread"))
    answer = await ask(agent, question("When are badges made?", "thread"))
    assert "Wednesday" in answer.answer
    followed = await ask(agent, question("What is the price?", "thread"))
    assert any(citation.uri.endswith("badges.md") for citation in followed.citations)


async def test_the_same_event_gets_the_same_answer_without_asking_the_model_again(agent: Agent) -> None:
    asked = question("Where does the colour printer stand?")
    first = await ask(agent, asked)
    replayed = [event async for event in agent.answer(asked)]
    assert replayed == [Done(first)]


async def test_why_finds_the_last_answer_of_the_thread_and_new_forgets_the_thread(agent: Agent) -> None:
    assert await agent.explain_last("thread", EVERYBODY) is None
    answer = await ask(agent, question("How many days of annual leave are there?", "thread"))
    assert await agent.explain_last("thread", EVERYBODY) == answer
    await agent.forget("thread")
    fresh = await ask(agent, question("And before it begins?", "thread"))
    assert not any("annual leave" in citation.quote for citation in fresh.citations)


async def test_an_audience_sees_its_pages_and_nobody_else_does(agent: Agent) -> None:
    text = "Where does pay band seven start?"
    inside = await ask(agent, question(text, viewer=Viewer("terminal", frozenset({"hr"}))))
    outside = await ask(agent, question(text))
    assert "71,300" in inside.answer
    assert "71,300" not in outside.answer
    assert not any("pay.md" in citation.uri for citation in outside.citations)


async def test_an_instruction_inside_a_document_is_not_followed(agent: Agent) -> None:
    answer = await ask(agent, question("What is the name of the colour printer?"))
    assert "FALCON-3" in answer.answer
    assert "closed" not in answer.answer


async def test_a_changed_paragraph_embeds_few_chunks_and_the_next_answer_has_it(
    agent: Agent, house: Path, database: Database, model: ModelClient, model_settings: Settings
) -> None:
    page = house / "badges.md"
    page.write_text(page.read_text().replace("Wednesday", "Friday"))
    source = next(source for source in await list_sources(database) if source.name == "house")
    await enqueue_look(database, model_settings, source, requested_by="test")
    while await run_next_job(database, model, model_settings, worker="test"):
        pass
    answer = await ask(agent, question("On which day are new badges made?"))
    assert "Friday" in answer.answer
    assert "Wednesday" not in answer.answer


@pytest.mark.parametrize(("text", "message"), [("  ", "empty"), ("x" * 4001, "4,001")])
async def test_questions_that_cannot_be_read_are_refused_with_the_numbers(
    agent: Agent, text: str, message: str
) -> None:
    with pytest.raises(QuestionRejected, match=message):
        await ask(agent, question(text))


async def test_how_sure_the_reader_was_is_kept(agent: Agent, database: Database) -> None:
    await ask(agent, question("On which day are new badges made?"))
    row = await database.fetch_one(b"SELECT (inputs ->> 'p_answer')::float8 AS sure FROM answers")
    assert row
    assert 0 < row["sure"] < 1


async def test_feedback_is_kept_for_known_answers_only(agent: Agent) -> None:
    answer = await ask(agent, question("How many days of annual leave are there?"))
    assert await agent.record_feedback(answer.id, user="u", verdict="up")
    assert await agent.record_feedback(answer.id, user="u", verdict="down")
    assert not await agent.record_feedback("no such answer", user="u", verdict="up")
