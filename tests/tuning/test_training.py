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
from tandem.tuning.run import ADAPTER, RUN, TRAIN, VALIDATION, Run, read_progress

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


def start(interpreter: Path, module: str, folder: Path) -> str:
    path = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [interpreter, "-m", module, folder],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_the_loss_of_a_pack_is_that_of_its_samples(interpreter: Path, folder: Path) -> None:
    said = json.loads(start(interpreter, "tests.tuning.packed_losses", folder).splitlines()[-1])
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
