"""Questions written for this project on single passages of the data sets: two files, beside this one.

`questions.jsonl` has four that a passage answers, with the words that answer, and four that it seems to answer and
does not, in the five manners of SQuAD 2.0 (Rajpurkar et al., 2018, arXiv:1806.03822): lessons. `everyday.jsonl` has
three and one in the words that people type, on pages of the handbook that no lesson asks about: the bar is fitted on
them, too. The passages stay where they are; a hash finds them.
"""

import hashlib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tandem.tuning.manners.material import (
    Asked,
    Passage,
    cut,
    read_handbook,
    read_pages,
    read_questions,
    read_rows,
    tidy,
)

QUESTIONS, EVERYDAY = "questions.jsonl", "everyday.jsonl"


class Written(BaseModel):
    """One line: `passage` is `mark`'s, `origin` for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passage: str
    origin: str
    answered: list[tuple[str, str]]
    unanswered: list[str]


def read_written(data: Path) -> list[Asked]:
    """Raises ValueError where a passage is not in the folder, or does not hold an answer."""
    return list(ask_of_passages(read_file(QUESTIONS), read_passages(data)))


def read_everyday(data: Path) -> list[Asked]:
    """As `read_written`."""
    return list(ask_of_passages(read_file(EVERYDAY), read_handbook(data, pages=1000)))


def read_file(name: str) -> list[Written]:
    text = resources.files("tandem.tuning.manners").joinpath(name).read_text(encoding="utf-8")
    return [Written.model_validate_json(line) for line in text.splitlines()]


def ask_of_passages(lines: Iterable[Written], passages: Iterable[Passage]) -> Iterator[Asked]:
    known = {mark(passage): passage for passage in passages}
    for line in lines:
        passage = known.get(line.passage)
        if passage is None:
            raise ValueError(f"A question is on a passage of {line.origin} that the data sets do not hold.")
        for question, answer in line.answered:
            if answer not in passage.text:
                raise ValueError(f"{line.origin} does not hold the answer to: {question}")
            yield Asked(passage, question, answer)
        for question in line.unanswered:
            yield Asked(passage, question, None)


def read_passages(data: Path) -> Iterator[Passage]:
    """All that questions were written on."""
    yield from read_pages(data)
    yield from read_handbook(data, pages=1000)
    yield from (asked.passage for asked in read_questions(data, "covidqa"))
    for row in read_rows(data / "medquad" / "qa.jsonl.gz"):
        yield Passage(f"medquad/{row['focus']}", row["focus"], next(cut(tidy(row["answer"]))))


def mark(passage: Passage) -> str:
    return hashlib.sha256(passage.text.encode()).hexdigest()[:12]
