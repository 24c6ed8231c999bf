"""The adapter that ships has the card that docs/reader.md shows: its figures and its limits, and no earlier draft."""

from importlib import resources
from pathlib import Path

import pytest

from tandem.models.adapters import Card
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.settings import Settings
from tandem.tuning.examples import TuningError
from tandem.tuning.manners.shipping import SECTIONS, ship
from tests.models.lora_files import write_adapter

TEXT = (Path(__file__).parents[2] / "docs" / "reader.md").read_text(encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", _env_file=None)


def test_the_card_that_ships_is_the_page_that_people_read() -> None:
    card = resources.files("tandem.models").joinpath(f"{PACKAGED_ADAPTER}.json").read_text(encoding="utf-8")
    assert Card.model_validate_json(card).text == TEXT


@pytest.mark.parametrize("section", SECTIONS)
def test_a_card_without_a_section_is_refused_and_nothing_is_shipped(
    settings: Settings, tmp_path: Path, section: str
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(TuningError, match=f"lacks {section}"):
        ship(settings, write_adapter(tmp_path / "1.gguf", 1), TEXT.replace(section, "## Notes"), folder)
    assert list(folder.iterdir()) == []


def test_an_adapter_is_shipped_before_its_figures_are_known_and_its_card_after(
    settings: Settings, tmp_path: Path
) -> None:
    folder, adapter = tmp_path / "models", write_adapter(tmp_path / "1.gguf", 1)
    folder.mkdir()
    for text in (None, TEXT):
        card = ship(settings, adapter, text, folder)
        assert (folder / f"{PACKAGED_ADAPTER}.gguf").read_bytes() == adapter.read_bytes()
        assert Card.model_validate_json((folder / f"{PACKAGED_ADAPTER}.json").read_text()) == card
        assert card.text == (text or "")
