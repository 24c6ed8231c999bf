"""Questions on passages, as evaluation files hold them: JSON lines, plain or gzipped."""

from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from tandem.evals.rows import DataError, read_rows

REMEDY = 'Each line is a JSON object with "passage" (or "answer") and "question"; the file may be gzipped.'


class Question(BaseModel):
    """One line of the file; what else stands in it is left alone."""

    model_config = ConfigDict(frozen=True)

    passage: str = Field(min_length=1, validation_alias=AliasChoices("passage", "answer"))
    question: str = Field(min_length=1)


def read_questions(path: Path) -> list[Question]:
    """At least one question, in the file's order. Raises DataError, which names a bad line by its number."""
    questions = [question for _, question in read_rows(path, Question, remedy=REMEDY)]
    if not questions:
        raise DataError(f"{path} holds no questions.", remedy=REMEDY)
    return questions
