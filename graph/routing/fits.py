"""The kept fits: which one is in service, what the gate said of each, and the way back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from graph.routing.fit import Fit, read_fit
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import TandemError

QUERIES = load_queries("graph.routing", "fits.sql")


class FitUnknown(TandemError):
    """There is no such fit of the decision."""

    remedy = "`tandem routing list` shows those that there are."


@dataclass(frozen=True)
class FitRecord:
    """`report` is what the gate saw; `adapter` the one whose memory was graded, None for the model alone."""

    id: int
    passed: bool
    report: Mapping[str, Any]
    made_at: datetime
    promoted_at: datetime | None
    promoted_by: str | None
    adapter: str | None


async def find_serving(database: Database, adapter: str | None) -> Fit | None:
    """The newest promoted one; None where the prior decides. What it says of another adapter's memory than that of the
    one in service is left out."""
    row = await database.fetch_one(QUERIES["find_serving"])
    if row is None:
        return None
    fit = read_fit(row["models"], row["id"])
    return fit if row["adapter"] == adapter else replace(fit, direct=None)


async def keep_fit(
    database: Database, fit: Fit, report: Mapping[str, Any], *, adapter: str | None, passed: bool
) -> int:
    """Keeps it with the gate's verdict and the adapter whose memory was graded, and puts it in service if it passed;
    returns its number."""
    parameters = {
        "models": json.dumps(fit.describe()),
        "report": json.dumps(report),
        "adapter": adapter,
        "passed": passed,
    }
    row = await database.fetch_one(QUERIES["insert_fit"], parameters)
    if row is None:
        raise RuntimeError("the database returned no id")
    return int(row["id"])


async def list_fits(database: Database) -> list[FitRecord]:
    """The newest first."""
    return [FitRecord(**row) for row in await database.fetch_all(QUERIES["list_fits"])]


async def promote_fit(database: Database, identity: int, *, by: str) -> None:
    """Puts a kept fit in service by a person's word, whatever the gate said. Raises FitUnknown."""
    if not await database.execute(QUERIES["promote"], {"id": identity, "by": by}):
        raise FitUnknown(f"There is no fit {identity}.")


async def roll_back(database: Database) -> int | None:
    """Takes the fit in service out of it; returns the one before, which is in service now, or None for the prior.

    Raises FitUnknown when none is in service.
    """
    if not await database.execute(QUERIES["withdraw_newest"]):
        raise FitUnknown("No fit is in service; the prior decides.", remedy="There is nothing to take back.")
    row = await database.fetch_one(QUERIES["find_serving"])
    return int(row["id"]) if row else None
