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
    audience: Audience = None,
    as_json: AsJson = False,
) -> None:
    """Search the documents and show the passages with their scores."""
    run(_search(query, k, audience, as_json))


async def _search(query: str, k: int, audience: list[str] | None, as_json: bool) -> None:
    from index.search import search as search_index

    settings = begin("search", quiet=True)
    async with open_database(settings) as database, open_model(settings) as model:
        found = await search_index(database, model, query, terminal_viewer(audience), k=k)
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
