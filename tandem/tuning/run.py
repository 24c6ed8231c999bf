"""A training run: its folder and what it is to do. Read by the trainer, written by whoever starts it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.errors import TandemError

LONGEST_LESSON = 1024
"""Tokens."""


class Run(BaseModel):
    """`run.json` of a run's folder, which also holds `train.jsonl` and `validation.jsonl` (`lesson.py`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path
    """The GGUF that serves."""
    start: Path | None = None
    """An adapter in GGUF to go on from, of the same rank; without it, training starts from the base."""
    rank: int = Field(32, gt=0)
    learning_rate: float = Field(3e-4, gt=0, allow_inf_nan=False)
    dropout: float = Field(0.05, ge=0, lt=1)
    epochs: int = Field(3, gt=0)
    step_tokens: int = Field(4096, gt=0)
    """Tokens computed before each change of the adapter."""
    pack_tokens: int = Field(LONGEST_LESSON, gt=0)
    """The longest lesson, and how much is computed at once."""
    may_leave_out: bool = True
    """Whether longer lessons are left out, of which the log tells; else one of them ends the run."""
    validations: int = Field(10, gt=0)
    """How often in the whole run the validation loss is taken."""
    patience: int = Field(3, gt=0)
    """Validations without a lower loss after which the run ends early."""
    seed: int = 0


class Report(BaseModel):
    """One line of `progress.jsonl`. Losses are natural logs a token."""

    model_config = ConfigDict(frozen=True)

    step: int
    steps: int
    tokens: int
    loss: float
    seconds_left: float
    validation_loss: float | None = None


class CannotTrain(TandemError):
    """The run ends here, and would end here again if it were taken up once more."""

    remedy = "Correct that, and begin the run anew."


RUN, TRAIN, VALIDATION, REHEARSAL = "run.json", "train.jsonl", "validation.jsonl", "rehearsal.jsonl"
PROGRESS, CHECKPOINT, ADAPTER = "progress.jsonl", "checkpoint.pt", "adapter.gguf"
FAULT = "fault.txt"
"""What the trainer leaves where it raises CannotTrain."""


def read_run(folder: Path) -> Run:
    return Run.model_validate_json((folder / RUN).read_text(encoding="utf-8"))


def read_progress(folder: Path) -> list[Report]:
    """The reports so far; a line that is being written is left out. Raises TandemError for a line that is none."""
    path = folder / PROGRESS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    try:
        return [Report.model_validate_json(line) for line in lines if line.endswith("\n")]
    except ValidationError as error:
        raise TandemError(
            f"{path} holds a line that is no report.", remedy="Begin the run anew (`tandem tune run NAME --afresh`)."
        ) from error
