"""Questions with the answers that count as right: what `tandem eval` is given, as JSON lines, plain or compressed."""

from pathlib import Path
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graph.answers import LONGEST_QUESTION
from tandem.evals.rows import DataError, read_rows

REMEDY = (
    'Each line is a JSON object with "question" and "answers" (a list of texts) and, where they are known, "answerable"'
    ' (true or false) and "uri" (the document that answers it).'
)
PASSAGES = (
    'Each line is a JSON object with "passage", "question", "answers" and, where they are known, "title" and'
    ' "answerable".'
)


class Asked(BaseModel):
    """One line; what else stands in it is left alone. `answers` are all the wordings that count as right."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    question: str = Field(min_length=1, max_length=LONGEST_QUESTION)
    answers: tuple[str, ...] = ()
    answerable: bool = True
    """Whether the documents, or what the model should have learned, hold the answer; if not, declining is right."""
    uri: str | None = Field(None, min_length=1)
    """The document that answers it: its address, or the end of it, such as a file's path in its folder."""

    @model_validator(mode="before")
    @classmethod
    def _answerable_if_answered(cls, row: object) -> object:
        if isinstance(row, dict) and row.get("answerable") is None:
            return row | {"answerable": bool(row.get("answers"))}
        return row

    @model_validator(mode="after")
    def _has_answers(self) -> Self:
        if self.answerable and not any(self.answers):
            raise ValueError("it is answerable, and has no answer")
        return self


class OnPassage(Asked):
    """A question on a passage that is given with it."""

    title: str = ""
    passage: str = Field(min_length=1)


Row = TypeVar("Row", bound=Asked)


def read_asked(path: Path, kind: type[Row], *, remedy: str = REMEDY) -> list[Row]:
    """At least one question, in the file's order. Raises DataError, which names a bad line by its number."""
    rows = [row for _, row in read_rows(path, kind, remedy=remedy)]
    if not rows:
        raise DataError(f"{path} holds no questions.", remedy=remedy)
    return rows
