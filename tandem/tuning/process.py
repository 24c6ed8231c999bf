"""The training process: started with the tuning environment's interpreter, watched, and ended with its starter."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from tandem.settings import Settings
from tandem.tuning.examples import TuningError
from tandem.tuning.run import FAULT, Report, read_progress
from tandem.tuning.runs import LOG, RunFolder

ENVIRONMENT = Path(".venv-tune") / "bin" / "python"
POLL_S = 0.3
GOODBYE_S = 10.0


class TrainingFailed(TuningError):
    """The training process ended before its time."""

    remedy = "The same command goes on from where it stood."


def find_interpreter(settings: Settings) -> Path:
    """The one with torch in it. Raises TuningError."""
    beside = Path(sys.prefix).parent / ENVIRONMENT
    wanted = [settings.tuning_python] if settings.tuning_python else [ENVIRONMENT.absolute(), beside]
    for path in wanted:
        if path.is_file():
            return path
    raise TuningError(
        f"There is no {wanted[0]}: training takes an environment of its own, with torch.",
        remedy="`make tune` makes it in Tandem's folder; TANDEM_TUNING_PYTHON names one elsewhere (docs/tuning.md).",
    )


async def train(folder: RunFolder, interpreter: Path, on_report: Callable[[Report], None]) -> None:
    """Trains, or goes on where a killed process stood, and tells each step. Raises TrainingFailed with the trainer's
    last word, and TuningError if somebody else is at it or the run can never end."""
    fault = folder.path / FAULT
    with folder.lock() as lock:
        folder.mend()
        fault.unlink(missing_ok=True)
        with (folder.path / LOG).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                interpreter, "-m", "tandem.tuning.trainer", folder.path, stdout=log, stderr=log, pass_fds=(lock,)
            )
        try:
            await _watch(folder, process, on_report)
        finally:
            await _end(process)
    if fault.exists():
        raise TuningError(
            f"{folder.name} cannot be trained. {fault.read_text(encoding='utf-8')}",
            remedy=f"Correct that, and begin anew: `tandem tune run {folder.project} --afresh`.",
        )
    if process.returncode:
        lines = (folder.path / LOG).read_text(errors="replace").strip().splitlines()
        raise TrainingFailed(
            f"The training of {folder.name} ended with status {process.returncode}: {' '.join(lines[-1:])[:500]}",
            remedy=f"{TrainingFailed.remedy} Its log is {folder.path / LOG}.",
        )


async def _watch(folder: RunFolder, process: asyncio.subprocess.Process, on_report: Callable[[Report], None]) -> None:
    ended = asyncio.ensure_future(process.wait())
    told = 0
    while True:
        done, _ = await asyncio.wait((ended,), timeout=POLL_S)
        reports = read_progress(folder.path)
        for report in reports[told:]:
            on_report(report)
        told = len(reports)
        if done:
            return


async def _end(process: asyncio.subprocess.Process) -> None:
    """A trainer that nobody waits for is not left behind; its checkpoint is."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GOODBYE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
