"""The bar: how likely an answer must be right to be sent, fitted on articles that the adapter has not seen.

`python -m tandem.tuning.manners.bar DATA graph/reading.json` reads the course's held-out articles with what is in
service, as it reads for people, and writes the model of `graph/reading.py`.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter
from rich.progress import track

from graph.reading import Bar, Reading, read_passages
from graph.routing.linear import Floats, area_under_roc, fit_linear, split_folds
from graph.signs import Signs
from tandem.evals.grading import best_f1
from tandem.evals.reading import RIGHT, as_hit
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings, read_settings
from tandem.tuning.manners.course import HELD_OUT
from tandem.tuning.manners.material import name_origin, read_rows, tidy

DECLINED = 0.7
"""Share of the unanswerable questions that are to be declined."""
FOLDS = 5
DRAWS = 8
"""Of the folds: where the bar lies differs by a hundredth between two."""
NAMES = tuple(Signs.__dataclass_fields__)


async def read_all(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> list[Reading]:
    async with (
        ensure_model_server(settings) as url,
        ModelClient.open(settings.model_copy(update={"model_url": url})) as model,
    ):
        readings = []
        for row in track(rows, "Reading", transient=True):
            title = row["title"].replace("_", " ")
            reading = await read_passages(model, tidy(row["question"]), [as_hit(title, row["passage"])])
            if reading is None:
                raise RuntimeError("the server takes no grammar, or a passage is empty")
            readings.append(reading)
        return readings


def fit_bar(
    signs: Sequence[Signs], right: Sequence[bool], answerable: Sequence[bool], groups: Sequence[str]
) -> tuple[Bar, list[float]]:
    """The bar, and each row's mean chance from models that have not seen it. Questions on one passage are one group.

    It tells right answers from all others, not answerable questions from others: so more of the right ones are sent,
    for as many declined (docs/reader.md).
    """
    rows = np.array([[asdict(one)[name] for name in NAMES] for one in signs])
    labels, misleading = np.array(right), ~np.array(answerable)
    draws = [_predict_unseen(rows, labels, groups, seed) for seed in range(DRAWS)]
    least = float(np.mean([np.quantile(unseen[misleading], DECLINED) for unseen in draws]))
    return Bar(fit_linear(NAMES, rows, labels, groups=groups), least), np.mean(draws, axis=0).tolist()


def _predict_unseen(rows: Floats, right: NDArray[np.bool_], groups: Sequence[str], seed: int) -> Floats:
    folds = split_folds(len(rows), groups, seed, folds=FOLDS)
    unseen = np.zeros(len(rows))
    for fold in range(FOLDS):
        mine = folds == fold
        left = [group for group, is_mine in zip(groups, mine, strict=True) if not is_mine]
        unseen[mine] = fit_linear(NAMES, rows[~mine], right[~mine], groups=left).chances(rows[mine])
    return unseen


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the data sets.")],
    target: Annotated[Path, typer.Argument(help="Where the bar is written.")],
) -> None:
    held_out = [row for row in read_rows(data / "squad2" / "qa.jsonl.gz") if name_origin("squad2", row) in HELD_OUT]
    readings = asyncio.run(read_all(read_settings(), held_out))
    answerable = [row["answerable"] for row in held_out]
    f1 = [best_f1(one.answer, row["answers"]) for one, row in zip(readings, held_out, strict=True)]
    right = [row_f1 >= RIGHT for row_f1 in f1]
    bar, unseen = fit_bar([one.signs for one in readings], right, answerable, [row["passage"] for row in held_out])
    target.write_bytes(TypeAdapter(Bar).dump_json(bar, indent=2) + b"\n")
    sent = np.array(f1) * (np.array(unseen) >= bar.least)
    print(
        f"{len(held_out)} questions, AUROC right {area_under_roc(unseen, right):.3f}, answerable"
        f" {area_under_roc(unseen, answerable):.3f}, F1 as sent {sent[answerable].mean():.3f}, bar {bar.least:.3f}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    typer.run(main)
