"""The verdict: two adapters on the same questions, compared by a paired bootstrap, set by set."""

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tandem.db.pool import Database
from tandem.evals.bootstrap import estimate_mean
from tandem.tuning.examples import QUERIES


class Comparison(BaseModel):
    """Mean marks (0 to 1) of both on the `questions` of a set, and the bounds within which the difference of the means
    lies at 95%. Only where it `must_gain` the newer one has to be better; elsewhere it must not be worse."""

    model_config = ConfigDict(frozen=True)

    set: str
    questions: int
    before: float
    after: float
    low: float
    high: float
    must_gain: bool

    @property
    def is_better(self) -> bool:
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        return self.high < 0

    @property
    def word(self) -> str:
        found = "better" if self.is_better else "worse" if self.is_worse else "no difference beyond noise"
        return found if self.passes else f"✗ {found}"

    @property
    def passes(self) -> bool:
        return self.is_better if self.must_gain else not self.is_worse


class Verdict(BaseModel):
    """`against` is the adapter that was in service; None is the base alone."""

    model_config = ConfigDict(frozen=True)

    adapter: str
    digest: str
    against: str | None
    comparisons: tuple[Comparison, ...]
    judged_by: str
    overridden_by: str | None = None
    judged_at: datetime | None = None

    @property
    def passed(self) -> bool:
        return all(comparison.passes for comparison in self.comparisons)

    @property
    def is_promoted(self) -> bool:
        return self.passed or bool(self.overridden_by)

    @property
    def summary(self) -> str:
        if self.passed:
            return f"{self.adapter} passed the gate, and is put in service."
        if self.overridden_by:
            return f"{self.adapter} did not pass the gate; {self.overridden_by} answers for putting it in service."
        return f"{self.adapter} did not pass the gate; {self.against or 'the base'} stays in service."


def compare(
    name: str,
    before: Sequence[float],
    after: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    must_gain: bool = False,
) -> Comparison:
    """Marks of the same questions in the same order; those of one group are drawn together."""
    gain = estimate_mean(np.subtract(after, before), groups, bounds=(-1.0, 1.0))
    return Comparison(
        set=name,
        questions=len(before),
        before=float(np.mean(before)),
        after=float(np.mean(after)),
        low=gain.low,
        high=gain.high,
        must_gain=must_gain,
    )


_COMPARISONS = TypeAdapter(tuple[Comparison, ...])


async def keep_verdict(database: Database, verdict: Verdict) -> None:
    known: dict[str, Any] = verdict.model_dump(exclude={"comparisons", "judged_at"})
    parameters = known | {
        "passed": verdict.passed,
        "comparisons": _COMPARISONS.dump_json(verdict.comparisons).decode(),
    }
    await database.execute(QUERIES["add_verdict"], parameters)


async def list_verdicts(database: Database) -> list[Verdict]:
    """The newest of each adapter."""
    return [Verdict(**row) for row in await database.fetch_all(QUERIES["list_verdicts"])]
