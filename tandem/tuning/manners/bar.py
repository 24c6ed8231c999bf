"""The bar: how likely an answer must be right to be sent, fitted on questions that the adapter has not seen.

`python -m tandem.tuning.manners.bar DATA graph/reading.json` reads the course's held-out articles and the everyday
questions with what is in service, as it reads for people, and writes the model of `graph/reading.py`.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter
from rich.progress import track

from graph.reading import Bar, read_passages
from graph.routing.linear import Floats, area_under_roc, fit_linear, split_folds
from graph.signs import SecondSigns, Signs
from tandem.evals.grading import best_f1
from tandem.evals.reading import RIGHT, as_hit
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings, read_settings
from tandem.tuning.manners.course import HELD_OUT
from tandem.tuning.manners.material import name_origin, read_rows, tidy
from tandem.tuning.manners.written import read_everyday

DECLINED = 0.7
"""Share of SQuAD 2.0's unanswerable questions that are to be declined."""
EVERYDAY = 2
"""How much each everyday question counts, beside four times as many of SQuAD 2.0."""
FOLDS = 5
DRAWS = 8
"""Of the folds: where the bar lies differs by a hundredth between two."""
DOUBTFUL = (0.4, 0.7)
"""Of all readings, by chance, the shares from which and up to which they are read twice: the bar lies between."""
NAMES = tuple(Signs.__dataclass_fields__)
ALL_NAMES = (*NAMES, *SecondSigns.__dataclass_fields__)


@dataclass(frozen=True)
class Question:
    """Without answers, the passage does not answer it."""

    text: str
    title: str
    passage: str
    answers: tuple[str, ...]
    is_everyday: bool


@dataclass(frozen=True)
class Row:
    question: Question
    signs: Signs
    second: SecondSigns
    f1: float


def read_held_out(data: Path) -> list[Question]:
    """SQuAD 2.0's first."""
    rows = [row for row in read_rows(data / "squad2" / "qa.jsonl.gz") if name_origin("squad2", row) in HELD_OUT]
    articles = [
        Question(
            tidy(row["question"]), row["title"].replace("_", " "), row["passage"],
            tuple(row["answers"]) if row["answerable"] else (), is_everyday=False,
        )
        for row in rows
    ]  # fmt: skip
    everyday = [
        Question(asked.question, asked.passage.title, asked.passage.text, (asked.answer,) if asked.answer else (), True)
        for asked in read_everyday(data)
    ]
    return articles + everyday


async def read_all(settings: Settings, questions: Sequence[Question]) -> list[Row]:
    async with (
        ensure_model_server(settings) as url,
        ModelClient.open(settings.model_copy(update={"model_url": url})) as model,
    ):
        rows = []
        for question in track(questions, "Reading", transient=True):
            hit = as_hit(question.title, question.passage)
            reading = await read_passages(model, question.text, [hit], always_twice=True)
            if reading is None or reading.second is None:
                raise RuntimeError("the server takes no grammar, or a passage is empty")
            rows.append(Row(question, reading.signs, reading.second, best_f1(reading.answer, question.answers)))
        return rows


def fit_bar(rows: Sequence[Row]) -> tuple[Bar, list[float]]:
    """The bar, and each row's mean chance from models that have not seen it. Questions on one passage are one group.

    It tells right answers from all others, not answerable questions from others: so more of the right ones are sent,
    for as many declined (docs/reader.md).
    """
    counted = [*rows, *([row for row in rows if row.question.is_everyday] * (EVERYDAY - 1))]
    signs = np.array([[(asdict(row.signs) | asdict(row.second))[name] for name in ALL_NAMES] for row in counted])
    right = np.array([row.f1 >= RIGHT for row in counted])
    groups = [row.question.passage for row in counted]
    columns = {len(NAMES): NAMES, len(ALL_NAMES): ALL_NAMES}
    once, twice = (
        [_predict_unseen(signs[:, :count], right, groups, seed)[: len(rows)] for seed in range(DRAWS)]
        for count in columns
    )
    doubtful = np.quantile(np.mean(once, axis=0), DOUBTFUL).tolist()
    draws = [
        np.where((doubtful[0] <= first) & (first < doubtful[1]), second, first)
        for first, second in zip(once, twice, strict=True)
    ]
    misleading = np.array([not row.question.answers and not row.question.is_everyday for row in rows])
    least = float(np.mean([np.quantile(unseen[misleading], DECLINED) for unseen in draws]))
    model, second = (fit_linear(names, signs[:, :count], right, groups=groups) for count, names in columns.items())
    return Bar(model, second, (doubtful[0], doubtful[1]), least), np.mean(draws, axis=0).tolist()


def _predict_unseen(rows: Floats, right: NDArray[np.bool_], groups: Sequence[str], seed: int) -> Floats:
    folds = split_folds(len(rows), groups, seed, folds=FOLDS)
    unseen = np.zeros(len(rows))
    for fold in range(FOLDS):
        mine = folds == fold
        left = [group for group, is_mine in zip(groups, mine, strict=True) if not is_mine]
        unseen[mine] = fit_linear(NAMES, rows[~mine], right[~mine], groups=left).chances(rows[mine])
    return unseen


def describe_bar(rows: Sequence[Row], unseen: Sequence[float], least: float) -> str:
    chances, f1 = np.array(unseen), np.array([row.f1 for row in rows])
    answerable = np.array([bool(row.question.answers) for row in rows])
    sent = chances >= least
    return (
        f"{len(rows)} questions: AUROC right {area_under_roc(chances, f1 >= RIGHT):.3f}, answerable"
        f" {area_under_roc(chances, answerable):.3f}; F1 as sent {(f1 * sent)[answerable].mean():.3f},"
        f" {sent[answerable].mean():.0%} of the answerable sent, {1 - sent[~answerable].mean():.0%} of the others not"
    )


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the data sets.")],
    target: Annotated[Path, typer.Argument(help="Where the bar is written.")],
) -> None:
    rows = asyncio.run(read_all(read_settings(), read_held_out(data)))
    bar, unseen = fit_bar(rows)
    target.write_bytes(TypeAdapter(Bar).dump_json(bar, indent=2) + b"\n")
    for name, is_everyday in (("SQuAD 2.0", False), ("everyday", True)):
        own = [at for at, row in enumerate(rows) if row.question.is_everyday is is_everyday]
        told = describe_bar([rows[at] for at in own], [unseen[at] for at in own], bar.least)
        print(f"{name}, {told}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
