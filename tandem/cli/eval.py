"""`tandem eval`: which of prompting, retrieval, fine-tuning or both a team's questions call for, measured."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tandem.cli.eval_tables import print_comparison, print_reader
from tandem.cli.workplace import AsJson, Audience, begin, open_database, open_model, run, terminal_viewer
from tandem.errors import SourceError, TandemError

if TYPE_CHECKING:
    from index.audience import Viewer
    from tandem.db.pool import Database
    from tandem.evals.arms import ArmName
    from tandem.evals.comparison import Comparison
    from tandem.evals.reading import ReaderRun
    from tandem.evals.workbench import OnProgress
    from tandem.models.client import ModelClient
    from tandem.settings import Settings


def evaluate(
    questions: Annotated[Path, typer.Argument(metavar="QA.jsonl", help="Questions with their answers, one a line.")],
    arms: Annotated[
        str | None,
        typer.Option(help="With commas: prompt, tuned, retrieval, tuned+retrieval, tandem. Without it, all five."),
    ] = None,
    docs: Annotated[
        Path | None,
        typer.Option(help="A folder to index for this run alone; else what is indexed already is searched."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw the comparison there.")] = None,
    replies: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Write what every arm said to each question there.")
    ] = None,
    reader: Annotated[
        bool, typer.Option("--reader", help="Measure the reader by itself instead; each line has its `passage`.")
    ] = False,
    audience: Audience = None,
    as_json: AsJson = False,
) -> None:
    """Ask the same questions in up to five ways, and say which way they call for, and why."""
    if reader:
        if arms or docs or plot or replies:
            raise typer.BadParameter("goes with --json alone.", param_hint="--reader")
        _evaluate_reader(questions, as_json)
        return
    from tandem.evals.picture import draw_comparison
    from tandem.evals.qa import Asked, read_asked
    from tandem.evals.recommendation import recommend

    settings = begin("eval", quiet=True)
    wanted = _split_arms(arms)
    if docs is not None and not docs.is_dir():
        raise SourceError(f"{docs} is no folder.", remedy="Give --docs the path of a folder.")
    asked = read_asked(questions, Asked)
    for path in filter(None, (plot, replies)):
        _require_writable(path)

    async def compare() -> "Comparison":
        from tandem.evals.comparison import compare_arms

        with _reporting() as report:
            async with _open_documents(settings, docs, audience, report) as opened:
                own, database, model, viewer, house = opened
                return await compare_arms(own, database, model, viewer, asked, wanted, report, house=house)

    compared = run(compare())
    recommendation = recommend(compared)
    if as_json:
        print(json.dumps(compared.describe() | {"recommendation": recommendation}))
    else:
        print_comparison(compared, recommendation)
    if replies is not None:
        _write_lines(replies, compared.describe_replies())
    if plot is not None:
        draw_comparison(compared, recommendation, plot)


def _evaluate_reader(questions: Path, as_json: bool) -> None:
    from tandem.evals.qa import PASSAGES, OnPassage, read_asked

    settings = begin("eval", quiet=True)
    asked = read_asked(questions, OnPassage, remedy=PASSAGES)

    async def measure() -> "ReaderRun":
        from tandem.evals.reading import measure_reader
        from tandem.evals.workbench import open_workbench

        with _reporting() as report:
            async with open_workbench(settings) as bench:
                return await measure_reader(bench, asked, report)

    figures = run(measure()).describe()
    if as_json:
        print(json.dumps(figures))
    else:
        print_reader(figures)


@asynccontextmanager
async def _open_documents(
    settings: "Settings", docs: Path | None, audience: list[str] | None, report: "OnProgress"
) -> "AsyncIterator[tuple[Settings, Database, ModelClient, Viewer, Database]]":
    """What is indexed, or the folder, indexed into a scratch database; and the database of the house."""
    if docs is None:
        async with open_database(settings) as database, open_model(settings) as model:
            yield settings, database, model, terminal_viewer(audience), database
        return
    from tandem.evals.workbench import VIEWER, open_workbench

    async with open_database(settings) as house, open_workbench(settings, documents=docs) as bench:
        await bench.look(report)
        yield bench.settings, bench.database, bench.model, VIEWER, house


def _split_arms(text: str | None) -> "tuple[ArmName, ...]":
    from tandem.evals.arms import ARMS

    named = ARMS if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in named if name not in ARMS]
    if unknown or not named:
        raise typer.BadParameter(f"give some of {', '.join(ARMS)}, with commas between them.", param_hint="--arms")
    return tuple(arm for arm in ARMS if arm in named)


def _require_writable(path: Path) -> None:
    """Before anything is asked: what is measured takes long, and would be lost. Leaves no file that was not there."""
    was_there = path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise TandemError(f"{path} cannot be written: {error.strerror}.", remedy="Give another path.") from error
    if not was_there:
        path.unlink()


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    try:
        path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise TandemError(f"{path} cannot be written: {error.strerror}.", remedy="Give another path.") from error


@contextmanager
def _reporting() -> "Iterator[OnProgress]":
    """A bar with the time left; each stretch of work, with a total of its own, is timed by itself."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=None)

        def report(text: str, done: int, total: int) -> None:
            if bar.tasks[0].total != total:
                bar.reset(task, total=total)
            bar.update(task, description=text, completed=done)

        yield report
