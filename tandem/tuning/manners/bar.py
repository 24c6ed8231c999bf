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
from pydantic import TypeAdapter
from rich.progress import track

from graph.reading import Bar, Reading, read_passages
from graph.routing.linear import area_under_roc, fit_linear, split_folds
from graph.signs import Signs
from tandem.evals.reading import as_hit
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings, read_settings
from tandem.tuning.manners.course import HELD_OUT
from tandem.tuning.manners.material import name_origin, read_rows, tidy

DECLINED = 0.7
"""Share of the unanswerable questions that are to be declined."""
FOLDS = 5
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


def fit_bar(signs: Sequence[Signs], answered: Sequence[bool], groups: Sequence[str]) -> tuple[Bar, float]:
    """The bar, and the AUROC of chances that were fitted without the row. Questions on one passage are one group."""
    rows = np.array([[asdict(one)[name] for name in NAMES] for one in signs])
    right = np.array(answered)
    folds = split_folds(len(rows), groups, seed=0, folds=FOLDS)
    unseen = np.zeros(len(rows))
    for fold in range(FOLDS):
        mine = folds == fold
        left = [group for group, is_mine in zip(groups, mine, strict=True) if not is_mine]
        unseen[mine] = fit_linear(NAMES, rows[~mine], right[~mine], groups=left).chances(rows[mine])
    least = float(np.quantile(unseen[~right], DECLINED))
    return Bar(fit_linear(NAMES, rows, right, groups=groups), least), area_under_roc(unseen, right)


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the data sets.")],
    target: Annotated[Path, typer.Argument(help="Where the bar is written.")],
) -> None:
    held_out = [row for row in read_rows(data / "squad2" / "qa.jsonl.gz") if name_origin("squad2", row) in HELD_OUT]
    readings = asyncio.run(read_all(read_settings(), held_out))
    answerable = [row["answerable"] for row in held_out]
    bar, area = fit_bar([one.signs for one in readings], answerable, [row["passage"] for row in held_out])
    target.write_bytes(TypeAdapter(Bar).dump_json(bar, indent=2) + b"\n")
    print(f"{len(held_out)} questions, AUROC {area:.3f}, bar {bar.least:.3f}", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
