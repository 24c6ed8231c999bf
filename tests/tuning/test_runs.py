"""A run's snapshot tells every revision that its examples were made from, so that no taught one is forgotten."""

from datetime import UTC, datetime

import pytest

from graph.routing.staleness import find_staleness
from index.standing import Standing
from tandem.models.adapters import Card
from tandem.models.snapshot import SeenDocument, Snapshot
from tandem.tuning.runs import take_snapshot
from tests.tuning.made import make_example

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def see(revision: str) -> SeenDocument:
    return SeenDocument(id=1, source="docs", path="leave.md", revision=revision)


def stand(revision: str) -> Standing:
    terms = ("Leave", "file:///leave.md", "indexed", None, None, None, None, None)
    return Standing(1, "docs", "leave.md", *terms, revision, None, None, None, None, None)


@pytest.mark.parametrize(
    ("earlier", "taught", "current", "stale"),
    [
        ((), ("b",), "b", False),
        ((), ("a", "b"), "b", True),
        (("a",), ("b",), "b", True),
        (("b",), ("b", "b"), "b", False),
        (("b",), ("b",), "c", True),
    ],
)
def test_a_page_is_as_it_was_taught_only_if_every_taught_revision_is_the_current_one(
    earlier: tuple[str, ...], taught: tuple[str, ...], current: str, stale: bool
) -> None:
    before = Card(
        name="a.1", digest="", base="b", base_digest="c", snapshot=Snapshot(documents=tuple(map(see, earlier)))
    )
    examples = [
        make_example(at, "How long?", revision, documents=(see(revision),)) for at, revision in enumerate(taught)
    ]
    snapshot = take_snapshot(examples, before)
    assert {document.revision for document in snapshot.documents} == {*earlier, *taught}
    assert find_staleness([stand(current)], snapshot, NOW).stale is stale
