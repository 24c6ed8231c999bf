"""The folders of training runs: each holds all that its training needs, so that it can go on after a crash."""

import fcntl
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gguf import GGUFReader
from pydantic import TypeAdapter

from tandem.models.adapters import Adapters, Card
from tandem.models.client import ChatMessage
from tandem.models.snapshot import Snapshot
from tandem.models.weights import describe_weights
from tandem.settings import Settings
from tandem.tuning.examples import Example, TuningError, check_project_name, join_licences
from tandem.tuning.lesson import Lesson, read_lessons, write_lessons
from tandem.tuning.run import ADAPTER, PROGRESS, REHEARSAL, RUN, TRAIN, VALIDATION, Run, read_progress, read_run
from tandem.tuning.split import Side

HELD_OUT, DRAFT, CARD, LOG = "held_out.json", "draft.json", "card.json", "trainer.log"
RANK = 16
"""Of an adapter that goes on from none."""
EPOCHS = 6
"""At most: teams bring few examples, and training ends early when nothing is gained."""
STEPS_IN_EPOCH = 8
"""At least: a small set is cut into small steps."""
Wished = Mapping[str, int | float | None]
"""Of a run's settings `seed`, `epochs` and `learning_rate` those that somebody named; None for the others."""
_EXAMPLES = TypeAdapter(tuple[Example, ...])


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @property
    def name(self) -> str:
        """The adapter's: its project and a number."""
        return self.path.name

    @property
    def project(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def is_trained(self) -> bool:
        return (self.path / CARD).exists()

    @property
    def card(self) -> Card:
        return Card.model_validate_json((self.path / CARD).read_text())

    @property
    def adapter(self) -> Path:
        return self.path / ADAPTER

    @property
    def curve(self) -> Path:
        return self.path / "loss.svg"

    @property
    def held_out(self) -> tuple[Example, ...]:
        return _EXAMPLES.validate_json((self.path / HELD_OUT).read_bytes())

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Held as long as this process or a trainer that inherits the descriptor lives. Raises TuningError."""
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TuningError(
                    f"{self.name} is being trained by another process.", remedy="Wait for it, or end that one first."
                ) from None
            yield file.fileno()

    def mend(self) -> None:
        """A trainer that was killed may have left half a line of its progress."""
        path = self.path / PROGRESS
        if path.exists():
            whole, newline, _ = path.read_bytes().rpartition(b"\n")
            path.write_bytes(whole + newline)


def list_runs(settings: Settings, project: str) -> list[RunFolder]:
    """By number."""
    found = [RunFolder(path) for path in _home(settings).glob("*") if (path / RUN).exists()]
    return sorted((one for one in found if one.project == project), key=lambda one: _number(one.path))


def find_run(settings: Settings, adapter: str) -> RunFolder:
    """Raises TuningError when no run trained it."""
    found = next((one for one in list_runs(settings, adapter.rpartition(".")[0]) if one.name == adapter), None)
    if found is None or not found.is_trained:
        raise TuningError(f"No run trained an adapter {adapter}.", remedy="`tandem tune list` shows the runs.")
    return found


def list_taught(settings: Settings, project: str) -> dict[str, RunFolder]:
    """By project, the newest run of each other project that the adapter in service has been through."""
    serving = Adapters(settings).in_service(describe_weights(settings)["digest"])
    found: dict[str, RunFolder] = {}
    name = serving.name if serving else None
    while name and (run := RunFolder(_home(settings) / name)).is_trained:
        if run.project != project:
            found.setdefault(run.project, run)
        name = run.card.before
    return found


def begin_run(
    settings: Settings,
    project: str,
    split: Mapping[Side, Sequence[Example]],
    wished: Wished,
    rehearsed: Sequence[Lesson] = (),
) -> RunFolder:
    """A new folder, there in one step. Training goes on from the adapter in service, and `rehearsed` are learned along,
    so that what that one can do is kept; the base itself never changes. Raises TuningError for a name that no adapter
    can have."""
    check_project_name(project)
    number = max((_number(one.path) for one in list_runs(settings, project)), default=0) + 1
    path = _home(settings) / f"{project}.{number}"
    run, draft = _plan(settings, path.name, split, wished)
    partial = path.with_name(f".{path.name}")
    partial.mkdir(parents=True, exist_ok=True)
    write_lessons(partial / TRAIN, _teach(split["train"]))
    write_lessons(partial / VALIDATION, _teach(split["validation"]))
    write_lessons(partial / REHEARSAL, rehearsed)
    (partial / HELD_OUT).write_bytes(_EXAMPLES.dump_json(tuple(split["held-out"])))
    (partial / DRAFT).write_text(draft.model_dump_json(indent=2))
    (partial / RUN).write_text(run.model_dump_json(indent=2))
    partial.rename(path)
    return RunFolder(path)


def check_resumable(
    settings: Settings, folder: RunFolder, split: Mapping[Side, Sequence[Example]], wished: Wished
) -> None:
    """Raises TuningError, which tells what differs, unless the run is the one that would be begun now. Settings that
    nobody names stay as the run has them."""
    if changes := [*_list_changes(settings, folder, split, wished)]:
        raise TuningError(
            f"{folder.name} was broken off, and is not what would be trained now: {'; '.join(changes)}.",
            remedy=f"`tandem tune run {folder.project} --afresh` begins anew.",
        )


def _list_changes(
    settings: Settings, folder: RunFolder, split: Mapping[Side, Sequence[Example]], wished: Wished
) -> Iterator[str]:
    kept, kept_draft = read_run(folder.path), Card.model_validate_json((folder.path / DRAFT).read_text())
    settled = {name: getattr(kept, name) if value is None else value for name, value in wished.items()}
    run, draft = _plan(settings, folder.name, split, settled)
    for name, value in settled.items():
        if value != getattr(kept, name):
            yield f"{name.replace('_', ' ')} {value} instead of {getattr(kept, name)}"
    if (draft.base_digest, draft.before) != (kept_draft.base_digest, kept_draft.before):
        yield f"it would go on from {draft.before or draft.base} instead of {kept_draft.before or kept_draft.base}"
    had: dict[Side, Counter[Lesson]] = {
        "train": Counter(read_lessons(folder.path / TRAIN)),
        "validation": Counter(read_lessons(folder.path / VALIDATION)),
        "held-out": Counter(_teach(folder.held_out)),
    }
    for side, lessons in had.items():
        now = Counter(_teach(split[side]))
        if now != lessons:
            yield f"{side}: {(now - lessons).total()} examples are new, {(lessons - now).total()} went"
    tasks = [{one.id: one.task for one in examples} for examples in (folder.held_out, split["held-out"])]
    terms = [(card.licence, card.snapshot and card.snapshot.documents) for card in (kept_draft, draft)]
    if tasks[0] != tasks[1] or terms[0] != terms[1]:
        yield "its examples have other tasks, licences or documents"
    if (kept.may_leave_out, kept.pack_tokens) != (run.may_leave_out, run.pack_tokens):
        yield "another version of Tandem prepared it"


def _plan(settings: Settings, name: str, split: Mapping[Side, Sequence[Example]], wished: Wished) -> tuple[Run, Card]:
    """What the run of that name is to do, and the card of its adapter as far as it is known."""
    registry, weights = Adapters(settings), describe_weights(settings)
    registry.install_packaged()  # as the model server does, which may never have run here
    before = registry.in_service(weights["digest"])
    start = registry.file(before, on_gpu=True) if before else None
    tokens = sum(len(example.text) for example in split["train"]) // 4
    run = Run(
        base=Path(weights["file"]),
        start=start,
        rank=_read_rank(start) if start else RANK,
        step_tokens=min(4096, max(512, tokens // STEPS_IN_EPOCH)),
        may_leave_out=False,
        **{"epochs": EPOCHS} | {name: value for name, value in wished.items() if value is not None},
    )
    return run, _draft_card(name, weights, split, run, before)


def take_snapshot(examples: Sequence[Example], before: Card | None) -> Snapshot:
    """What these stand on, and what the adapter had seen that is trained on: every revision. What was taught of an old
    one is not untaught by a newer one beside it."""
    earlier = before.snapshot.documents if before and before.snapshot else ()
    all_seen = (*earlier, *(one for example in examples for one in example.documents))
    seen = {(document.source, document.path, document.revision): document for document in all_seen}
    return Snapshot(documents=tuple(seen[name] for name in sorted(seen)))


def finish_run(settings: Settings, folder: RunFolder) -> Card:
    """Completes the card of the trained adapter, and registers it; it is not in service yet."""
    draft = Card.model_validate_json((folder.path / DRAFT).read_text())
    losses = [report.validation_loss for report in read_progress(folder.path) if report.validation_loss is not None]
    text = f"{draft.text}\nValidation loss: {losses[0]:.3f} at first, {min(losses):.3f} at best (nats a token).\n"
    card = draft.model_copy(update={"trained_at": datetime.now(UTC), "text": text})
    card = Adapters(settings).add(folder.adapter, card)
    (folder.path / CARD).write_text(card.model_dump_json(indent=2))
    return card


def _draft_card(
    name: str, weights: Mapping[str, str], split: Mapping[Side, Sequence[Example]], run: Run, before: Card | None
) -> Card:
    taught = split["train"]
    tasks = Counter(example.task for example in taught)
    counted = ", ".join(f"{count} of {task}" for task, count in sorted(tasks.items()))
    text = (
        f"# {name}\n\nTrained on {len(taught)} examples ({counted}) from {len({one.origin for one in taught})} origins,"
        f" going on from {before.name if before else 'the base'}; {len(split['held-out'])} were held out.\n"
        f"Rank {run.rank}, learning rate {run.learning_rate}, at most {run.epochs} epochs, seed {run.seed}.\n"
    )
    return Card(
        name=name,
        digest="",
        base=weights["name"],
        base_digest=weights["digest"],
        licence=join_licences(licence for example in taught for licence in example.licences),
        snapshot=take_snapshot(taught, before),
        before=before.name if before else None,
        text=text,
    )


def _teach(examples: Sequence[Example]) -> Iterator[Lesson]:
    for example in examples:
        messages = tuple(ChatMessage(turn.role, turn.content) for turn in example.messages)
        yield Lesson(messages=messages, origin=example.origin, id=example.id)


def _read_rank(adapter: Path) -> int:
    pair = next(tensor for tensor in GGUFReader(adapter).tensors if str(tensor.name).endswith(".lora_a"))
    return int(pair.shape[1])


def _number(path: Path) -> int:
    number = path.name.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _home(settings: Settings) -> Path:
    return settings.home / "tuning"
