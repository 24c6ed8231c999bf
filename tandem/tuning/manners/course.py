"""The course: all lessons of the adapter that ships, from a folder of the data sets that its card names.

`python -m tandem.tuning.manners.course DATA RUN_FOLDER` writes what the trainer takes; `make reader` does the rest.
"""

import random
from pathlib import Path
from typing import Annotated

import typer

from tandem.models import backend
from tandem.models.weights import find_weights
from tandem.settings import read_settings
from tandem.tuning.lesson import Lesson, write_lessons
from tandem.tuning.manners.clozes import make_clozes
from tandem.tuning.manners.lessons import make_direct_lesson, make_reading_lessons
from tandem.tuning.manners.material import (
    read_dated,
    read_handbook,
    read_pages,
    read_questions,
    read_rows,
    split_sentences,
)
from tandem.tuning.manners.written import read_written
from tandem.tuning.run import RUN, TRAIN, VALIDATION, Run

HELD_OUT = ("squad2/Normans", "squad2/Scottish Parliament")
"""Articles that are never trained on, so that the figures in the card are of unseen ones."""
SEED = 20261121
CLOZES = 240
POLICIES = 200
PAPERS = 140
DATED = 160
DIRECT = 300


def make_course(data: Path, *, seed: int = SEED) -> tuple[list[Lesson], list[Lesson]]:
    """Lessons to train on and to validate on. Another seed draws other distractors and twists."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    articles = read_questions(data, "squad2")
    learned = [item for item in articles if item.passage.origin not in HELD_OUT]
    held_out = [item for item in articles if item.passage.origin in HELD_OUT]
    policies, papers, dated = read_questions(data, "policyqa"), read_questions(data, "covidqa"), read_dated(data)
    text = read_pages(data) + read_handbook(data, pages=120)
    lessons = [
        *make_reading_lessons(learned, rng, twists=0.2, strangers=0.2),
        *make_reading_lessons(read_written(data), rng, twists=0.0, strangers=0.1),
        *make_reading_lessons(rng.sample(policies, POLICIES), rng, twists=0.1, strangers=0.0),
        *make_reading_lessons(rng.sample(papers, PAPERS), rng, twists=0.2, strangers=0.3),
        *make_reading_lessons(rng.sample(dated, DATED), rng, twists=0.4, strangers=0.0),
        *make_reading_lessons(list(make_clozes(text, CLOZES, rng)), rng, twists=0.1, strangers=0.0),
        *make_direct_lessons(data, rng),
    ]
    validation = list(make_reading_lessons(held_out[::3], random.Random(seed), twists=0.0, strangers=0.0))  # noqa: S311
    return lessons, validation


def make_direct_lessons(data: Path, rng: random.Random) -> list[Lesson]:
    """Well-known facts, briefly, and what a condition is, in its first sentence."""
    known = [row for row in read_rows(data / "routes" / "outcomes.jsonl.gz") if row["direct_right"]]
    facts = [
        make_direct_lesson(row["question"].strip().rstrip("?") + "?", str(row["answers"][0]), f"routes/{row['id']}")
        for row in known
        if row["dataset"] in ("nq", "trivia")
    ]
    terms = [
        make_direct_lesson(row["question"].replace(" ?", "?"), first, f"medquad/{row['focus']}")
        for row in read_rows(data / "medquad" / "qa.jsonl.gz")
        if row["type"] == "information" and row["source"] != "GARD"
        for first in split_sentences(row["answer"])[:1]
        if len(first) < 240
    ]
    return rng.sample(facts, min(len(facts), DIRECT // 2)) + rng.sample(terms, min(len(terms), DIRECT // 2))


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the data sets.")],
    run: Annotated[Path, typer.Argument(help="The trainer's folder.")],
) -> None:
    run.mkdir(parents=True, exist_ok=True)
    backend.start_backend()
    weights = find_weights(read_settings(), on_gpu=False, requantise=backend.requantise)
    plan = Run(base=weights.file, learning_rate=5e-4, dropout=0.0, epochs=1, step_tokens=1900, pack_tokens=960, seed=1)
    (run / RUN).write_text(plan.model_dump_json(indent=2), encoding="utf-8")
    lessons, validation = make_course(data)
    print(write_lessons(run / TRAIN, lessons), "lessons,", write_lessons(run / VALIDATION, validation))


if __name__ == "__main__":
    typer.run(main)
