"""`tandem eval`: which of prompting, retrieval, fine-tuning or both a team's questions call for, measured."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tandem.cli.workplace import AsJson, Audience, begin, open_database, open_model, run, terminal_viewer
from tandem.errors import SourceError, TandemError

if TYPE_CHECKING:
    from index.audience import Viewer
    from tandem.db.pool import Database
    from tandem.evals.arms import ArmName
    from tandem.evals.comparison import ArmRun, Comparison
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
    audience: Audience = None,
    as_json: AsJson = False,
) -> None:
    """Ask the same questions in up to five ways, and say which way they call for, and why."""
    from tandem.evals.picture import draw_comparison
    from tandem.evals.qa import Asked, read_asked
    from tandem.evals.recommendation import recommend

    settings = begin("eval", quiet=True)
    wanted = _split_arms(arms)
    if docs is not None and not docs.is_dir():
        raise SourceError(f"{docs} is no folder.", remedy="Give --docs the path of a folder.")
    asked = read_asked(questions, Asked)

    async def compare() -> "Comparison":
        from tandem.evals.comparison import compare_arms

        with _progress() as bar:
            task = bar.add_task("Starting", total=None)

            def report(text: str, done: int, total: int) -> None:
                bar.update(task, description=text, completed=done, total=total)

            async with _open_documents(settings, docs, audience, report) as (own, database, model, viewer):
                bar.reset(task)  # the time left is that of the questions
                return await compare_arms(own, database, model, viewer, asked, wanted, report)

    compared = run(compare())
    recommendation = recommend(compared)
    if as_json:
        print(json.dumps(compared.describe() | {"recommendation": recommendation}))
    else:
        _print_comparison(compared, recommendation)
    if replies is not None:
        _write_lines(replies, compared.describe_replies())
    if plot is not None:
        draw_comparison(compared, recommendation, plot)


@asynccontextmanager
async def _open_documents(
    settings: "Settings", docs: Path | None, audience: list[str] | None, report: "OnProgress"
) -> "AsyncIterator[tuple[Settings, Database, ModelClient, Viewer]]":
    """What is indexed, or the folder, indexed into a scratch database."""
    if docs is None:
        async with open_database(settings) as database, open_model(settings) as model:
            yield settings, database, model, terminal_viewer(audience)
        return
    from tandem.evals.workbench import VIEWER, open_workbench

    async with open_workbench(settings, documents=docs) as bench:
        await bench.look(report)
        yield bench.settings, bench.database, bench.model, VIEWER


def _split_arms(text: str | None) -> "tuple[ArmName, ...]":
    from tandem.evals.arms import ARMS

    named = ARMS if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in named if name not in ARMS]
    if unknown or not named:
        raise typer.BadParameter(f"give some of {', '.join(ARMS)}, with commas between them.", param_hint="--arms")
    return tuple(arm for arm in ARMS if arm in named)


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    try:
        path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise TandemError(f"{path} cannot be written: {error.strerror}.", remedy="Give another path.") from error


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _print_comparison(compared: "Comparison", recommendation: str) -> None:
    """One column an arm, so that it fits a narrow terminal."""
    console, table = Console(highlight=False), Table("", box=None, pad_edge=False)
    figures = compared.describe()
    columns = [_describe_column(own, figures["arms"][arm]) for arm, own in compared.arms.items()]
    for arm in compared.arms:
        table.add_column(arm, justify="right", no_wrap=True)
    if oracle := compared.oracle:
        table.add_column("oracle", justify="right", style="dim", no_wrap=True)
        columns.append({"right": f"{oracle.right:.2f}", "tokens": f"{oracle.tokens:,.0f}"})
    for name in columns[0]:
        table.add_row(name, *(column.get(name, "") for column in columns))
    console.print(table)
    if compared.finding and (found := compared.finding.describe()):
        told = ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        console.print(f"Retrieval on its own: {told} (judged by {compared.finding.judged_by}).", markup=False)
    for arm, reason in compared.left_out.items():
        console.print(f"Left out: {arm}, as {reason}.", style="yellow", markup=False)
    console.print(f"\n{recommendation}", style="bold", markup=False)


def _describe_column(own: "ArmRun", figures: dict[str, Any]) -> dict[str, str]:
    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    answerable, citations, latency = figures["answerable"], figures["citations"], figures["latency_ms"]
    return {
        "right": f"{own.right.mean:.2f}",
        "  95%": f"{own.right.low:.2f}–{own.right.high:.2f}",
        "EM": share(answerable["em"]),
        "F1": share(answerable["f1"]),
        "contained": share(answerable["contained"]),
        "declined rightly": share(figures["unanswerable"]["declined"]),
        "declined wrongly": share(own.estimate("declined", answerable=True).mean if own.answerable else None),
        "citations right": share(citations["precision"]),
        "answers so cited": share(citations["recall"]),
        "tokens": f"{figures['tokens']:,.0f}",
        "ms, p50": f"{latency['p50']:,.0f}",
        "ms, p95": f"{latency['p95']:,.0f}",
        "cost of 1,000": f"{figures['cost_per_1000']:.3g}",
    }
