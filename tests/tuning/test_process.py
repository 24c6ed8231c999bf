"""The training process is started, watched, taken up again after a crash, and never doubled."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from tandem.errors import TandemError
from tandem.settings import Settings
from tandem.tuning.examples import TuningError
from tandem.tuning.process import TrainingFailed, find_interpreter, train
from tandem.tuning.run import Report, read_progress
from tandem.tuning.runs import RunFolder, begin_run, finish_run
from tandem.tuning.split import SHARES, assign_sides
from tests.tuning.made import read_tickets
from tests.tuning.stand_in import STEPS


@pytest.fixture
def folder(settings: Settings) -> RunFolder:
    tickets = read_tickets()[:49]
    sides = assign_sides(tickets, {})
    split = {side: [one for one in tickets if sides[one.origin] == side] for side in SHARES}
    return begin_run(settings, "tickets", split, {"seed": 3, "epochs": 1, "learning_rate": None})


async def test_each_step_is_told_once_also_over_a_crash(folder: RunFolder, stand_in: Path, settings: Settings) -> None:
    (folder.path / "die").touch()
    told: list[Report] = []
    with pytest.raises(TrainingFailed, match="status 3: the light went out") as failed:
        await train(folder, stand_in, told.append)
    assert "goes on from where it stood" in failed.value.remedy
    with (folder.path / "progress.jsonl").open("a") as file:
        file.write('{"step": 4, "ste')  # what a killed writer leaves
    again: list[Report] = []
    await train(folder, stand_in, again.append)
    assert [report.step for report in told] == [1, 2, 3]
    assert [report.step for report in read_progress(folder.path)] == [1, 2, 3, 4, 5, 6]
    assert again[-1].step == STEPS
    assert not folder.is_trained
    card = finish_run(settings, folder)
    assert folder.is_trained
    assert card.name == "tickets.1"
    assert "Validation loss: 1.389 at first, 0.944 at best" in card.text
    assert card.licence == "own"


async def test_what_would_end_every_try_is_told_with_the_way_on(
    folder: RunFolder, stand_in: Path, settings: Settings
) -> None:
    """As a diverged run does: the next one starts without the fault of the one before."""
    (folder.path / "diverge").touch()
    for _ in range(2):
        with pytest.raises(TuningError, match=r"tickets\.1 cannot be trained\. The loss is no number\.") as failed:
            await train(folder, stand_in, lambda report: None)
        assert "`tandem tune run tickets --afresh`" in failed.value.remedy
    (folder.path / "diverge").unlink()
    await train(folder, stand_in, lambda report: None)
    assert finish_run(settings, folder).name == "tickets.1"


def test_a_line_that_is_no_report_is_named(folder: RunFolder) -> None:
    (folder.path / "progress.jsonl").write_text('{"step":1,"steps":2,"tokens":3,"loss":null,"seconds_left":1.0}\n')
    with pytest.raises(TandemError, match="holds a line that is no report") as refused:
        read_progress(folder.path)
    assert "--afresh" in refused.value.remedy


async def test_a_run_is_trained_by_one_process_at_a_time(folder: RunFolder, stand_in: Path) -> None:
    first = asyncio.create_task(train(folder, stand_in, lambda report: None))
    while not read_progress(folder.path):
        await asyncio.sleep(0.01)
    with pytest.raises(TuningError, match="being trained by another process"):
        await train(folder, stand_in, lambda report: None)
    await first


async def test_a_trainer_ends_with_whoever_waits_for_it(folder: RunFolder, stand_in: Path) -> None:
    waiting = asyncio.create_task(train(folder, stand_in, lambda report: None))
    while not read_progress(folder.path):
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not [child for child in psutil.Process().children() if "tests.tuning.stand_in" in child.cmdline()]
    assert len(read_progress(folder.path)) < STEPS


def test_without_an_environment_it_is_said_how_to_make_one(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="make tune"):
        find_interpreter(settings.model_copy(update={"tuning_python": tmp_path / "none"}))


async def test_real_training_killed_midway_goes_on_to_the_end(folder: RunFolder, interpreter: Path) -> None:
    """With torch: SIGKILL after the first checkpoint; the second process does the steps that are left."""
    told: list[Report] = []

    def kill(report: Report) -> None:
        told.append(report)
        if report.validation_loss is not None:
            for child in psutil.Process().children():
                if "tandem.tuning.trainer" in child.cmdline():  # not the model server that other tests share
                    child.send_signal(signal.SIGKILL)

    with pytest.raises(TrainingFailed, match="status -9"):
        await train(folder, interpreter, kill)
    stood = told[-1].step
    again: list[Report] = []
    await train(folder, interpreter, again.append)
    new = [report for report in again if report.step > stood]
    assert 0 < stood < told[-1].steps
    assert new[-1].step == told[-1].steps
    assert folder.adapter.stat().st_size > 100_000
    assert new[-1].loss < told[0].loss
