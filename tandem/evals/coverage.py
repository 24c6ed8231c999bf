"""Coverage: can the search tell a question about what is held from one about something else?

Each file of questions on passages is indexed alone, and asked its own questions and those of the other files. A
collection is judged by a model that was fitted to the others.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.routing.decision import Decision
from graph.routing.evidence import describe_search, read_coverage_model
from graph.routing.inputs import gather_inputs
from graph.routing.linear import LinearModel, area_under_roc, calibration_error, fit_linear
from graph.routing.policy import Policy
from graph.routing.router import decide
from index.search import search
from tandem.evals.questions import Question
from tandem.evals.workbench import VIEWER, OnProgress, Workbench

K = 8
SEED = 7
NAMES = read_coverage_model().names
"""The features of the model that ships."""
ROUTES = ("direct", "grounded", "asked", "declined")
Open = Callable[[], AbstractAsyncContextManager[Workbench]]


@dataclass(frozen=True)
class Asked:
    """One question in one collection's index. `milliseconds` are of the decision, the search left out."""

    collection: str
    own: bool
    features: Mapping[str, float | None]
    decision: Decision
    milliseconds: float


async def ask_collections(
    open_bench: Open, collections: Mapping[str, Sequence[Question]], passages: int, questions: int, report: OnProgress
) -> list[Asked]:
    """At most so many passages of each collection, and so many questions on them; of others a fifth of that each."""
    drawn = {name: _draw(rows, passages, questions) for name, rows in collections.items()}
    asked: list[Asked] = []
    for name, (held, own) in drawn.items():
        async with open_bench() as bench:
            for number, passage in enumerate(held):
                (bench.folder / f"{number}.md").write_text(passage, encoding="utf-8", errors="replace")
            await bench.look(report)
            others = [text for other, (_, texts) in drawn.items() if other != name for text in texts[: questions // 5]]
            for done, (text, is_own) in enumerate(
                [*((text, True) for text in own), *((text, False) for text in others)]
            ):
                report(f"Asking {name}", done, len(own) + len(others))
                asked.append(await _ask(bench, name, text, is_own))
    return asked


async def _ask(bench: Workbench, collection: str, question: str, own: bool) -> Asked:
    found = await search(bench.database, bench.model, question, VIEWER, k=K)
    began = time.perf_counter()
    inputs = await gather_inputs(bench.database, bench.model, VIEWER, question, found)
    decision = decide(inputs, None, Policy(), lambda: 1.0)
    took = 1000 * (time.perf_counter() - began)
    return Asked(collection, own, describe_search(found) if found.hits else {}, decision, took)


def describe_coverage(asked: Sequence[Asked]) -> dict[str, Any]:
    """The contract of `tandem bench coverage --json`. `auroc` is of models that had not seen the collection; `shipped`
    of the one that serves, which may have."""
    rows, own, names = _matrix(asked)
    unseen = np.full(len(asked), np.nan)
    if len(set(names)) > 1:
        for name in set(names):
            unseen[names == name] = _balanced(rows[names != name], own[names != name]).chances(rows[names == name])
    shipped = read_coverage_model().chances(rows)
    judged = unseen if len(set(names)) > 1 else shipped
    p50, p95 = np.percentile([one.milliseconds for one in asked], [50, 95]).tolist()
    routes = {
        kind: {route: sum(one.decision.route == route and one.own == is_own for one in asked) for route in ROUTES}
        for kind, is_own in (("covered", True), ("not_covered", False))
    }
    return {
        "questions": len(asked),
        "auroc": round(area_under_roc(judged, own), 4),
        "shipped": round(area_under_roc(shipped, own), 4),
        "ece": round(calibration_error(judged, own), 4),
        "collections": {
            name: round(area_under_roc(judged[names == name], own[names == name]), 4) for name in dict.fromkeys(names)
        },
        "routes": routes,
        "decision_ms": {"p50": round(p50, 2), "p95": round(p95, 2)},
    }


def fit_coverage(asked: Sequence[Asked]) -> LinearModel:
    """The model that ships, of all collections."""
    rows, own, _ = _matrix(asked)
    return _balanced(rows, own)


def _balanced(rows: NDArray[np.float64], own: NDArray[np.float64]) -> LinearModel:
    """As if half of all questions were covered: what share was asked here says nothing about a team."""
    model = fit_linear(NAMES, rows, own)
    share = float(own.mean())
    return replace(model, bias=model.bias - _logit(share))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def _matrix(asked: Sequence[Asked]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    rows = [[one.features.get(name) or 0.0 for name in NAMES] for one in asked]
    return np.array(rows), np.array([float(one.own) for one in asked]), np.array([one.collection for one in asked])


def _draw(rows: Sequence[Question], passages: int, questions: int) -> tuple[list[str], list[str]]:
    chosen = random.Random(SEED)  # noqa: S311 - a sample, no secret
    held = list(dict.fromkeys(row.passage for row in rows))
    chosen.shuffle(held)
    kept = set(held[:passages])
    own = [row.question for row in rows if row.passage in kept]
    chosen.shuffle(own)
    return held[:passages], own[:questions]
