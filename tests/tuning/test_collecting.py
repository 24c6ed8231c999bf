"""Answers that people approved or corrected become examples, and only those that everybody may know."""

from dataclasses import replace

from graph.answers import Answer, Citation, Question, Receipt, Timings, Tokens
from graph.records import store_answer, store_correction, store_feedback
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.tuning.collecting import collect_answers
from tandem.tuning.examples import Draft

RECEIPT = Receipt((), Timings(), Tokens(), "m", None, "1")
CITATION = Citation(1, "Badges", "badges.md", "New badges are made every Wednesday.", 0.9)
SECRET = replace(CITATION, document_id=77, revision="ab")


async def give(
    database: Database, identity: str, text: str, citations: tuple[Citation, ...] = (), route: str = "direct"
) -> Answer:
    asked = Question(identity, "When are badges made?", f"thread {identity}", Viewer("terminal"))
    answer = Answer(identity, asked.text, text, route, citations, RECEIPT)  # type: ignore[arg-type]
    await store_answer(database, asked, asked.text, answer, {})
    return answer


async def collect(database: Database) -> dict[str, Draft]:
    return {draft.place.removeprefix("answer:"): draft for draft in await collect_answers(database)}


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


async def test_what_not_everybody_may_see_goes_into_no_adapter(database: Database) -> None:
    await give(database, "secret", "Every Wednesday. [1]", (SECRET,), "grounded")
    await store_feedback(database, "secret", person="ann", verdict="up")
    assert await collect(database) == {}
