"""What is told of the documents behind an answer, when it is given and when it is looked at again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from graph.agent import Agent
from graph.answers import Done
from graph.provenance import trace_citations
from index.audience import Viewer
from index.sources import Terms, set_terms
from tandem.db.pool import Database
from tandem.settings import Settings
from tests.graph.test_agent import EVERYBODY, ask, question

BADGES = "On which day are new badges made?"


async def set_on_house(database: Database, settings: Settings, terms: Terms, *given: str) -> None:
    await set_terms(database, settings, "house", terms, set(given), set_by="ann")


async def test_a_citation_says_where_it_comes_from_how_old_it_is_and_that_it_is_due(
    agent: Agent, database: Database, settings: Settings
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    terms = Terms(owner="slack:U1", licence="CC0-1.0", review_by=yesterday)
    await set_on_house(database, settings, terms, "owner", "licence", "review_by")
    [cited, *_] = (await ask(agent, question(BADGES))).citations
    assert (cited.source, cited.owner, cited.licence, cited.is_due) == ("house", "slack:U1", "CC0-1.0", True)
    assert cited.revision is not None
    assert len(cited.revision) == 32
    assert cited.changed_at is not None
    assert cited.indexed_at is not None
    assert cited.changed_at < cited.indexed_at
    assert cited.lag_s is not None
    assert cited.lag_s > 0
    [other] = await trace_citations(database, EVERYBODY, [replace(cited, indexed_at=yesterday, revision=None)])
    assert other.revision is None, "it was swapped meanwhile: what is there now is not what was quoted"
    assert (await trace_citations(database, Viewer(""), [cited]))[0] == cited


async def test_what_has_expired_is_cited_by_no_recorded_answer_either(
    agent: Agent, database: Database, settings: Settings
) -> None:
    asked = question(BADGES, "thread")
    first = await ask(agent, asked)
    assert [event async for event in agent.answer(asked)] == [Done(first)]
    assert (await agent.explain_last("thread", EVERYBODY)) == first
    assert (await agent.find_answer(first.id, EVERYBODY)) == first
    await set_on_house(database, settings, Terms(expires_at=datetime.now(UTC)), "expires_at")

    explained = await agent.explain_last("thread", EVERYBODY)
    assert explained is not None
    assert explained.citations[0].is_withheld
    assert "badges" not in repr(explained.citations)
    assert await agent.find_answer(first.id, EVERYBODY) is None
    again = await ask(agent, asked)
    assert not any(citation.uri.endswith("badges.md") for citation in again.citations)
    assert "Wednesday" not in again.answer
    followed = await ask(agent, question("Say that again, please", "thread"))
    assert "Wednesday" not in followed.answer, "the thread's memory does not hand it on either"
    kept = await agent.explain_last("thread", EVERYBODY)
    assert kept is not None
    assert kept.answer == followed.answer


async def test_why_tells_nothing_of_a_document_to_who_may_not_read_it(agent: Agent) -> None:
    hr = Viewer("terminal", frozenset({"hr"}))
    answer = await ask(agent, question("Where does pay band seven start?", "thread", hr))
    assert any("pay.md" in citation.uri for citation in answer.citations)
    assert await agent.explain_last("thread", hr) == answer
    explained = await agent.explain_last("thread", EVERYBODY)
    assert explained is not None
    assert not any(citation.uri or citation.title or citation.quote for citation in explained.citations)
