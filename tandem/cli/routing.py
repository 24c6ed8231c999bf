"""`tandem routing`: how the choice between model and documents learns, what it was worth, and the way back."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, open_database, open_model, operator, run

if TYPE_CHECKING:
    from graph.learning.night import Outcome
    from graph.routing.fits import FitRecord
    from tandem.settings import Settings

commands = typer.Typer(
    help="The choice between model and documents: teach it, see its fits, take one back.", no_args_is_help=True
)


@commands.command("learn")
def learn() -> None:
    """Grade tonight's questions on both routes now, fit the choice again, and put the fit through the gate."""
    settings = begin("routing", quiet=True)
    graded, outcome = run(_learn(settings))
    console = Console(highlight=False)
    console.print(f"{graded} {'question' if graded == 1 else 'questions'} graded on both routes.")
    if outcome is None:
        console.print("Nothing new is graded, so the choice stays as it is.")
    elif outcome.fit_id is None:
        console.print(f"No fit yet: {outcome.reason}.", markup=False)
    else:
        verdict = "in service" if outcome.passed else "kept, but not in service"
        console.print(f"Fit {outcome.fit_id} is {verdict}: {outcome.reason}.", markup=False)


@commands.command("list")
def list_(as_json: AsJson = False) -> None:
    """The fits, the newest first, with what the gate saw."""
    fits = run(_list(begin("routing", quiet=True)))
    if as_json:
        print(json.dumps([_describe(fit) for fit in fits]))
        return
    console = Console(highlight=False)
    if not fits:
        console.print("Nothing was fitted yet: the built-in rules decide. `tandem routing learn` grades questions.")
        return
    serving = max((fit for fit in fits if fit.promoted_at), key=lambda fit: (fit.promoted_at, fit.id), default=None)
    table = Table("fit", "made", "questions", "worth", "against", "the gate", "in service", box=None)
    for fit in fits:
        report, difference = fit.report, fit.report["difference"]
        table.add_row(
            str(fit.id),
            f"{fit.made_at:%Y-%m-%d %H:%M}",
            str(report["questions"]),
            f"{report['worth']['new']:.2f} ({difference['mean']:+.2f}, {difference['low']:+.2f} at least)",
            report["against"],
            "passed" if fit.passed else "refused",
            f"now, by {fit.promoted_by}" if fit is serving else "before" if fit.promoted_at else "",
        )
    console.print(table)
    console.print("Worth: 1 for a right answer, 0 for none, less for a wrong one and for its tokens.", style="dim")


@commands.command("promote")
def promote(fit: Annotated[int, typer.Argument(help="The number of a kept fit.")]) -> None:
    """Put a kept fit in service, whatever the gate said of it."""
    run(_promote(begin("routing", quiet=True), fit))
    print(f"Fit {fit} is in service; bots take it up within half a minute.")


@commands.command("rollback")
def rollback() -> None:
    """Take the fit in service out of it; the one before decides again."""
    before = run(_roll_back(begin("routing", quiet=True)))
    print(f"Fit {before} is in service again." if before else "The built-in rules decide again.")


@commands.command("clashes")
def clashes() -> None:
    """Where the weights say something else than a document that changed after their training."""
    found = run(_list_clashes(begin("routing", quiet=True)))
    console = Console(highlight=False)
    for clash in found:
        console.print(str(clash["question"]), style="bold", markup=False)
        console.print(f"  from memory:   {clash['from_memory']}", markup=False)
        console.print(f"  {clash['uri']} says: {clash['from_documents']}", markup=False)
    if not found:
        console.print("None: nothing that the model was trained on is known to have changed since.")


async def _learn(settings: "Settings") -> "tuple[int, Outcome | None]":
    from graph.learning.night import grade_next, refit_if_due

    async with open_database(settings) as database, open_model(settings) as model:
        graded = 0
        with Console(stderr=True).status("Answering questions on both routes"):
            while await grade_next(database, model, settings):
                graded += 1
            return graded, await refit_if_due(database, model, settings)


async def _list(settings: "Settings") -> "list[FitRecord]":
    from graph.routing.fits import list_fits

    async with open_database(settings) as database:
        return await list_fits(database)


async def _promote(settings: "Settings", fit: int) -> None:
    from graph.routing.fits import promote_fit

    async with open_database(settings) as database:
        await promote_fit(database, fit, by=operator())


async def _roll_back(settings: "Settings") -> int | None:
    from graph.routing.fits import roll_back

    async with open_database(settings) as database:
        return await roll_back(database)


async def _list_clashes(settings: "Settings") -> list[dict[str, object]]:
    from graph.learning.night import list_clashes

    async with open_database(settings) as database:
        return await list_clashes(database)


def _describe(fit: "FitRecord") -> dict[str, object]:
    """The contract of `tandem routing list --json`."""
    return {
        "id": fit.id,
        "passed": fit.passed,
        "adapter": fit.adapter,
        "made_at": fit.made_at.isoformat(),
        "promoted_at": fit.promoted_at.isoformat() if fit.promoted_at else None,
        "promoted_by": fit.promoted_by,
        "report": dict(fit.report),
    }
