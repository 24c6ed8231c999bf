"""Shipping: a trained adapter becomes the one that comes with Tandem.

`python -m tandem.tuning.manners.shipping ADAPTER.gguf` puts it beside the code that serves it, so that the bar is
fitted and the figures are taken with it in service; once these stand in docs/reader.md, `… ADAPTER.gguf docs/reader.md`
writes the card.
"""

import shutil
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from tandem.models.adapters import Card
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.models.weights import describe_weights, digest_of
from tandem.settings import Settings, read_settings
from tandem.tuning.examples import TuningError

LICENCE = "CC-BY-SA-4.0"
"""The strictest of its data's."""
SECTIONS = ("## Data and licences", "## Figures", "## Limits")
"""What the card's text must have."""


def ship(settings: Settings, adapter: Path, text: str | None, folder: Path) -> Card:
    """Without a text, the card says nothing yet. Raises TuningError when a section of the text is missing, WeightsError
    when the base cannot be found, and changes nothing then."""
    lines = text.splitlines() if text is not None else SECTIONS
    if missing := [section for section in SECTIONS if section not in lines]:
        raise TuningError(
            f"The card's text lacks {', '.join(missing)}.", remedy="Measure first, and write what was seen."
        )
    base = describe_weights(settings)
    card = Card(
        name=PACKAGED_ADAPTER,
        digest=digest_of(adapter, settings.home / "models"),
        base=base["name"],
        base_digest=base["digest"],
        licence=LICENCE,
        trained_at=datetime.fromtimestamp(adapter.stat().st_mtime, UTC),
        text=text or "",
    )
    shutil.copyfile(adapter, folder / f"{PACKAGED_ADAPTER}.gguf")
    (folder / f"{PACKAGED_ADAPTER}.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def main(
    adapter: Annotated[Path, typer.Argument(help="As the trainer left it.")],
    text: Annotated[
        Path | None,
        typer.Argument(help="Its card's text: data, licences, seeds, figures, limits. Without it, none yet."),
    ] = None,
) -> None:
    told = text.read_text(encoding="utf-8") if text else None
    with resources.as_file(resources.files("tandem.models")) as folder:
        card = ship(read_settings(), adapter, told, folder)
    print(f"{card.name} {card.digest[:12]} on {card.base}")


if __name__ == "__main__":
    typer.run(main)
