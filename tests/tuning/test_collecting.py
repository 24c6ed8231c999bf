"""Answers that people approved or corrected become examples, and only those that everybody may know."""

from dataclasses import replace

import pytest

from graph.answers import Answer, Citation, Question, Receipt, Timings, Tokens
from graph.records import store_answer, store_correction, store_feedback
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.tuning.collecting import collect_answers, collect_clashes, count_closed
from tandem.tuning.examples import Draft
from tests.tuning.made import index_page

RECEIPT = Receipt((), Timings(), Tokens(), "m", None, "1")
CITATION = Citation(1, "Badges", "badges.md", "New badges are made every Wednesday.", 0.9)
HERE, HR = Viewer("terminal"), Viewer("slack:T1", frozenset({"slack:C0HR", "hr"}))
SECRET = replace(CITATION, document_id=77, revision="ab")


async def give(
    database: Database,
    identity: str,
    text: str,
    citations: tuple[Citation, ...] = (),
    route: str = "direct",
    viewer: Viewer = HERE,
) -> Answer:
    asked = Question(identity, "When are badges made?", f"thread {identity}", viewer)
    answer = Answer(identity, asked.text, text, route, citations, RECEIPT)  # type: ignore[arg-type]
    await store_answer(database, asked, asked.text, answer, {})
    return answer


async def collect(database: Database) -> dict[str, Draft]:
    return {str(draft.place).removeprefix("answer:"): draft for draft in await collect_answers(database)}


async def test_approved_and_corrected_answers_are_taken_and_disputed_ones_are_not(database: Database) -> None:
    for identity in ("plain", "approved", "disputed", "corrected"):
        await give(database, identity, "On Tuesday.")
    await store_feedback(database, "approved", person="ann", verdict="up")
    for person, verdict in (("ann", "up"), ("bo", "down")):
        await store_feedback(database, "disputed", person=person, verdict=verdict)  # type: ignore[arg-type]
    await store_feedback(database, "corrected", person="ann", verdict="down")
    assert await store_correction(database, "corrected", person="bo", text="On Friday.")
    assert await store_correction(database, "corrected", person="bo", text="On Wednesday.")
    assert not await store_correction(database, "no such answer", person="bo", text="On Friday.")
    found = await collect(database)
    assert {name: (draft.answer, draft.author) for name, draft in found.items()} == {
        "approved": ("On Tuesday.", "ann"),
        "corrected": ("On Wednesday.", "bo"),
    }
    assert found["approved"].question == "When are badges made?"
    assert found["approved"].origin == "conversation:thread approved"


async def test_an_answer_from_passages_keeps_them_before_the_question(database: Database) -> None:
    await give(database, "cited", "Every Wednesday. [1]", (CITATION,), "grounded")
    await store_feedback(database, "cited", person="ann", verdict="up")
    [draft] = (await collect(database)).values()
    assert "New badges are made every Wednesday." in draft.question
    assert draft.question.endswith("Question: When are badges made?")
    assert "[1]" in draft.answer
    assert "Every Wednesday." in draft.answer


async def test_an_example_names_its_documents_by_source_and_path(database: Database) -> None:
    """As drafted examples do: a number means another document in another database."""
    await database.execute(
        b"INSERT INTO sources (name, kind, location, workspace, audience, added_by)"
        b" VALUES ('house', 'folder', '/house', '*', 'everyone', 'ann')"
    )
    row = await database.fetch_one(
        b"INSERT INTO documents (source_id, path, workspace, audience, title, uri, state)"
        b" SELECT id, 'badges.md', '*', 'everyone', 'Badges', 'file:///house/badges.md', 'indexed' FROM sources"
        b" RETURNING id"
    )
    assert row
    cited = replace(CITATION, document_id=row["id"], uri="file:///house/badges.md", source="house", revision="ab")
    await give(database, "cited", "Every Wednesday. [1]", (cited,), "grounded")
    await store_feedback(database, "cited", person="ann", verdict="up")
    [draft] = (await collect(database)).values()
    assert [(seen.source, seen.path, seen.revision) for seen in draft.documents] == [("house", "badges.md", "ab")]


async def test_a_correction_cites_the_passage_that_holds_it_and_none_that_does_not(database: Database) -> None:
    other = replace(CITATION, n=2, title="Keys", quote="Lost keys cost 25 euros.")
    for identity, correction in (
        ("held", "They are made every Wednesday [1]."),
        ("not held", "On Friday."),
        ("no", "No."),
    ):
        await give(database, identity, "The nearest that I found: “…” [1]", (other, CITATION), "declined")
        await store_correction(database, identity, person="ann", text=correction)
    found = await collect(database)
    assert found["held"].answer == "[2] They are made every Wednesday."
    assert found["held"].licence == "unknown"
    for identity, wanted in (("not held", "On Friday."), ("no", "No.")):
        plain = found[identity]
        assert (plain.question, plain.answer, plain.licence) == ("When are badges made?", wanted, "own")


