"""`tandem index`: the versions of the index, which of them search reads, and the way back."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, open_database, operator, run

if TYPE_CHECKING:
    from index.versions import IndexVersion

commands = typer.Typer(help="Index versions: list, switch, prune.", no_args_is_help=True)


@commands.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the versions that there are, and what each holds."""
    run(_list(as_json))


async def _list(as_json: bool) -> None:
    from index.versions import list_versions

    settings = begin("index", quiet=True)
    async with open_database(settings) as database:
        versions = await list_versions(database)
    if as_json:
        print(json.dumps([asdict(version) for version in versions], default=str))
        return
    console = Console(highlight=False)
    if not versions:
        console.print("Nothing is indexed yet. Add a source with `tandem source add PATH`.")
        return
    table = Table("version", "", "documents", "missing", "passages", "made", box=None)
    for version in versions:
        marks = _marks(version)
        counts = (str(version.documents), str(version.missing), str(version.chunks))
        table.add_row(str(version.id), ", ".join(marks), *counts, f"{version.created_at:%Y-%m-%d %H:%M}")
    console.print(table)
    common = set.intersection(*(set(_flatten(version.pipeline)) for version in versions))
    for version in versions:
        own = [f"{key}={value}" for key, value in sorted(set(_flatten(version.pipeline)) - common)]
        if own:
            console.print(f"version {version.id}: {', '.join(own)}", markup=False, soft_wrap=True)


def _marks(version: "IndexVersion") -> list[str]:
    marks = [("searched, held by hand" if version.is_held else "searched")] if version.is_current else []
    if version.is_built:
        marks.append("built by looks")
    if not version.documents and not version.is_current:
        marks.append("pruned")
    return marks


def _flatten(pipeline: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in pipeline.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


@commands.command("switch")
def switch(version: Annotated[int, typer.Argument(help="A number from `tandem index list`.")]) -> None:
    """Have search read this version at once."""
    run(_switch(version))


async def _switch(number: int) -> None:
    from index.versions import switch_version

    settings = begin("index", quiet=True)
    async with open_database(settings) as database:
        version = await switch_version(database, number, switched_by=operator())
    print(f"Search reads version {number}.")
    if version.missing:
        print(f"{version.missing} documents are missing from it: they were changed or added since.")
    if not version.is_built:
        print(
            "Looks go on building the version of the pipeline that is set up now; what changes comes back into this one"
            " once its own pipeline is set up again."
        )


@commands.command("prune")
def prune() -> None:
    """Drop the versions that search does not read and looks do not build."""
    run(_prune())


async def _prune() -> None:
    from index.versions import prune_versions

    settings = begin("index", quiet=True)
    async with open_database(settings) as database:
        pruned = await prune_versions(database, pruned_by=operator())
    print(f"Pruned: {', '.join(f'version {number}' for number in pruned)}." if pruned else "There is nothing to prune.")
