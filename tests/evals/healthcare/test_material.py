"""Questions have short answers that stand in the documents, lessons teach what was true before, and the old is gone."""

from collections import Counter
from pathlib import Path

import pytest

from graph.prompts import DECLINE, DIRECT, READING
from tandem.evals.grading import contains
from tests.evals.healthcare.facts import COMMON_UP_TO, RARE, Row, find_facts, read_medquad
from tests.evals.healthcare.material import COUNTS, PRACTICE, Material, make_material

DATA = Path(__file__).parents[4] / "shared" / "data" / "medquad" / "qa.jsonl.gz"
pytestmark = pytest.mark.skipif(not DATA.is_file(), reason=f"MedQuAD is not at {DATA}")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read_medquad(DATA)


@pytest.fixture(scope="module")
def material(rows: list[Row]) -> Material:
    return make_material(rows)


def test_answers_stand_in_the_documents_as_they_are_now(material: Material) -> None:
    assert Counter(asked.sort for asked in material.questions) == COUNTS
    for asked in material.questions:
        assert contains(material.after[asked.path], [asked.fact.answer]), asked
        assert asked.path.startswith("rare/") == (asked.sort == "rare")
        assert all(len(answer.split()) <= 22 for answer in asked.fact.answers)


def test_what_changed_is_nowhere_said_as_before(material: Material) -> None:
    changed = [asked for asked in material.questions if asked.old]
    assert len(changed) == COUNTS["changed"]
    for asked in changed:
        assert asked.old
        assert contains(material.before[asked.path], [asked.old])
        assert not contains(material.after[asked.path], [asked.old]), asked
        assert not contains(asked.fact.answer, [asked.old])
    assert {path for path in material.after if material.after[path] != material.before[path]} == {
        asked.path for asked in changed
    }


def test_lessons_teach_the_common_as_it_was_and_no_question_is_a_lesson(material: Material) -> None:
    taught = {
        messages[-2].content: (path, messages[-1].content)
        for path, messages in material.lessons
        if messages[0].content == DIRECT
    }
    assert not any(path.startswith("rare/") for path, _ in taught.values())
    assert not set(taught) & {asked.text for asked in material.questions}
    for path, answer in taught.values():
        assert contains(material.before[path], [answer])
    said = Counter(path for path, _ in taught.values())
    assert all(said[asked.path] >= 3 for asked in material.questions if asked.sort != "rare")


def test_reading_is_taught_with_and_without_the_passage(material: Material) -> None:
    read = [messages for _, messages in material.lessons if messages[0].content == READING]
    assert sum(messages[-1].content == DECLINE for messages in read) == len(read) / 4
    for _, asked, reply in read:
        if reply.content != DECLINE:
            number, answer = reply.content[1], reply.content[4:]
            passage = asked.content.split(f"[{number}] ")[1].split("\n\n")[0]
            assert contains(passage, [answer])


def test_the_same_again(material: Material, rows: list[Row]) -> None:
    assert make_material(rows) == material


def test_practice_is_on_other_facts(material: Material) -> None:
    assert Counter(asked.sort for asked in material.practice) == {"common": PRACTICE, "rare": PRACTICE}
    assert not {asked.fact for asked in material.practice} & {asked.fact for asked in material.questions}
    assert not {asked.text for asked in material.practice} & {asked.text for asked in material.questions}


def test_rare_and_common_are_told_by_their_sources(rows: list[Row]) -> None:
    facts = list(find_facts(rows))
    assert sum(fact.source == RARE for fact in facts) > 500
    shares = [int(fact.answer.split()[-1].replace(",", "")) for fact in facts if fact.kind == "frequency"]
    assert min(shares) < COMMON_UP_TO < max(shares)
