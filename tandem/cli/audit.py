"""`tandem audit`: who added, re-indexed, retired, reviewed, removed or set what."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, open_database, run


def audit(
    limit: Annotated[int, typer.Option("-n", min=1, help="How many entries, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who did what to the sources, their documents and the index."""
    run(_audit(limit, as_json))


async def _audit(limit: int, as_json: bool) -> None:
    from index.audit import list_entries

    settings = begin("audit", quiet=True)
    async with open_database(settings) as database:
        entries = await list_entries(database, limit)
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], default=str))
        return
    table = Table("when", "who", "did", "what", box=None)
    for entry in entries:
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.action, entry.subject)
    Console(highlight=False, markup=False).print(table)
