"""Graded outcomes of open questions on both routes, as `outcomes.jsonl` in a folder holds them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tandem.evals.rows import DataError, find_file, read_rows

REMEDY = (
    'Each line is a JSON object with "question", "dataset", "direct", "retrieved", "direct_right" and'
    ' "retrieved_right"; where they are known, with "second_draft", "perplexity" and "entropy".'
)
LEAST = 200


class Outcome(BaseModel):
    """`direct` is what the model said from memory, `retrieved` what it said with a passage; `dataset` is where the
    question was asked. Perplexity and entropy are of a draft from memory. What else stands in the line is left alone.
    """

    model_config = ConfigDict(frozen=True)

    question: str = Field(min_length=1)
    dataset: str
    direct: str
    retrieved: str
    direct_right: bool
    retrieved_right: bool
    second_draft: str | None = None
    perplexity: float | None = Field(None, ge=1)
    entropy: float | None = Field(None, ge=0)

    @property
    def has_drafts(self) -> bool:
        return self.second_draft is not None and self.perplexity is not None and self.entropy is not None


def read_outcomes(folder: Path) -> list[Outcome]:
    """Raises DataError, which names a bad line by its number, or says that there are too few."""
    path = find_file(folder, "outcomes.jsonl")
    outcomes = [outcome for _, outcome in read_rows(path, Outcome, remedy=REMEDY)]
    if len(outcomes) < LEAST:
        raise DataError(f"{path} holds {len(outcomes)} questions; {LEAST} is the least that tells anything.")
    return outcomes
