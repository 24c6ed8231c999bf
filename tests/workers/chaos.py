"""A folder's real revisions, indexed while everything goes wrong: `python -m tests.workers.chaos DIR`.

Workers race and are killed or stunned, Postgres is restarted and killed, the model server and the beat too; messages
are dropped and doubled. Commits go on meanwhile. In the end the index must be what it is without any of that.
`test_chaos.py` runs a short one. DIR is as for `tandem bench replay`.
"""

import asyncio
import json
import logging
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from index.jobs import enqueue_look, read_look
from index.sources import Source, add_source
from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.errors import DatabaseUnavailable
from tandem.evals.history import Commit, read_history
from tandem.evals.replay import choose_commits
from tandem.evals.truth import Difference, Folder, compare, read_searchable
from tandem.evals.workbench import open_workbench
from tandem.settings import Settings
from tests.conftest import open_home
from tests.workers.conftest import Crew
from tests.workers.disorder import Stage, disorder
from tests.workers.verdict import Revisions, Snapshot, find_faults, take_snapshot

PATIENCE_S = 600.0
COMPLAINTS = (" WARNING ", " ERROR ", " CRITICAL ", "Error: ", "Exception: ")
GLIMPSE_S = 0.3
ASKED = 0.7
"""How often a commit is followed by the wish for a look; else the beat, or the next wish, finds it."""


@dataclass
class ChaosRun:
    """`mixed`: paths that were seen as no revision of theirs at some moment. `faults`: what is wrong in the end."""

    commits: int
    seconds: float = 0.0
    harms: Counter[str] = field(default_factory=Counter)
    glimpses: int = 0
    mixed: set[str] = field(default_factory=set)
    difference: Difference = field(default_factory=Difference)
    faults: list[str] = field(default_factory=list)
    embedded: int = 0
    embedded_undisturbed: int = 0
    chunks: int = 0
    looks: int = 0
    jobs: int = 0
    leases: int = 0
    complaints: Counter[str] = field(default_factory=Counter)
    """Lines of the processes' logs above the level of information, without their times and numbers."""

    @property
    def is_sound(self) -> bool:
        return not (self.mixed or self.difference or self.faults)


async def run_chaos(
    before: Sequence[Commit], steps: Sequence[Commit], seed: int, *, workers: int, pause_s: float
) -> ChaosRun:
    """Brings a folder to where it was before the steps, then makes them under disorder, and judges the index."""
    run = ChaosRun(len(steps))
    began = time.monotonic()
    with open_home() as home, tempfile.TemporaryDirectory(prefix="tandem-chaos-") as scratch:
        settings = Settings(
            home=home, lease_s=1.5, look_interval_s=15, database_url=None, model_url=None, _env_file=None
        )
        folder = Path(scratch) / "docs"
        folder.mkdir()
        conninfo = await asyncio.to_thread(ensure_server, settings)
        migrate(conninfo)
        async with Database.open(settings) as database:
            stage = Stage(Crew(settings, database, folder), workers, random.Random(seed))
            try:
                await _disturb(stage, before, steps, pause_s, run)
                end = await _judge(stage, run)
                run.embedded = await stage.count_embedded()
                undisturbed = await _replay_undisturbed(settings, before, steps)
                run.embedded_undisturbed = await stage.count_embedded() - run.embedded
                run.faults += end.differs_from(undisturbed)
            finally:
                await stage.tear_down()
                run.complaints = _read_complaints(Path(scratch))
        stop_server_if_idle(settings, conninfo)
    run.seconds = time.monotonic() - began
    return run


