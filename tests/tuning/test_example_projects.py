"""The example projects are fit to be trained on, and each has enough of its own to be judged by."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tandem.settings import Settings
from tandem.tuning.checks import check_examples
from tandem.tuning.examples import Example, Task
from tandem.tuning.files import read_file
from tandem.tuning.gate import FEWEST_HELD_OUT
from tandem.tuning.marks import mark
from tandem.tuning.sets import list_tests
from tandem.tuning.split import assign_sides

EXAMPLES = Path(__file__).parents[2] / "examples"
SETTINGS = Settings(_env_file=None)


@pytest.mark.parametrize(
    ("name", "task"), [("tickets", "labels"), ("orders", "format"), ("tone", "tone"), ("shorthand", "language")]
)
def test_a_project_passes_the_checks_and_can_be_judged(name: str, task: Task) -> None:
    drafts = read_file(EXAMPLES / name / "examples.jsonl", licence="own", author="Tandem's authors")
    known = {"project": name, "task": task, "state": "approved", "added_at": datetime(2026, 5, 1, tzinfo=UTC)}
    examples = [Example(id=number, **known, **vars(draft)) for number, draft in enumerate(drafts, 1)]
    findings = check_examples(examples, SETTINGS, list_tests(SETTINGS))
    assert [found.line for found in findings if not found.passed] == []
    sides = assign_sides(examples, {})
    assert sum(sides[one.origin] == "held-out" for one in examples) >= FEWEST_HELD_OUT
    assert all(mark(task, one.answer, one.answer) == 1.0 for one in examples)
    assert f"`{name}`" in (EXAMPLES / "README.md").read_text()
