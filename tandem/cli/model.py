"""`tandem model`: serve the model; and the registry of the weights and adapters that it can serve."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin
from tandem.errors import SettingsError

commands = typer.Typer(
    help="Serve the model and the embedder over OpenAI-compatible HTTP; list, add, remove adapters.",
    invoke_without_command=True,
)


@commands.callback()
def serve(context: typer.Context) -> None:
    if context.invoked_subcommand:
        return
    from tandem.models.server import run as run_model

    run_model(begin("model"))


@commands.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Show the weights that serve and the adapters on them."""
    from tandem.models.adapters import Adapters
    from tandem.models.weights import describe_weights

    settings = begin("model", quiet=True)
    weights, registry = describe_weights(settings), Adapters(settings)
    cards, chosen = registry.cards(), registry.in_service(weights["digest"])
    if as_json:
        adapters = [card.model_dump(mode="json") | {"is_in_service": card == chosen} for card in cards]
        print(json.dumps({"weights": weights, "adapters": adapters}))
        return
    table = Table("name", "sha256", "licence", "base", "documents seen", "", box=None)
    table.add_row(weights["name"], weights["digest"][:12], weights["licence"], "", "", "" if chosen else "in service")
    for card in cards:
        seen = str(len(card.snapshot.documents)) if card.snapshot else ""
        state = "in service" if card == chosen else ""
        table.add_row(card.name, card.digest[:12], card.licence, card.base, seen, state)
    Console(highlight=False).print(table)


@commands.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="A LoRA adapter in GGUF, trained on the weights that serve.")],
    name: Annotated[str, typer.Option(help="What requests call it; one of that name is replaced.")],
    licence: Annotated[str, typer.Option(help="Of the adapter and its data.")] = "unknown",
    snapshot: Annotated[
        Path | None, typer.Option(help="The snapshot.json of its run: which versions of which documents it has seen.")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="A Markdown file: data, seeds, figures, limits.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add an adapter, or replace one. A running server takes it up with its next request."""
    from tandem.models.adapters import Adapters, Card
    from tandem.models.snapshot import Snapshot
    from tandem.models.weights import describe_weights

    settings = begin("model", quiet=True)
    if card is not None and not card.is_file():
        raise SettingsError(f"There is no file {card}.", remedy="Name a Markdown file, or leave --card out.")
    weights = describe_weights(settings)
    known = Card(
        name=name,
        digest="",
        base=weights["name"],
        base_digest=weights["digest"],
        licence=licence,
        snapshot=Snapshot.read(snapshot) if snapshot else None,
        text=card.read_text() if card else "",
    )
    added = Adapters(settings).add(file, known)
    if as_json:
        print(added.model_dump_json())
    else:
        Console(highlight=False).print(f"Adapter {added.name} ({added.digest[:12]}) on {added.base}.", markup=False)


@commands.command("remove")
def remove(name: str) -> None:
    """Remove an adapter; a running server drops it when its last answer is done."""
    from tandem.models.adapters import Adapters

    Adapters(begin("model", quiet=True)).remove(name)
    Console(highlight=False).print(f"Adapter {name} is removed.", markup=False)


@commands.command("rollback")
def roll_back(as_json: AsJson = False) -> None:
    """Take the last promotion back. A running server answers with its next request as it did before."""
    from tandem.models.adapters import Adapters
    from tandem.models.weights import describe_weights

    settings = begin("model", quiet=True)
    registry, base = Adapters(settings), describe_weights(settings)
    fitting = frozenset(card.name for card in registry.cards() if card.base_digest == base["digest"])
    undone = registry.promotions.take_back(fitting)
    now = card.name if (card := registry.in_service(base["digest"])) else None
    if as_json:
        print(json.dumps({"taken_back": undone.adapter, "in_service": now}))
        return
    Console(highlight=False).print(f"{undone.adapter} is out of service; {now or base['name']} answers.", markup=False)
