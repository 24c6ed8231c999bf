"""`tandem search`: the passages that a question finds, without any model answering."""

import json
from typing import Annotated

import typer
from rich.console import Console

from tandem.cli.workplace import AsJson, Audience, begin, open_database, open_model, run, terminal_viewer

SHOWN = 240  # characters of a passage on the terminal


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 10,
    source: Annotated[list[str] | None, typer.Option(help="Of this source alone; may be repeated.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="In this language, such as `de`; may be repeated.")] = None,
    since: Annotated[str | None, typer.Option(help="Of documents that changed then or later: `2024-05`.")] = None,
    audience: Audience = None,
    as_json: AsJson = False,
) -> None:
    """Search the documents and show the passages with their scores."""
    run(_search(query, k, (source or [], language or [], since), audience, as_json))


async def _search(
    query: str, k: int, scope: tuple[list[str], list[str], str | None], audience: list[str] | None, as_json: bool
) -> None:
    from index.filters import read_filters
    from index.search import search as search_index

    settings = begin("search", quiet=True)
    viewer = terminal_viewer(audience)
    sources, languages, since = scope
    async with open_database(settings) as database, open_model(settings) as model:
        filters = await read_filters(database, viewer, sources=sources, languages=languages, since=since)
        found = await search_index(database, model, query, viewer, k=k, filters=filters)
    if as_json:
        rows = [
            {
                "rank": rank,
                "title": hit.title,
                "uri": hit.uri,
                "text": hit.text,
                "score": hit.score,
                "dense": hit.dense,
                "lexical": hit.lexical,
            }
            for rank, hit in enumerate(found.hits, 1)
        ]
        print(json.dumps(rows, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if not found.hits:
        console.print("Nothing found. `tandem source list` shows what is indexed.")
    for rank, hit in enumerate(found.hits, 1):
        heading = f" › {hit.heading}" if hit.heading else ""
        console.print(f"{rank:>2}. {hit.title}{heading}", style="bold", markup=False)
        console.print(
            f"    {hit.score:.3f}  meaning {hit.dense:.3f}  words {hit.lexical:.2f}  {hit.uri}",
            style="dim",
            markup=False,
            soft_wrap=True,
        )
        text = " ".join(hit.text.split())
        console.print(f"    {text[:SHOWN]}{'…' if len(text) > SHOWN else ''}", markup=False)
