"""A run's snapshot tells every revision that its examples were made from, so that no taught one is forgotten; and what
the adapter in service has learned before is known by its runs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from graph.routing.staleness import find_staleness
from index.standing import Standing
from tandem.models.adapters import Adapters, Card
from tandem.models.promotions import Promotion
from tandem.models.snapshot import SeenDocument, Snapshot
from tandem.settings import Settings
from tandem.tuning.process import train
from tandem.tuning.runs import RunFolder, begin_run, finish_run, list_taught, take_snapshot
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


async def learn(settings: Settings, project: str, stand_in: Path) -> RunFolder:
    """Trains on nine examples, and puts in service what comes out."""
    examples = [make_example(at, f"Question {at} of {project}?", "Yes.") for at in range(9)]
    folder = begin_run(settings, project, {"train": examples, "validation": [], "held-out": examples[:2]}, {})
    await train(folder, stand_in, lambda report: None)
    card = finish_run(settings, folder)
    reason = Promotion(adapter=card.name, digest=card.digest, by="ann", reason="it passed")
    Adapters(settings).promotions.add(reason)
    return folder


async def test_what_the_adapter_in_service_has_been_through_is_known(settings: Settings, stand_in: Path) -> None:
    assert list_taught(settings, "tone") == {}
    await learn(settings, "orders", stand_in)
    newest = await learn(settings, "orders", stand_in)
    assert list_taught(settings, "tone") == {"orders": newest}
    assert list_taught(settings, "orders") == {}
    tone = await learn(settings, "tone", stand_in)
    assert tone.card.before == "orders.2"
    assert list_taught(settings, "tickets") == {"orders": newest, "tone": tone}
