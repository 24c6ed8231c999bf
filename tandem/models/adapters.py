"""The registry of adapters: what each is, where it comes from, and the files that serve.

A folder in the home holds a card for each name and the files by their digest. A card is replaced in one step, so
whoever reads the folder finds the old adapter or the new one, and a file is never changed under a server that reads it.
"""

import re
import shutil
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.errors import WeightsError
from tandem.models import gguf
from tandem.models.endpoint import IN_SERVICE, PACKAGED_ADAPTER
from tandem.models.lora import write_serving_form
from tandem.models.promotions import Promotions
from tandem.models.snapshot import Snapshot
from tandem.models.weights import digest_of, replace_with, write_text
from tandem.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Card(BaseModel):
    """What is known of an adapter. `base_digest` is the SHA-256 of the weights file that it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    base: str
    base_digest: str
    licence: str = "unknown"
    trained_at: datetime | None = None
    snapshot: Snapshot | None = None
    before: str | None = None
    """The adapter that its training went on from."""
    text: str = ""
    """Data, seeds, figures and limits, in Markdown."""
    added_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class Adapters:
    def __init__(self, settings: Settings) -> None:
        self.folder = settings.home / "models" / "adapters"
        self.promotions = Promotions(self.folder)

    def cards(self) -> list[Card]:
        """By name. Raises WeightsError for a card that cannot be read."""
        return [_read(path) for path in sorted(self.folder.glob("*.json"))]

    def card(self, name: str) -> Card:
        """Raises WeightsError if there is none of that name."""
        path = self.folder / f"{name}.json"
        if not NAME.fullmatch(name) or not path.exists():
            raise WeightsError(f"There is no adapter '{name}'.", remedy=f"There are: {self._names() or 'none'}.")
        return _read(path)

    def changed_at(self) -> int:
        """A number that grows with every change of the registry."""
        return self.folder.stat().st_mtime_ns if self.folder.is_dir() else 0

    def file(self, card: Card, *, on_gpu: bool) -> Path:
        """The file that serves: on a CPU the one that is exact in company (lora.py), else the one that was given."""
        return self.folder / (f"{card.digest}.gguf" if on_gpu else f"{card.digest}.serving.gguf")

    def in_service(self, base_digest: str) -> Card | None:
        """What answers on this base when nothing is said: the newest promotion that fits it, else the packaged one."""
        known = {(card.name, card.digest): card for card in self.cards() if card.base_digest == base_digest}
        promoted = (known.get((one.adapter, one.digest)) for one in reversed(self.promotions.read()))
        packaged = (card for card in known.values() if card.name == PACKAGED_ADAPTER)
        return next((card for card in promoted if card), None) or next(packaged, None)

    def add(self, source: Path, card: Card) -> Card:
        """Copies the file in and writes its card; an adapter of the same name is replaced, unless it was promoted or
        comes with Tandem: what is in service changes through the gate alone. Returns the card with the file's digest.
        Raises WeightsError, and changes nothing then."""
        if not NAME.fullmatch(card.name) or card.name in (IN_SERVICE, PACKAGED_ADAPTER):
            raise WeightsError(
                f"'{card.name}' is no name for an adapter of yours.",
                remedy="Use letters, digits, dots, dashes and underscores;"
                f" '{IN_SERVICE}' means what is in service, '{PACKAGED_ADAPTER}' what comes with Tandem.",
            )
        return self._add(source, card)

    def _add(self, source: Path, card: Card) -> Card:
        gguf.read_header(source)
        self.folder.mkdir(parents=True, exist_ok=True)
        card = card.model_copy(update={"digest": digest_of(source, self.folder.parent)})
        if any(one.adapter == card.name and one.digest != card.digest for one in self.promotions.read()):
            raise WeightsError(f"The adapter '{card.name}' was promoted.", remedy="Add it under another name.")
        replace_with(self.file(card, on_gpu=False), lambda partial: write_serving_form(source, partial))
        replace_with(self.file(card, on_gpu=True), lambda partial: _copy(source, partial))
        text = card.model_dump_json(indent=2)
        replace_with(self.folder / f"{card.name}.json", lambda partial: write_text(partial, text))
        return card

    def install_packaged(self) -> None:
        """Registers the adapter that comes with Tandem, if one does and it is not there yet."""
        folder = resources.files("tandem.models")
        with (
            resources.as_file(folder / f"{PACKAGED_ADAPTER}.json") as path,
            resources.as_file(folder / f"{PACKAGED_ADAPTER}.gguf") as source,
        ):
            if not path.exists() or not source.exists():
                return
            card, installed = _read(path), self.folder / path.name
            if not installed.exists() or _read(installed).digest != digest_of(source, self.folder.parent):
                self._add(source, card)

    def remove(self, name: str) -> None:
        """A server that has it loaded drops it with the last answer under it. Raises WeightsError if there is none, or
        if it was promoted."""
        card = self.card(name)
        if any(one.adapter == name for one in self.promotions.read()):
            raise WeightsError(
                f"The adapter '{name}' was promoted.", remedy="Take that back first with `tandem model rollback`."
            )
        (self.folder / f"{name}.json").unlink()
        if card.digest not in {other.digest for other in self.cards()}:
            for on_gpu in (True, False):
                self.file(card, on_gpu=on_gpu).unlink(missing_ok=True)

    def _names(self) -> str:
        return ", ".join(path.stem for path in sorted(self.folder.glob("*.json")))


def _read(path: Path) -> Card:
    try:
        return Card.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        raise WeightsError(f"The card {path} cannot be read.", remedy="Add the adapter again.") from error


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
