"""A folder's real history, commit by commit through the whole pipeline, the index held against the folder each time."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg.rows import DictRow

from index.jobs import LookProgress
from tandem.db.queries import load_queries
from tandem.evals.history import Commit
from tandem.evals.rows import DataError
from tandem.evals.truth import Difference, Folder, compare, read_searchable
from tandem.evals.workbench import OnProgress, Workbench

QUERIES = load_queries("tandem.evals", "replay.sql")


@dataclass(frozen=True)
class Step:
    """One commit and the look after it. `shares`: of each changed document, the chunks embedded and all of its chunks.

    `lags_s`: of each new or changed document, from the writing of its file until its passages could be found.
    """

    commit: str
    seconds: float
    shares: tuple[tuple[int, int], ...]
    lags_s: tuple[float, ...]
    difference: Difference


@dataclass(frozen=True)
class ReplayRun:
    """`first`: the look at the folder as it was before the steps; `first_difference` what was wrong then."""

    first: LookProgress
    first_difference: Difference
    steps: tuple[Step, ...]

    @property
    def difference(self) -> Difference:
        return sum((step.difference for step in self.steps), self.first_difference)

    def describe(self) -> dict[str, Any]:
        """The contract of `tandem bench replay --json`. A figure that nothing was measured for is None."""
        shares = [share for step in self.steps for share in step.shares if share[1]]
        embedded, chunks = (sum(share[place] for share in shares) for place in (0, 1))
        by_document = [new / all_of_it for new, all_of_it in shares]
        wrong = [step.commit for step in self.steps if step.difference]
        return {
            "commits": len(self.steps),
            "from": self.steps[0].commit,
            "to": self.steps[-1].commit,
            "first_look": {
                "documents": self.first.documents.added,
                "chunks": self.first.chunks.embedded + self.first.chunks.kept,
                "seconds": round(self.first.seconds, 3),
            },
            "changed_documents": len(shares),
            "embedded_share": {
                "of_chunks": round(embedded / chunks, 4) if chunks else None,
                "mean_of_documents": round(statistics.mean(by_document), 4) if shares else None,
                "median_of_documents": round(statistics.median(by_document), 4) if shares else None,
            },
            "seconds_per_step": _percentiles([step.seconds for step in self.steps]),
            "lag_s": _percentiles([lag for step in self.steps for lag in step.lags_s]),
            "passages": {
                "stale": self.difference.stale,
                "missing": self.difference.missing,
                "doubled": self.difference.doubled,
            },
            "wrong_after": (["start"] if self.first_difference else []) + wrong,
        }


def choose_commits(
    history: Sequence[Commit], start: str | None, count: int
) -> tuple[Sequence[Commit], Sequence[Commit]]:
    """What comes before the steps, and the steps: `count` commits (0: all) from `start` on, else the last ones.

    `start` is how the commit's id begins. Raises DataError when no commit, or more than one, begins so.
    """
    if start is None:
        first = max(0, len(history) - count) if count else 0
    else:
        found = [place for place, commit in enumerate(history) if commit.id.startswith(start)]
        if len(found) != 1:
            raise DataError(
                f"{len(found)} commits begin with {start}.", remedy="Give more of the commit's id, as in events.jsonl."
            )
        [first] = found
    return history[:first], history[first : first + count if count else None]


async def bench_replay(
    bench: Workbench, before: Sequence[Commit], steps: Sequence[Commit], on_progress: OnProgress = lambda *_: None
) -> ReplayRun:
    """Looks at the folder as it was before the steps, then after each of them.

    Raises SourceError, ModelUnavailable or DatabaseUnavailable; a difference is counted, not raised.
    """
    for commit in before:
        commit.apply(bench.folder)
    await bench.commit()
    truth = Folder(bench.folder)
    first = await bench.look(on_progress)
    first_difference = await _check(bench, truth)
    done: list[Step] = []
    for number, commit in enumerate(steps):
        on_progress("Replaying", number, len(steps))
        commit.apply(bench.folder)
        await bench.commit()
        began = time.perf_counter()
        look = await bench.look()
        seconds = time.perf_counter() - began
        rows = await bench.database.fetch_all(QUERIES["read_changes"], {"look_id": look.id})
        done.append(_note(commit, seconds, rows, await _check(bench, truth)))
    return ReplayRun(first, first_difference, tuple(done))


async def _check(bench: Workbench, truth: Folder) -> Difference:
    return compare(await asyncio.to_thread(truth.read), await read_searchable(bench.database))


def _note(commit: Commit, seconds: float, rows: Sequence[DictRow], difference: Difference) -> Step:
    changed = [row for row in rows if row["outcome"] == "changed"]
    shares = tuple((row["embedded"], row["embedded"] + row["kept"]) for row in changed)
    return Step(commit.id, seconds, shares, tuple(row["lag_s"] for row in rows), difference)


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(values, [50, 95]).tolist()
    return {"p50": round(p50, 3), "p95": round(p95, 3)}
