"""Examples keep where they came from; what changes is reviewed again, and only a person's word approves."""

import json
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from tandem.db.migrations import list_migrations
from tandem.db.pool import Database
from tandem.settings import Settings
from tandem.tuning.examples import (
    Draft,
    Example,
    State,
    TuningError,
    add_examples,
    count_examples,
    list_examples,
    review_examples,
)
from tandem.tuning.files import read_file


def read(folder: Path, *pairs: tuple[str, str]) -> list[Draft]:
    lines = [json.dumps({"question": question, "answer": answer, "origin": "p1"}) for question, answer in pairs]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return read_file(folder / "a.jsonl", licence="own", author="Ann")


async def test_adding_a_file_again_adds_what_changed_for_a_new_review(database: Database, tmp_path: Path) -> None:
    before = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    assert await add_examples(database, before, project="house", task="tone") == 2
    one, other = await list_examples(database, "house")
    assert await review_examples(database, [one.id, other.id], project="house", state="approved", by="bo") == 2
    assert await add_examples(database, before, project="house", task="tone") == 0
    changed = read(tmp_path, ("Why?", "So."), ("Where?", "There."))
    assert await add_examples(database, changed, project="house", task="tone") == 1
    kept, _, new = await list_examples(database, "house")
    assert (kept.state, kept.reviewed_by, kept.answer) == ("approved", "bo", "So.")
    assert (new.state, new.reviewed_by, new.answer) == ("proposed", None, "There.")
    assert [one.model_dump(include={"origin", "licence", "author", "task"}) for one in (kept,)] == [
        {"origin": "p1", "licence": "own", "author": "Ann", "task": "tone"}
    ]


def describe(examples: Sequence[Example]) -> dict[str, State]:
    return {one.question: one.state for one in examples}


async def test_an_example_of_a_file_is_known_by_its_words_and_not_by_its_line(
    database: Database, tmp_path: Path
) -> None:
    """A line put in at the top shifts the others, and a file of the same name elsewhere has lines of its own."""
    await add_examples(database, read(tmp_path, ("Why?", "So."), ("Where?", "Here.")), project="house", task="tone")
    one, other = await list_examples(database, "house")
    await review_examples(database, [one.id], project="house", state="approved", by="bo")
    await review_examples(database, [other.id], project="house", state="rejected", by="bo")
    shifted = read(tmp_path, ("When?", "Now."), ("Why?", "So."), ("Where?", "Here."), ("Why?", "So."))
    assert await add_examples(database, shifted, project="house", task="tone", approved_by="ann") == 1
    wanted = {"Why?": "approved", "Where?": "rejected", "When?": "approved"}
    assert describe(await list_examples(database, "house")) == wanted
    (tmp_path / "south").mkdir()
    south = read(tmp_path / "south", ("Who?", "Ann."))
    assert await add_examples(database, south, project="house", task="tone") == 1
    assert describe(await list_examples(database, "house")) == wanted | {"Who?": "proposed"}


async def test_another_licence_task_or_author_leaves_what_a_person_made_of_it(
    database: Database, tmp_path: Path
) -> None:
    drafts = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    await add_examples(database, drafts, project="house", task="tone")
    one, other = await list_examples(database, "house")
    await review_examples(database, [one.id], project="house", state="approved", by="bo", answer="Because.")
    await review_examples(database, [other.id], project="house", state="rejected", by="bo")
    again = read_file(tmp_path / "a.jsonl", licence="MIT", author="Bo")
    assert await add_examples(database, again, project="house", task="language", approved_by="ann") == 0
    edited, rejected = await list_examples(database, "house")
    assert (edited.answer, edited.state, edited.reviewed_by) == ("Because.", "approved", "bo")
    assert (edited.licence, edited.author, edited.task) == ("MIT", "Bo", "language")
    assert rejected.state == "rejected"


async def test_other_words_from_the_same_place_are_reviewed_again(database: Database, tmp_path: Path) -> None:
    """As a later correction of the same answer is."""
    [draft] = read(tmp_path, ("Why?", "So."))
    first = draft.model_copy(update={"place": "answer:1"})
    await add_examples(database, [first], project="house", task="tone", approved_by="ann")
    [one] = await list_examples(database, "house")
    await review_examples(database, [one.id], project="house", state="approved", by="bo", cleared=True)
    [draft] = read(tmp_path, ("Why?", "So be it."))
    later = draft.model_copy(update={"place": "answer:1"})
    assert await add_examples(database, [later], project="house", task="tone") == 1
    [again] = await list_examples(database, "house")
    assert (again.id, again.answer, again.state, again.cleared_by) == (one.id, "So be it.", "proposed", None)


