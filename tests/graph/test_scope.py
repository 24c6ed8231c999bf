"""A question's scope is taken out of its words, wherever it stands in it, and nothing else is."""

from datetime import UTC, datetime

import pytest

from graph.agent import Agent
from graph.scope import split_scope
from index.filters import FilterError, Filters
from tandem.db.pool import Database
from tandem.errors import QuestionRejected, SourceError
from tests.graph.test_agent import EVERYBODY, ask, question

HOUSE = Filters(sources=frozenset({"house"}))


async def test_scopes_are_read_where_they_stand(agent: Agent, database: Database) -> None:
    for text, asked, filters in (
        ("How many days of leave? in:house", "How many days of leave?", HOUSE),
        ("In:HOUSE how many days?", "how many days?", HOUSE),
        ("How many days in:house, please?", "How many days , please?", HOUSE),
        ("How many days in:house?", "How many days ?", HOUSE),
        ('How many days? in:"house"', "How many days?", HOUSE),
        ("Wie viele Tage? lang:de lang:en", "Wie viele Tage?", Filters(languages=frozenset({"de", "en"}))),
        ("What is new since:2024-05?", "What is new ?", Filters(since=datetime(2024, 5, 1, tzinfo=UTC))),
        ("How do `in:house` and win:house differ?", "How do `in:house` and win:house differ?", Filters()),
        ("Where is it?\nIn the house: on top.", "Where is it?\nIn the house: on top.", Filters()),
    ):
        assert await split_scope(database, EVERYBODY, text) == (asked, filters)


async def test_an_answer_stands_on_what_is_in_scope_alone(agent: Agent) -> None:
    answer = await ask(agent, question("On which day are new badges made? in:house since:2020"))
    assert answer.route == "grounded"
    assert "Wednesday" in answer.answer
    assert answer.question.endswith("since:2020"), "as it was asked, for /why"
    later = await ask(agent, question("On which day are new badges made? since:2999"))
    assert "Wednesday" not in later.answer
    assert not later.citations


async def test_a_source_that_the_viewer_may_not_see_is_refused_as_one_that_is_not_there(agent: Agent) -> None:
    messages = set()
    for name in ("hr", "zz"):
        with pytest.raises(SourceError) as error:
            await ask(agent, question(f"Where does pay band seven start? in:{name}"))
        messages.add(str(error.value).replace(f"`{name}`", ""))
    assert messages == {"There is no source  here. The ones I know are `house`."}


async def test_a_scope_that_cannot_be_read_is_refused_and_one_alone_is_no_question(agent: Agent) -> None:
    for text in ("New badges? since:soon", "New badges? since:2024 since:2025", "New badges? lang:xx"):
        with pytest.raises(FilterError):
            await ask(agent, question(text))
    with pytest.raises(QuestionRejected, match="empty"):
        await ask(agent, question("in:house"))
