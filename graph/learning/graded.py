"""The graded questions: what a fit is made of, each with the history that it had without itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graph.learning.grading import Grade
from graph.learning.sample import QUERIES
from graph.learning.trial import WIDTH, Trial
from graph.routing.history import NEAREST, Neighbour, weigh_history
from graph.routing.inputs import Inputs, read_inputs
from tandem.db.pool import Database

MOST = 2_000
"""The newest so many make a fit; a matrix of their likeness takes 32 MB."""


@dataclass(frozen=True)
class Graded:
    """`direct_right` is None where another adapter answered from memory."""

    inputs: Inputs
    direct_right: float | None
    grounded_right: float


async def keep_grade(database: Database, answer_id: str, trial: Trial, adapter: str | None, grade: Grade) -> None:
    parameters = {
        "answer_id": answer_id,
        "embedding": trial.embedding.tolist(),
        "inputs": json.dumps(trial.inputs.record()),
        "adapter": adapter,
        "direct_right": grade.direct,
        "grounded_right": grade.grounded,
        "graded_by": grade.by,
    }
    await database.execute(QUERIES["keep_grade"], parameters)


async def keep_untried(database: Database, answer_id: str, adapter: str | None) -> None:
    """Notes that nothing can be told of it, so that it is drawn again only when people say something new of it."""
    await database.execute(QUERIES["keep_untried"], {"answer_id": answer_id, "adapter": adapter})


async def list_graded(database: Database, adapter: str | None) -> list[Graded]:
    """The newest MOST, the newest first."""
    rows = await database.fetch_all(QUERIES["list_graded"], {"adapter": adapter, "most": MOST})
    graded = [
        Graded(read_inputs(row["inputs"]), row["direct_right"] if row["is_current"] else None, row["grounded_right"])
        for row in rows
    ]
    places = [(row["workspace"], frozenset(row["audiences"])) for row in rows]
    vectors = np.array([row["embedding"] for row in rows], np.float32).reshape(len(rows), WIDTH)
    return recall_without_oneself(graded, places, vectors)


def recall_without_oneself(
    graded: Sequence[Graded], places: Sequence[tuple[str, frozenset[str]]], vectors: NDArray[np.float32]
) -> list[Graded]:
    """Each with the history that the others make, as the router would have seen it in its place."""
    nearness = vectors @ vectors.T
    found = []
    for row, (one, (workspace, audiences)) in enumerate(zip(graded, places, strict=True)):
        others = [
            other
            for other, (where, seen) in enumerate(places)
            if other != row and where == workspace and seen <= audiences
        ]
        if not others:
            found.append(one)
            continue
        nearest = sorted(others, key=lambda other: -nearness[row, other])[:NEAREST]
        near = [
            Neighbour(float(nearness[row, other]), graded[other].direct_right, graded[other].grounded_right)
            for other in nearest
        ]
        direct = [right for other in others if (right := graded[other].direct_right) is not None]
        mean_direct = float(np.mean(direct)) if direct else None
        history = weigh_history(near, mean_direct, float(np.mean([graded[o].grounded_right for o in others])))
        found.append(replace(one, inputs=replace(one.inputs, history=history)))
    return found
