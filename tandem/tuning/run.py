"""A training run: its folder and what it is to do. Read by the trainer, written by whoever starts it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Run(BaseModel):
    """`run.json` of a run's folder, which also holds `train.jsonl` and `validation.jsonl` (`lesson.py`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: Path
    """The GGUF that serves."""
    start: Path | None = None
    """An adapter in GGUF to go on from, of the same rank; without it, training starts from the base."""
    rank: int = Field(32, gt=0)
    learning_rate: float = Field(3e-4, gt=0)
    dropout: float = Field(0.05, ge=0, lt=1)
    epochs: int = Field(3, gt=0)
    step_tokens: int = Field(4096, gt=0)
    """Tokens computed before each change of the adapter."""
    pack_tokens: int = Field(1024, gt=0)
    """The longest lesson, and how much is computed at once."""
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


RUN, TRAIN, VALIDATION = "run.json", "train.jsonl", "validation.jsonl"
PROGRESS, CHECKPOINT, ADAPTER = "progress.jsonl", "checkpoint.pt", "adapter.gguf"


def read_run(folder: Path) -> Run:
    return Run.model_validate_json((folder / RUN).read_text(encoding="utf-8"))


def read_progress(folder: Path) -> list[Report]:
    """The reports so far; a line that is being written is left out."""
    path = folder / PROGRESS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [Report.model_validate_json(line) for line in lines if line.endswith("\n")]
