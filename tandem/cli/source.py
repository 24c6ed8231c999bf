"""`tandem source` and `tandem reindex`: what is known, and the wish to look at it again."""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tandem.cancelling import end_tasks
from tandem.cli.workplace import AsJson, begin, open_database, open_model, operator, run
from tandem.errors import SourceError

if TYPE_CHECKING:
    from index.jobs import LookProgress
    from index.sources import Source
    from tandem.db.pool import Database
    from tandem.settings import Settings

CANCELLED = {"cancelled": "It was cancelled; what is indexed stays."}
POLL_S = 0.25
commands = typer.Typer(help="Knowledge sources: add, list, remove.", no_args_is_help=True)


@commands.command("add")
def add(
    location: Annotated[str, typer.Argument(help="A folder, a git repository, …: see docs/sources.md.")],
    name: Annotated[str | None, typer.Option(help="Its name; the location's own by default.")] = None,
    kind: Annotated[str | None, typer.Option(help="What the location is, where that is not plain.")] = None,
    branch: Annotated[str | None, typer.Option(help="Of a git repository; its own default otherwise.")] = None,
    pages: Annotated[int | None, typer.Option(min=1, help="Of a web site: how many at most; 1,000 otherwise.")] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="A web site may be on a private address, such as an intranet's.")
    ] = False,
    audience: Annotated[
        str | None,
        typer.Option(help="Who may see it: `everyone`, or a name such as `slack:C123`. A chat channel: itself alone."),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option(help="Where it may be seen: `*`, or one such as `slack:T123`; of a channel: its own.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who is told of reviews: `slack:U123`, `discord:123`.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of documents that state none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a source; `tandem reindex` then reads it."""
    options = {"branch": branch, "pages": pages, "allow_private": allow_private}
    terms = {"owner": owner, "licence": licence}
    given = {key: value.strip() for key, value in terms.items() if value and value.strip()}
    run(_add(as_json, given, location, name=name, kind=kind, options=options, audience=audience, workspace=workspace))


async def _add(as_json: bool, given: dict[str, str], location: str, **described: Any) -> None:
    from index.connectors.channels import locate_channel
    from index.licences import check_source_licence
    from index.sources import Terms, add_source, set_terms

    settings = begin("source", quiet=True)
    check_source_licence(settings, given.get("licence"))
    location = await locate_channel(location, settings)
    async with open_database(settings) as database:
        source = await add_source(database, location, added_by=operator(), **described)
        if given:
            terms = Terms(owner=given.get("owner"), licence=given.get("licence"))
            await set_terms(database, settings, source.name, terms, given.keys(), set_by=operator())
    if as_json:
        print(json.dumps(asdict(source)))
    else:
        Console(highlight=False).print(
            f"Source {source.name}: {source.location}\nRead it with `tandem reindex {source.name} --wait`.",
            markup=False,
        )
        if settings.allowed_licences and "licence" not in given:
            print("It has no licence: each of its documents is refused that does not state an allowed one.")


@commands.command("upload")
def upload(
    files: Annotated[list[Path], typer.Argument(help="Files; one that was uploaded before is replaced.")],
    source: Annotated[str, typer.Option(help="The source that they belong to; it is added if need be.")] = "uploads",
    remove: Annotated[bool, typer.Option("--remove", help="Take files of these names out again.")] = False,
) -> None:
    """Upload files into the database, where every worker can read them."""
    run(_upload(files, source, remove))


async def _upload(files: list[Path], name: str, remove: bool) -> None:
    from index.jobs import enqueue_look
    from index.sources import add_source, find_source, list_sources
    from index.uploads import KIND, put_uploads, read_file, remove_uploads

    settings = begin("source", quiet=True)
    read = [] if remove else [(file.name, read_file(file)) for file in files]
    async with open_database(settings) as database:
        if remove:
            source = await find_source(database, name)
            await remove_uploads(database, source, [file.name for file in files], actor=operator())
        else:
            known = await list_sources(database)
            source = next((s for s in known if s.name == name), None) or await add_source(
                database, "", name=name, kind=KIND, added_by=operator()
            )
            await put_uploads(database, source, read, actor=operator())
        await enqueue_look(database, settings, source, requested_by=operator(), accept_removals=remove)
    Console(highlight=False).print(
        f"{'Removed' if remove else 'Uploaded'} {len(files)}. A worker re-indexes {name} in the background;"
        f" `tandem reindex {name} --wait` does it now.",
        markup=False,
        soft_wrap=True,
    )


@commands.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the sources with what is indexed of each."""
    run(_list(as_json))


async def _list(as_json: bool) -> None:
    from bots.rendering import describe_lag
    from bots.rendering import describe_look as tell_look
    from index.jobs import read_look
    from index.sources import list_statuses

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        found = await list_statuses(database)
        running = {
            status.look_id: await read_look(database, status.look_id)
            for status in found
            if status.look_id and status.last_look_state == "running"
        }
    if as_json:
        rows = [
            asdict(status) | {"progress": asdict(look) if (look := running.get(status.look_id or 0)) else None}
            for status in found
        ]
        print(json.dumps(rows, default=str))
        return
    console = Console(highlight=False)
    if not found:
        console.print("No sources yet. Add one with `tandem source add PATH`.")
        return
    table = Table(
        "name", "location", "audience", "documents", "passages", "failed", "due", "lag", "last look", box=None
    )
    for status in found:
        source, moment = status.source, status.last_look_at
        looked = f"{moment:%Y-%m-%d %H:%M} {status.last_look_state}" if moment else "never"
        counts = (str(status.documents), str(status.chunks), str(status.failed), str(status.due))
        lags = [describe_lag(lag) for lag in (status.lag_p50_s, status.lag_p95_s) if lag is not None]
        table.add_row(source.name, source.location, source.audience, *counts, " / ".join(lags) or "-", looked)
    console.print(table)
    if any(status.lag_p50_s is not None for status in found):
        console.print("lag: from a change until it could be found, p50 / p95", style="dim")
    for status in found:
        if look := running.get(status.look_id or 0):
            console.print(tell_look(look).replace("`", ""), markup=False)
        for failure in status.failures:
            console.print(f"{status.source.name}: {failure}", style="yellow", markup=False)


@commands.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The source's name.")]) -> None:
    """Remove a source; its passages are gone at once. The folder itself is not touched."""
    run(_remove(name))


async def _remove(name: str) -> None:
    from index.sources import remove_source

    settings = begin("source", quiet=True)
    async with open_database(settings) as database:
        await remove_source(database, name, removed_by=operator())
    Console(highlight=False).print(f"Removed {name}.", markup=False)


def reindex(
    name: Annotated[str | None, typer.Argument(help="One source; all of them by default.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show a bar until it is done; works without a worker too.")
    ] = False,
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Go on even if most of the source's documents have gone.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="End the look that is under way; what it indexed stays.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at a source again and index what changed."""
    run(_cancel(name, as_json) if cancel else _reindex(name, wait, accept_removals, as_json))


async def _cancel(name: str | None, as_json: bool) -> None:
    from bots.rendering import describe_look as tell_look
    from index.jobs import cancel_look, read_look

    settings = begin("reindex", quiet=True)
    async with open_database(settings) as database:
        sources = await _choose_sources(database, name)
        ended = [await cancel_look(database, source, cancelled_by=operator()) for source in sources]
        looks = [await read_look(database, look) for look in ended if look is not None]
    if as_json:
        print(json.dumps({"looks": [look.id for look in looks], "state": "cancelled"}))
        return
    for look in looks:
        print(tell_look(look).replace("`", ""))
    if not looks:
        print("Nothing is being re-indexed.")


async def _reindex(name: str | None, wait: bool, accept_removals: bool, as_json: bool) -> None:
    from index.jobs import enqueue_look

    settings = begin("reindex", quiet=True)
    async with open_database(settings) as database:
        looks: list[int] = []
        for source in await _choose_sources(database, name):
            looks.append(
                await enqueue_look(database, settings, source, requested_by=operator(), accept_removals=accept_removals)
            )
        if not wait:
            message = {"looks": looks, "state": "queued"}
            text = "Queued. A worker does it in the background (`tandem up` or `tandem worker`); `--wait` does it now."
            print(json.dumps(message) if as_json else text)
            return
        finished = await _finish_looks(database, settings, looks, show=not as_json)
    for progress in finished:
        if as_json:
            print(json.dumps(describe_look(progress)))
        else:
            _print_look(progress)
    if any(progress.state != "done" for progress in finished):
        raise SystemExit(1)


async def _choose_sources(database: "Database", name: str | None) -> "list[Source]":
    from index.sources import list_sources

    known = await list_sources(database)
    chosen = [source for source in known if name in (None, source.name)]
    if not known:
        raise SourceError("There are no sources yet.", remedy="Add one with `tandem source add PATH`.")
    if not chosen:
        names = ", ".join(source.name for source in known)
        raise SourceError(f"There is no source named {name}.", remedy=f"Known sources: {names}.")
    return chosen


async def _finish_looks(
    database: "Database", settings: "Settings", looks: list[int], *, show: bool
) -> "list[LookProgress]":
    """Works on the ledger beside any worker there is, until these looks are done."""
    from bots.rendering import describe_left
    from index.jobs import ENDED, read_look, run_due_jobs

    worker = f"reindex:{os.getpid()}"
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show, transient=True) as bar:
        tasks = {look: bar.add_task("Looking", total=None, left="") for look in looks}

        async def watch() -> "list[LookProgress]":
            while True:
                states = [await read_look(database, look) for look in looks]
                for state in states:
                    bar.update(
                        tasks[state.id],
                        description=state.source,
                        completed=state.done,
                        total=state.total or None,
                        left="" if state.seconds_left is None else describe_left(state.seconds_left),
                    )
                if all(state.state in ENDED for state in states):
                    return states
                await asyncio.sleep(POLL_S)

        async with open_model(settings) as model:

            async def work() -> None:
                while True:
                    if not await run_due_jobs(database, model, settings, worker=worker, may_go_on=lambda: True):
                        await asyncio.sleep(POLL_S)

            working = asyncio.create_task(work())
            watching = asyncio.create_task(watch())
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            await end_tasks(working)
            if not watching.done():
                watching.cancel()
                working.result()  # raises what ended the work
            return await watching


def describe_look(progress: "LookProgress") -> dict[str, object]:
    """The contract of `tandem reindex --wait --json`."""
    return {
        "source": progress.source,
        "documents": asdict(progress.documents),
        "chunks": asdict(progress.chunks),
        "seconds": round(progress.seconds, 3),
    } | ({"error": error} if (error := progress.error or CANCELLED.get(progress.state)) else {})


def _print_look(progress: "LookProgress") -> None:
    console, documents = Console(highlight=False), progress.documents
    console.print(
        f"{progress.source}: {documents.added} added, {documents.changed} changed, {documents.removed} removed,"
        f" {documents.unchanged} unchanged, {documents.failed} failed;"
        f" {progress.chunks.embedded} passages embedded, {progress.chunks.kept} kept; {progress.seconds:.1f} s",
        markup=False,
    )
    for failure in progress.failures:
        console.print(f"  {failure}", style="yellow", markup=False)
    if progress.state in CANCELLED:
        console.print(f"  {CANCELLED[progress.state]}", style="bold red", markup=False)
    if progress.error:
        console.print(f"  {progress.error}", style="bold red", markup=False)
