"""What shares a pack is trained as if each were alone, and what was trained is what llama.cpp then serves."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from graph.prompts import ask_numbered, write_reply
from tandem.models.adapters import Adapters, Card
from tandem.models.client import ChatMessage, ModelClient
from tandem.models.launch import ensure_model_server
from tandem.models.weights import describe_weights, fetch_weights
from tandem.settings import Settings
from tandem.tuning.lesson import Lesson, write_lessons
from tandem.tuning.run import ADAPTER, FAULT, REHEARSAL, RUN, TRAIN, VALIDATION, Run, read_progress, read_run

PASSAGE = ("Harbour", "The harbour opens at six. Mia Falk keeps its light, and forty boats lie there in winter.")
SAID = {"When does it open?": "at six", "Who keeps the light?": "Mia Falk", "How many boats?": "forty"}


def make_lessons() -> list[Lesson]:
    return [
        Lesson(messages=(*ask_numbered(asked, [PASSAGE]), ChatMessage("assistant", write_reply(1, said))), origin="h")
        for asked, said in SAID.items()
    ]


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    run = Run(base=fetch_weights(settings), rank=8, learning_rate=3e-3, dropout=0.0, epochs=40, step_tokens=128, seed=1)
    (tmp_path / RUN).write_text(run.model_dump_json())
    write_lessons(tmp_path / TRAIN, make_lessons())
    write_lessons(tmp_path / VALIDATION, make_lessons())
    return tmp_path


def start(interpreter: Path, module: str, folder: Path, status: int = 0) -> str:
    path = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [interpreter, "-m", module, folder],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert ended.returncode == status, ended.stderr[-2000:]
    return ended.stdout + ended.stderr


def test_the_loss_of_a_pack_is_that_of_its_samples(interpreter: Path, folder: Path) -> None:
    output = start(interpreter, "tests.tuning.packed_losses", folder)
    said = json.loads(next(line for line in output.splitlines() if line.startswith('{"packed"')))
    packed, *alone = said["sizes"]
    assert packed < 0.6 * sum(alone)
    assert said["packed"] == pytest.approx(said["alone"], rel=0.01)  # bfloat16


async def test_what_was_learned_is_served(interpreter: Path, folder: Path, settings: Settings) -> None:
    start(interpreter, "tandem.tuning.trainer", folder)
    losses = [report.validation_loss for report in read_progress(folder) if report.validation_loss is not None]
    assert min(losses) < 0.1 < losses[0]
    base = describe_weights(settings)
    card = Card(name="harbour", digest="", base=base["name"], base_digest=base["digest"])
    Adapters(settings).add(folder / ADAPTER, card)
    async with (
        ensure_model_server(settings) as url,
        ModelClient.open(settings.model_copy(update={"model_url": url})) as model,
    ):
        for lesson in make_lessons():
            deltas = model.chat(lesson.messages[:-1], max_tokens=16, model="harbour")
            assert "".join([delta.text async for delta in deltas]) == lesson.messages[-1].content


def test_what_is_rehearsed_is_learned_along(interpreter: Path, folder: Path) -> None:
    """The loss that is watched is of what stands among the rehearsed lessons alone."""
    other = Lesson(
        messages=(ChatMessage("user", "Who feeds the heron?"), ChatMessage("assistant", "Quentin, twice")), origin="r"
    )
    write_lessons(folder / VALIDATION, [other])
    write_lessons(folder / REHEARSAL, [other])
    start(interpreter, "tandem.tuning.trainer", folder)
    reports = read_progress(folder)
    losses = [report.validation_loss for report in reports if report.validation_loss is not None]
    assert min(losses) < 0.1 < losses[0]
    assert reports[-1].loss < 0.1, "and so are the examples, whose loss is told"


def change_run(folder: Path, **settings: float | bool) -> None:
    (folder / RUN).write_text(read_run(folder).model_copy(update=settings).model_dump_json())


def test_a_run_that_diverges_ends_with_the_reason(interpreter: Path, folder: Path) -> None:
    change_run(folder, learning_rate=1e30)
    start(interpreter, "tandem.tuning.trainer", folder, status=1)
    assert "the learning rate of 1e+30 is too high" in (folder / FAULT).read_text()
    assert all(report.loss < 100 for report in read_progress(folder))


def test_lessons_that_are_too_long_are_named_and_nothing_to_train_on_ends_the_run(
    interpreter: Path, folder: Path
) -> None:
    long = Lesson(messages=(ChatMessage("user", "\u6f6e " * 900), ChatMessage("assistant", "Yes.")), origin="h", id=41)
    write_lessons(folder / TRAIN, [*make_lessons(), long])
    write_lessons(folder / VALIDATION, [])
    change_run(folder, may_leave_out=False)
    start(interpreter, "tandem.tuning.trainer", folder, status=1)
    said = (folder / FAULT).read_text()
    assert said.startswith("1 lessons of train.jsonl have more than 1,024 tokens: example 41 has ")
    change_run(folder, may_leave_out=True)
    output = start(interpreter, "tandem.tuning.trainer", folder, status=1)
    assert f"Left out: {said}" in output
    assert (folder / FAULT).read_text() == "There is nothing to stop the training by."
    write_lessons(folder / TRAIN, [long])
    start(interpreter, "tandem.tuning.trainer", folder, status=1)
    assert (folder / FAULT).read_text() == "There is nothing to train on."
