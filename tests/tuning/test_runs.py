"""A run's snapshot tells every revision that its examples were made from, so that no taught one is forgotten; what the
adapter in service has learned before is known by its runs; and a run goes on only as what it was begun as."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graph.routing.staleness import find_staleness
from index.standing import Standing
from tandem.models.adapters import Adapters, Card
from tandem.models.promotions import Promotion
from tandem.models.snapshot import SeenDocument, Snapshot
from tandem.settings import Settings
from tandem.tuning.examples import Example, TuningError
from tandem.tuning.process import train
from tandem.tuning.run import read_run
from tandem.tuning.runs import RunFolder, begin_run, check_resumable, finish_run, list_runs, list_taught, take_snapshot
from tandem.tuning.split import Side
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


Split = dict[Side, list[Example]]
NOTHING_NAMED = {"seed": None, "epochs": None, "learning_rate": None}


def make_split(without: int | None = None) -> Split:
    examples = [make_example(at, f"Question {at}?", "Yes.") for at in range(12) if at != without]
    return {
        "train": [one for one in examples if one.id < 8],
        "validation": [one for one in examples if 8 <= one.id < 10],
        "held-out": [one for one in examples if one.id >= 10],
    }


def correct(split: Split) -> None:
    split["validation"][0] = make_example(8, "Question 8?", "No.")


def relabel(split: Split) -> None:
    split["held-out"][0] = split["held-out"][0].model_copy(update={"task": "tone"})


def relicense(split: Split) -> None:
    split["train"][0] = split["train"][0].model_copy(update={"licence": "MIT"})


def test_a_run_goes_on_with_the_same_examples_and_settings(settings: Settings) -> None:
    folder = begin_run(settings, "house", make_split(), {"seed": 3, "epochs": None, "learning_rate": 1e-4})
    for wished in (NOTHING_NAMED, {"seed": 3, "epochs": 6, "learning_rate": 1e-4}):
        check_resumable(settings, folder, make_split(), wished)


@pytest.mark.parametrize(
    ("split", "change", "said"),
    [
        (make_split(without=3), None, "train: 0 examples are new, 1 went"),
        (make_split(without=11), None, "held-out: 0 examples are new, 1 went"),
        (make_split(), correct, "validation: 1 examples are new, 1 went"),
        (make_split(), relabel, "other tasks, licences or documents"),
        (make_split(), relicense, "other tasks, licences or documents"),
    ],
)
def test_a_run_does_not_go_on_with_what_is_no_longer_approved(
    settings: Settings, split: Split, change: Callable[[Split], None] | None, said: str
) -> None:
    folder = begin_run(settings, "house", make_split(), NOTHING_NAMED)
    if change:
        change(split)
    with pytest.raises(TuningError, match=said) as refused:
        check_resumable(settings, folder, split, NOTHING_NAMED)
    assert "`tandem tune run house --afresh`" in refused.value.remedy


async def test_a_run_does_not_go_on_with_other_settings_or_from_another_adapter(
    settings: Settings, stand_in: Path
) -> None:
    folder = begin_run(settings, "house", make_split(), NOTHING_NAMED)
    named = {"seed": 4, "epochs": 2, "learning_rate": 1e-4}
    with pytest.raises(TuningError, match=r"seed 4 instead of 0; epochs 2 instead of 6; learning rate 0.0001"):
        check_resumable(settings, folder, make_split(), named)
    await learn(settings, "orders", stand_in)
    with pytest.raises(TuningError, match=r"go on from orders\.1 instead of reader"):
        check_resumable(settings, folder, make_split(), NOTHING_NAMED)


def test_a_run_goes_on_from_the_adapter_that_ships_where_no_server_ever_ran(settings: Settings) -> None:
    folder = begin_run(settings, "house", make_split(), NOTHING_NAMED)
    run = read_run(folder.path)
    assert run.start is not None
    assert run.start.exists()
    assert run.rank == 32


def test_a_project_has_the_runs_of_its_own_name_alone(settings: Settings) -> None:
    for project in ("v1", "v1.2", "v1"):
        begin_run(settings, project, make_split(), NOTHING_NAMED)
    assert [one.name for one in list_runs(settings, "v1")] == ["v1.1", "v1.2"]
    assert [one.name for one in list_runs(settings, "v1.2")] == ["v1.2.1"]
    assert list_runs(settings, "*") == []
    with pytest.raises(TuningError, match="is no name for a project"):
        begin_run(settings, "help desk", make_split(), NOTHING_NAMED)
