"""Shipping: a trained adapter becomes the one that comes with Tandem.

`python -m tandem.tuning.manners.shipping ADAPTER.gguf docs/reader.md` puts it beside the code that serves it.
"""

import shutil
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from tandem.models.adapters import PACKAGED, Card
from tandem.models.weights import describe_weights, digest_of
from tandem.settings import Settings, read_settings

LICENCE = "CC-BY-SA-4.0"
"""The strictest of its data's."""


def ship(settings: Settings, adapter: Path, text: str, folder: Path) -> Card:
    """Raises WeightsError when the base cannot be found."""
    base = describe_weights(settings)
    card = Card(
        name=PACKAGED,
        digest=digest_of(adapter, settings.home / "models"),
        base=base["name"],
        base_digest=base["digest"],
        licence=LICENCE,
        trained_at=datetime.fromtimestamp(adapter.stat().st_mtime, UTC),
        text=text,
    )
    shutil.copyfile(adapter, folder / f"{PACKAGED}.gguf")
    (folder / f"{PACKAGED}.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def main(
    adapter: Annotated[Path, typer.Argument(help="As the trainer left it.")],
    text: Annotated[Path, typer.Argument(help="Its card's text: data, licences, seeds, figures, limits.")],
) -> None:
    with resources.as_file(resources.files("tandem.models")) as folder:
        card = ship(read_settings(), adapter, text.read_text(encoding="utf-8"), folder)
    print(f"{card.name} {card.digest[:12]} on {card.base}")


if __name__ == "__main__":
    typer.run(main)