async def _disturb(
    stage: Stage, before: Sequence[Commit], steps: Sequence[Commit], pause_s: float, run: ChaosRun
) -> None:
    crew = stage.crew
    for commit in before:
        commit.apply(crew.folder)
    source = await add_source(crew.database, crew.folder, name="docs", added_by="chaos")
    await stage.set_up()
    await _finish(stage, source)
    watching = asyncio.create_task(_watch(stage, Revisions([*before, *steps]), run))
    try:
        async with disorder(stage, pause_s / 2) as run.harms:
            for commit in steps:
                await asyncio.sleep(stage.random.uniform(0, 2 * pause_s))
                commit.apply(crew.folder)
                if stage.random.random() < ASKED:
                    await stage.insist(lambda: _ask(stage, source))
        await stage.set_up()
        await _finish(stage, source)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _ask(stage: Stage, source: Source) -> int:
    crew = stage.crew
    return await enqueue_look(crew.database, crew.settings, source, requested_by="chaos", accept_removals=True)


async def _finish(stage: Stage, source: Source) -> None:
    """A look while nothing happens."""
    look = await stage.insist(lambda: _ask(stage, source))
    deadline = time.monotonic() + PATIENCE_S
    while (progress := await stage.insist(lambda: read_look(stage.crew.database, look))).state not in (
        "done",
        "failed",
    ):
        assert time.monotonic() < deadline, f"{progress}\n{stage.crew.logs()[-20_000:]}"
        await asyncio.sleep(0.1)


async def _watch(stage: Stage, revisions: Revisions, run: ChaosRun) -> None:
    """What search can see at any moment is, of each document, one revision."""
    while True:
        await asyncio.sleep(GLIMPSE_S)
        try:
            found = await read_searchable(stage.crew.database)
        except (DatabaseUnavailable, psycopg.OperationalError):
            continue
        run.glimpses += 1
        run.mixed.update(await asyncio.to_thread(revisions.find_mixed, found))


async def _judge(stage: Stage, run: ChaosRun) -> Snapshot:
    database = stage.crew.database
    run.difference = compare(Folder(stage.crew.folder).read(), await read_searchable(database))
    run.faults += await find_faults(database)
    [row] = await database.fetch_all(
        b"SELECT count(DISTINCT look_id) AS looks, count(*) AS jobs, sum(token)::int AS leases,"
        b" (SELECT count(*) FROM chunks) AS chunks FROM jobs"
    )
    run.looks, run.jobs, run.leases, run.chunks = row["looks"], row["jobs"], row["leases"], row["chunks"]
    return await take_snapshot(database)


async def _replay_undisturbed(settings: Settings, before: Sequence[Commit], steps: Sequence[Commit]) -> Snapshot:
    """The same commits in a database of their own, one worker, nothing amiss."""
    async with open_workbench(settings) as bench:
        for commit in before:
            commit.apply(bench.folder)
        await bench.look()
        for commit in steps:
            commit.apply(bench.folder)
            await bench.look()
        return await take_snapshot(bench.database)


def _read_complaints(folder: Path) -> Counter[str]:
    lines = (line for file in folder.glob("*.log") for line in file.read_text(errors="replace").splitlines())
    loud = (line for line in lines if any(mark in line for mark in COMPLAINTS))
    return Counter(re.sub(r"\w*\d\w*", "#", line)[:120].lstrip("#-:, ") for line in loud)


def main(
    data: Annotated[Path, typer.Argument(metavar="DIR")],
    commits: Annotated[int, typer.Option(help="How many are made under disorder.")] = 60,
    start: Annotated[str | None, typer.Option("--from", help="The first of them; else the last ones.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    workers: Annotated[int, typer.Option(min=1)] = 3,
    pause_s: Annotated[float, typer.Option(help="Between two commits, on average.")] = 1.5,
) -> None:
    logging.disable()  # of trouble that is meant; the workers' own logs are read
    before, steps = choose_commits(read_history(data), start, commits)
    run = asyncio.run(run_chaos(before, steps, seed, workers=workers, pause_s=pause_s))
    print(json.dumps(describe(run), indent=2))
    sys.exit(not run.is_sound)


def describe(run: ChaosRun) -> dict[str, Any]:
    return {
        **vars(run),
        "seconds": round(run.seconds, 1),
        "mixed": sorted(run.mixed),
        "difference": str(run.difference),
    }


if __name__ == "__main__":
    typer.run(main)