async def test_a_question_back_is_no_answer_to_learn(database: Database) -> None:
    await give(database, "asked", "Do you mean “Badges” or “Keys”?", (), "asked")
    await store_feedback(database, "asked", person="ann", verdict="up")
    assert await collect(database) == {}


@pytest.mark.parametrize(
    ("stated", "now", "licences"),
    [
        ((), None, ["own"]),
        ((None,), None, ["unknown"]),
        ((None,), "CC0-1.0", ["CC0-1.0"]),
        (("CC-BY-NC-4.0",), "CC0-1.0", ["CC-BY-NC-4.0"]),
        (("CC-BY-NC-4.0", None, "CC-BY-NC-4.0"), "own", ["CC-BY-NC-4.0", "own"]),
    ],
)
async def test_words_of_documents_are_under_their_licences(
    database: Database, stated: tuple[str | None, ...], now: str | None, licences: list[str]
) -> None:
    page = await index_page(database, now)
    citations = tuple(replace(CITATION, n=n, document_id=page, licence=one) for n, one in enumerate(stated, 1))
    await give(database, "cited", "Every Wednesday.", citations)
    await store_feedback(database, "cited", person="ann", verdict="up")
    [draft] = (await collect(database)).values()
    assert draft.licences == licences


async def test_what_not_everybody_may_see_goes_into_no_adapter(database: Database) -> None:
    await give(database, "secret", "Every Wednesday. [1]", (SECRET,), "grounded")
    await store_feedback(database, "secret", person="ann", verdict="up")
    assert await collect(database) == {}


async def test_what_was_said_before_an_audience_is_no_example_unless_that_is_named(database: Database) -> None:
    await give(database, "praised", "On Tuesday.", viewer=HR)
    await store_feedback(database, "praised", person="ann", verdict="up")
    await give(database, "corrected", "On Tuesday.", viewer=replace(HR, audiences=frozenset({"slack:C0HR"})))
    await store_correction(database, "corrected", person="bo", text="Jo Berg leaves on Friday.")
    await give(database, "nobody's", "On Tuesday.", viewer=HR)
    await give(database, "old", "On Tuesday.")
    await store_feedback(database, "old", person="ann", verdict="up")
    await database.execute(b"UPDATE answers SET workspace = NULL, audiences = NULL WHERE id = 'old'")
    assert await collect(database) == {}
    assert await count_closed(database) == {"slack:C0HR": 2, "hr": 1}
    for named, found in (
        ({"hr"}, set()),
        ({"slack:C0HR"}, {"corrected"}),
        ({"slack:C0HR", "hr"}, {"praised", "corrected"}),
    ):
        places = {draft.place for draft in await collect_answers(database, named)}
        assert places == {f"answer:{identity}" for identity in found}
    assert await count_closed(database, {"slack:C0HR"}) == {"hr": 1}


async def notice_clash(database: Database, page: int, noticed: str, viewer: Viewer = HERE) -> None:
    """As a night of learning keeps it."""
    await give(database, "stale", "On Tuesday.", viewer=viewer)
    await database.execute(
        b"INSERT INTO clashes (answer_id, document_id, adapter, from_memory, from_documents, noticed_at)"
        b" VALUES ('stale', %(page)s, 'house.1', 'On Tuesday.', 'Every Wednesday. [1]', now() + %(noticed)s::interval)",
        {"page": page, "noticed": noticed},
    )


async def test_what_a_changed_page_says_against_the_weights_is_proposed(database: Database) -> None:
    page = await index_page(database, "CC0-1.0")
    await notice_clash(database, page, "1 hour")
    [draft] = await collect_clashes(database)
    assert (draft.question, draft.answer) == ("When are badges made?", "Every Wednesday.")
    assert (draft.place, draft.origin, draft.author) == ("clash:stale", "house/badges.md", "house.1")
    [seen] = draft.documents
    assert (draft.licence, seen.id, seen.path, seen.revision) == ("CC0-1.0", page, "badges.md", "ab")


@pytest.mark.parametrize(("audience", "noticed"), [("hr", "1 hour"), ("everyone", "-1 hour")])
async def test_a_clash_with_a_page_of_few_or_one_that_was_read_in_again_is_left_out(
    database: Database, audience: str, noticed: str
) -> None:
    await notice_clash(database, await index_page(database, audience=audience), noticed)
    assert await collect_clashes(database) == []


async def test_a_clash_on_a_question_that_was_asked_before_an_audience_is_left_out(database: Database) -> None:
    await notice_clash(database, await index_page(database), "1 hour", viewer=HR)
    assert await collect_clashes(database) == []
    assert len(await collect_clashes(database, HR.audiences)) == 1
