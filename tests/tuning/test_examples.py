"""Examples keep where they came from; what changes is reviewed again, and only a person's word approves."""

import json
from pathlib import Path

from tandem.db.pool import Database
from tandem.tuning.examples import Draft, add_examples, count_examples, list_examples, review_examples
from tandem.tuning.files import read_file


def read(folder: Path, *pairs: tuple[str, str]) -> list[Draft]:
    lines = [json.dumps({"question": question, "answer": answer, "origin": "p1"}) for question, answer in pairs]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return read_file(folder / "a.jsonl", licence="own", author="Ann")


async def test_adding_a_file_again_adds_what_changed_for_a_new_review(database: Database, tmp_path: Path) -> None:
    before = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    assert await add_examples(database, before, project="house", task="tone") == 2
    one, other = await list_examples(database, "house")
    assert await review_examples(database, [one.id, other.id], state="approved", by="bo") == 2
    assert await add_examples(database, before, project="house", task="tone") == 0
    changed = read(tmp_path, ("Why?", "So."), ("Where?", "There."))
    assert await add_examples(database, changed, project="house", task="tone") == 1
    kept, again = await list_examples(database, "house")
    assert (kept.state, kept.reviewed_by, kept.answer) == ("approved", "bo", "So.")
    assert (again.state, again.reviewed_by, again.answer) == ("proposed", None, "There.")
    assert [one.model_dump(include={"origin", "licence", "author", "place", "task"}) for one in (kept,)] == [
        {"origin": "p1", "licence": "own", "author": "Ann", "place": "a.jsonl:1", "task": "tone"}
    ]


async def test_a_reviewer_may_put_the_answer_right_reject_or_vouch_at_once(database: Database, tmp_path: Path) -> None:
    drafts = read(tmp_path, ("Why?", "So."), ("Where?", "Here."))
    await add_examples(database, drafts, project="house", task="tone", approved_by="ann")
    one, other = await list_examples(database, "house", "approved")
    await review_examples(database, [one.id], state="approved", by="bo", answer='Because "it" is.')
    await review_examples(database, [other.id], state="rejected", by="bo")
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
    await review_examples(database, [one.id], state="approved", by="bo", answer="Because.")
    await review_examples(database, [other.id], state="rejected", by="bo")
    for by in (None, "ann"):
        assert await add_examples(database, drafts, project="house", task="tone", approved_by=by) == 0
    edited, rejected = await list_examples(database, "house")
    assert (edited.answer, edited.state, edited.reviewed_by) == ("Because.", "approved", "bo")
    assert (rejected.answer, rejected.state) == ("Here.", "rejected")
    changed = read(tmp_path, ("Why?", "So be it."), ("Where?", "Here."))
    assert await add_examples(database, changed, project="house", task="tone") == 1
    again, _ = await list_examples(database, "house")
    assert (again.answer, again.state) == ("So be it.", "proposed")


async def test_projects_do_not_see_each_other(database: Database, tmp_path: Path) -> None:
    drafts = read(tmp_path, ("Why?", "So."))
    assert await add_examples(database, drafts, project="a", task="tone") == 1
    assert await add_examples(database, drafts, project="b", task="tone") == 1
    assert len(await list_examples(database, "a")) == 1