async def test_a_word_of_one_project_s_review_counts_there_alone(database: Database, tmp_path: Path) -> None:
    await add_examples(database, read(tmp_path, ("Why?", "So.")), project="a", task="tone")
    [one] = await list_examples(database, "a")
    assert await review_examples(database, [one.id], project="b", state="approved", by="bo") == 0
    assert describe(await list_examples(database, "a")) == {"Why?": "proposed"}


async def test_a_person_clears_what_looks_like_instructions_until_the_words_change(
    database: Database, tmp_path: Path
) -> None:
    await add_examples(database, read(tmp_path, ("Why?", "So.")), project="a", task="tone")
    [one] = await list_examples(database, "a")
    await review_examples(database, [one.id], project="a", state="approved", by="bo", cleared=True)
    assert (await list_examples(database, "a"))[0].cleared_by == "bo"
    await review_examples(database, [one.id], project="a", state="approved", by="ann")
    assert (await list_examples(database, "a"))[0].cleared_by == "bo"
    await review_examples(database, [one.id], project="a", state="approved", by="ann", answer="Obey.")
    assert (await list_examples(database, "a"))[0].cleared_by is None


@pytest.mark.parametrize("project", ["help desk", "", "-desk", "a/b", "x" * 61])
async def test_a_project_whose_adapters_could_have_no_name_is_refused_at_once(
    database: Database, tmp_path: Path, project: str
) -> None:
    with pytest.raises(TuningError, match="is no name for a project"):
        await add_examples(database, read(tmp_path, ("Why?", "So.")), project=project, task="tone")


async def test_examples_from_before_are_known_by_their_words_too(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """Two lines of the same words: the approved one is known by them, and the other stays as it was judged."""
    drafts = read(tmp_path, ("Why?", "So."))
    assert settings.database_url
    [migration] = [one for one in list_migrations() if one.name.startswith("0015")]
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("ALTER TABLE examples DROP COLUMN cleared_by")
        for place, state in (("a.jsonl:1", "rejected"), ("a.jsonl:2", "approved"), ("answer:1", "approved")):
            connection.execute(
                "INSERT INTO examples (project, task, messages, added_hash, place, origin, licence, author, state)"
                " VALUES ('house', 'tone', %(messages)s, md5(%(messages)s::jsonb::text), %(place)s, 'p1', 'own', 'Ann',"
                " %(state)s)",
                {
                    "messages": json.dumps([turn.model_dump() for turn in drafts[0].messages]),
                    "place": place,
                    "state": state,
                },
            )
        connection.execute(migration.sql)
    assert await add_examples(database, drafts, project="house", task="tone", approved_by="ann") == 0
    assert [one.place for one in await list_examples(database, "house")][::2] == ["a.jsonl:1", "answer:1"]


async def test_a_reviewer_may_put_the_answer_right_reject_or_vouch_at_once(database: Database, tmp_path: Path) -> None:
    drafts = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    await add_examples(database, drafts, project="house", task="tone", approved_by="ann")
    one, other = await list_examples(database, "house", "approved")
    await review_examples(database, [one.id], project="house", state="approved", by="bo", answer='Because "it" is.')
    await review_examples(database, [other.id], project="house", state="rejected", by="bo")
    [approved] = await list_examples(database, "house", "approved")
    assert (approved.answer, approved.question, approved.reviewed_by) == ('Because "it" is.', "Why?", "bo")
    assert [(count.state, count.examples, count.origins) for count in await count_examples(database)] == [
        ("approved", 1, 1),
        ("rejected", 1, 1),
    ]


async def test_what_a_reviewer_edited_or_rejected_stays_when_the_same_is_added_again(
    database: Database, tmp_path: Path
) -> None:
    drafts = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    await add_examples(database, drafts, project="house", task="tone")
    one, other = await list_examples(database, "house")
    await review_examples(database, [one.id], project="house", state="approved", by="bo", answer="Because.")
    await review_examples(database, [other.id], project="house", state="rejected", by="bo")
    for by in (None, "ann"):
        assert await add_examples(database, drafts, project="house", task="tone", approved_by=by) == 0
    edited, rejected = await list_examples(database, "house")
    assert (edited.answer, edited.state, edited.reviewed_by) == ("Because.", "approved", "bo")
    assert (rejected.answer, rejected.state) == ("Here.", "rejected")


async def test_projects_do_not_see_each_other(database: Database, tmp_path: Path) -> None:
    drafts = read(tmp_path, ("Why?", "So."))
    assert await add_examples(database, drafts, project="a", task="tone") == 1
    assert await add_examples(database, drafts, project="b", task="tone") == 1
    assert len(await list_examples(database, "a")) == 1
