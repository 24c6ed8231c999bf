"""How documents stand: `tandem source set`, `show`, `failures`, and what a person rules on one of them."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, open_database, operator, run
from tandem.errors import SourceError

if TYPE_CHECKING:
    from index.reviews import Ruling
    from index.standing import Failure, Standing
    from tandem.db.pool import Database
    from tandem.settings import Settings

NONE = "none"
commands = typer.Typer(help="Commands that `tandem source` has too.")
Name = Annotated[str, typer.Argument(help="The source's name.")]
Path = Annotated[str, typer.Argument(help="The document's path in it, as `tandem source show` has it.")]


@commands.command("set")
def set_terms(
    name: Name,
    owner: Annotated[str | None, typer.Option(help="Who is told of reviews: `slack:U123`, `discord:123`.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of documents that state none.")] = None,
    expires_at: Annotated[str | None, typer.Option(help="A date; from then on nothing of it is found.")] = None,
    review_by: Annotated[str | None, typer.Option(help="A date; from then on it is said to be due for review.")] = None,
) -> None:
    """Set what holds for a source's documents that do not say otherwise; `none` takes it back."""
    given = {"owner": owner, "licence": licence, "expires_at": expires_at, "review_by": review_by}
    run(_set({key: value.strip() for key, value in given.items() if value is not None}, name))


async def _set(given: dict[str, str], name: str) -> None:
    from index.jobs import enqueue_look
    from index.sources import Terms, set_terms

    if not given:
        raise SourceError("Nothing is to be set.", remedy="Name a term, such as --owner slack:U123.")
    terms = Terms(
        owner=_read(given.get("owner")),
        licence=_read(given.get("licence")),
        expires_at=_read_time(given.get("expires_at")),
        review_by=_read_time(given.get("review_by")),
    )
    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        source = await set_terms(database, settings, name, terms, given.keys(), set_by=operator())
        if "licence" in given:  # documents may be refused now, or no longer
            await enqueue_look(database, settings, source, requested_by=operator())
    Console(highlight=False).print(f"{name}: {', '.join(sorted(given))} set.", markup=False)


def _read(value: str | None) -> str | None:
    return None if value in (None, "", NONE) else value


def _read_time(value: str | None) -> datetime | None:
    from index.front_matter import read_time

    if _read(value) is None:
        return None
    if (moment := read_time(value)) is None:
        raise SourceError(f"{value} is no date.", remedy="Write it as 2027-01-31, or `none`.")
    return moment


@commands.command("show")
def show(name: Name, as_json: AsJson = False) -> None:
    """Show each document of a source: its terms, and how fresh it is."""
    run(_show(name, as_json))


async def _show(name: str, as_json: bool) -> None:
    from index.sources import list_statuses
    from index.standing import list_standings

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        status = next((found for found in await list_statuses(database) if found.source.name == name), None)
        if status is None:
            raise SourceError(f"There is no source {name}.")
        documents = await list_standings(database, status.source.id)
    if as_json:
        print(json.dumps(asdict(status) | {"contents": [asdict(one) for one in documents]}, default=str))
        return
    console, source = Console(highlight=False), status.source
    lines = (
        ("origin", f"{source.kind} {source.location}"),
        ("seen by", f"{source.audience} in {source.workspace}"),
        ("added", f"{_moment(status.added_at)} by {status.added_by}"),
        ("owner", status.owner or "-"),
        ("licence", status.licence or "-"),
        ("expires", _moment(status.expires_at)),
        ("review by", _moment(status.review_by)),
    )
    for label, value in lines:
        console.print(f"{label:<10} {value}", markup=False)
    table = Table("document", "state", "owner", "licence", "changed", "noticed", "searchable", "lag", "ends", box=None)
    for document in documents:
        table.add_row(*_row(document))
    console.print(table)


def _row(document: "Standing") -> tuple[str, ...]:
    from bots.rendering import describe_lag

    ends = [f"expires {_moment(document.expires_at)}"] if document.expires_at else []
    ends += [f"review {'due ' if document.is_due else ''}{_moment(document.review_by)}"] if document.review_by else []
    moments = (document.changed_at, document.noticed_at, document.searchable_at)
    return (
        document.path,
        document.state,
        document.owner or "-",
        document.licence or "-",
        *(_moment(moment) for moment in moments),
        "-" if document.lag_s is None else describe_lag(document.lag_s),
        ", ".join(ends),
    )


@commands.command("failures")
def failures(
    name: Annotated[str | None, typer.Argument(help="One source; all of them by default.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Ask for a look at each source that is named here.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what could not be indexed, each with its reason; and have it tried again."""
    run(_failures(name, retry, as_json))


async def _failures(name: str | None, retry: bool, as_json: bool) -> None:
    from index.sources import find_source
    from index.standing import list_failures

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        if name is not None:
            await find_source(database, name)
        found = await list_failures(database, name)
        if retry:
            await _retry(database, settings, found)
    if as_json:
        print(json.dumps([asdict(failure) for failure in found], default=str))
        return
    console = Console(highlight=False)
    for failure in found:
        place = f"{failure.source}: {failure.path}" if failure.path else f"{failure.source} (the source itself)"
        console.print(f"{place}  {_moment(failure.failed_at)}", style="bold", markup=False, soft_wrap=True)
        console.print(f"    {failure.reason}", style="yellow", markup=False, soft_wrap=True)
    if not found:
        console.print("Nothing has failed.")
    elif retry:
        console.print("Queued. A worker tries them again; `tandem source failures` then says how it went.")
    else:
        console.print("Put them right, or try them again as they are with `--retry`.", style="dim")


async def _retry(database: "Database", settings: "Settings", found: "list[Failure]") -> None:
    from index.jobs import enqueue_look
    from index.sources import find_source

    for source in sorted({failure.source for failure in found}):
        await enqueue_look(database, settings, await find_source(database, source), requested_by=operator())


@commands.command("confirm")
def confirm(name: Name, path: Annotated[str | None, typer.Argument(help="All of it by default.")] = None) -> None:
    """Say that a document, or a source, is still valid: its next review comes TANDEM_REVIEW_DAYS later."""
    run(_confirm_source(name) if path is None else _rule(name, path, "confirm", "Confirmed."))


async def _confirm_source(name: str) -> None:
    from index.reviews import rule_on_source

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        confirmed = await rule_on_source(database, settings, name, "confirm", by=operator())
    print("Confirmed." if confirmed else "The source itself is not due for review.")


@commands.command("retire")
def retire(name: Name, path: Path) -> None:
    """Take a document out of search, and keep it out though its source still has it."""
    run(_rule(name, path, "retire", "Retired; `tandem source restore` takes that back."))


@commands.command("restore")
def restore(name: Name, path: Path) -> None:
    """Let a retired document be indexed again."""
    run(_rule(name, path, "restore", "Restored; the look that was queued reads it."))


async def _rule(name: str, path: str, ruling: "Ruling", said: str) -> None:
    from index.reviews import find_document, rule_on_document

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        document = await find_document(database, name, path)
        await rule_on_document(database, settings, document, ruling, by=operator())
    print(said)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"
