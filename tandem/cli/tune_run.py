"""`tandem tune run` and `gate`: from the approved examples to an adapter, and into service if it passes."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, open_database, open_model, operator, run

if TYPE_CHECKING:
    from tandem.db.pool import Database
    from tandem.settings import Settings
    from tandem.tuning.examples import Example
    from tandem.tuning.run import Report
    from tandem.tuning.runs import RunFolder
    from tandem.tuning.split import Side
    from tandem.tuning.verdict import Verdict


def _require_name(name: str | None) -> str | None:
    if name is not None and not name.strip():
        raise typer.BadParameter("give the name of whoever answers for it.")
    return name.strip() if name else None


def _require_rate(rate: float | None) -> float | None:
    if rate is not None and not 0 < rate <= 1:
        raise typer.BadParameter("give a number above 0, 1 at most, such as 1e-4.")
    return rate


Override = Annotated[
    str | None,
    typer.Option(
        callback=_require_name, help="Your name: put it in service whatever the gate says, and answer for it."
    ),
]


def train(
    project: Annotated[str, typer.Argument(help="The project whose approved examples are trained on.")],
    seed: Annotated[
        int | None, typer.Option(help="The same seed and examples make the same adapter; 0 by default.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; it ends early when nothing is gained.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(callback=_require_rate, help="A low one keeps more of what was.")
    ] = None,
    afresh: Annotated[bool, typer.Option("--afresh", help="Begin a new run rather than go on with one.")] = False,
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Check, train, judge, and put the adapter in service if it is better. A run that was broken off goes on, if the
    examples and settings are what they were."""
    run(_train(project, {"seed": seed, "epochs": epochs, "learning_rate": learning_rate}, afresh, override, as_json))


async def _train(
    project: str, wished: dict[str, int | float | None], afresh: bool, override: str | None, as_json: bool
) -> None:
    from tandem.tuning.examples import check_project_name
    from tandem.tuning.process import find_interpreter
    from tandem.tuning.process import train as run_trainer
    from tandem.tuning.rehearsal import rehearse
    from tandem.tuning.runs import begin_run, check_resumable, finish_run, list_runs

    settings = begin("tune", quiet=True)
    check_project_name(project)
    console = Console(stderr=True, highlight=False)
    async with open_database(settings) as database:
        interpreter = find_interpreter(settings)
        open_runs = [one for one in list_runs(settings, project) if not one.is_trained]
        split = await _split(database, settings, project)
        if open_runs and not afresh:
            folder = open_runs[-1]
            check_resumable(settings, folder, split, wished)
            console.print(f"{folder.name} was broken off; it goes on.", markup=False)
        else:
            async with open_model(settings) as model:
                folder = begin_run(settings, project, split, wished, await rehearse(model))
        with _progress(as_json) as bar:
            task = bar.add_task(f"Training {folder.name}", total=None, told="reading the weights")

            def show(report: "Report") -> None:
                told = f"loss {report.loss:.3f}, {_describe_left(report.seconds_left)} left"
                bar.update(task, completed=report.step, total=report.steps, told=told)

            await run_trainer(folder, interpreter, show)
        card = finish_run(settings, folder)
        _draw(folder)
        verdict = await _judge(database, settings, folder, override, as_json)
    if as_json:
        print(json.dumps({"adapter": card.model_dump(mode="json"), "verdict": _tell(verdict)}))
    else:
        show_verdict(verdict)
        console.print(f"Loss curves: {folder.curve}", markup=False, soft_wrap=True)


def gate(
    adapter: Annotated[str, typer.Argument(help="An adapter that `tandem tune run` trained, such as house.3.")],
    override: Override = None,
    as_json: AsJson = False,
) -> None:
    """Judge an adapter again, against what is in service now, and put it in service if it is better."""
    run(_gate(adapter, override, as_json))


async def _gate(adapter: str, override: str | None, as_json: bool) -> None:
    from tandem.tuning.runs import find_run

    settings = begin("tune", quiet=True)
    async with open_database(settings) as database:
        verdict = await _judge(database, settings, find_run(settings, adapter), override, as_json)
    if as_json:
        print(json.dumps(_tell(verdict)))
    else:
        show_verdict(verdict)


async def _split(database: "Database", settings: "Settings", project: str) -> "dict[Side, list[Example]]":
    from tandem.tuning.checks import ExamplesRefused, check_project
    from tandem.tuning.split import split_examples

    examples, findings = await check_project(database, settings, project)
    if not all(finding.passed for finding in findings):
        raise ExamplesRefused(findings)
    return await split_examples(database, project, examples)


async def _judge(
    database: "Database", settings: "Settings", folder: "RunFolder", override: str | None, as_json: bool
) -> "Verdict":
    from tandem.tuning.gate import pass_gate
    from tandem.tuning.runs import list_taught
    from tandem.tuning.sets import make_sets

    taught = {name: run.held_out for name, run in list_taught(settings, folder.project).items()}
    async with open_model(settings) as model:
        with _progress(as_json) as bar:
            task = bar.add_task(f"Judging {folder.name}", total=None, told="")

            def show(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            return await pass_gate(
                database,
                model,
                settings,
                folder.card,
                make_sets(folder.held_out, taught),
                judged_by=operator(),
                overridden_by=override,
                on_progress=show,
            )


def show_verdict(verdict: "Verdict") -> None:
    console = Console(highlight=False)
    before = verdict.against or "the base"
    table = Table("set", "questions", escape(before), escape(verdict.adapter), "difference, 95%", "", box=None)
    for one in verdict.comparisons:
        gain = f"{one.after - one.before:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
        table.add_row(escape(one.set), str(one.questions), f"{one.before:.3f}", f"{one.after:.3f}", gain, one.word)
    console.print(table)
    console.print(verdict.summary, markup=False)


def _tell(verdict: "Verdict") -> dict[str, object]:
    return verdict.model_dump(mode="json") | {"passed": verdict.passed, "is_promoted": verdict.is_promoted}


def _draw(folder: "RunFolder") -> None:
    from tandem.tuning.loss_curve import draw_losses
    from tandem.tuning.run import read_progress

    folder.curve.write_text(draw_losses(folder.name, read_progress(folder.path)))


def _progress(as_json: bool) -> Progress:
    told = TextColumn("{task.fields[told]}", markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), told)
    return Progress(*columns, console=Console(stderr=True), disable=as_json, transient=True)


def _describe_left(seconds: float) -> str:
    return f"{round(seconds)} s" if seconds < 90 else f"{round(seconds / 60)} min"
