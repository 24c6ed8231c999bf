"""The registry keeps what it was given, whole or not at all."""

from pathlib import Path

import pytest

from tandem.errors import WeightsError
from tandem.models.adapters import Adapters, Card
from tandem.settings import Settings
from tests.models.lora_files import write_adapter


@pytest.fixture
def registry(tmp_path: Path) -> Adapters:
    return Adapters(Settings(home=tmp_path / "home", _env_file=None))


def card(name: str = "house", **known: str) -> Card:
    return Card(name=name, digest="", base="SmolLM2", base_digest="b179", **known)


def test_a_card_says_what_the_file_is(registry: Adapters, tmp_path: Path) -> None:
    given = write_adapter(tmp_path / "given.gguf", 1)
    added = registry.add(given, card(licence="Apache-2.0", snapshot="docs at 12", text="# A card"))
    assert registry.cards() == [added]
    assert (added.licence, added.snapshot, added.text) == ("Apache-2.0", "docs at 12", "# A card")
    assert registry.file(added, on_gpu=True).read_bytes() == given.read_bytes()
    assert registry.file(added, on_gpu=False).read_bytes()[:4] == b"GGUF"


def test_a_name_is_replaced_and_the_file_that_served_stays_for_its_reader(registry: Adapters, tmp_path: Path) -> None:
    first = registry.add(write_adapter(tmp_path / "1.gguf", 1), card())
    before = registry.changed_at()
    second = registry.add(write_adapter(tmp_path / "2.gguf", 2), card())
    assert registry.cards() == [second]
    assert registry.changed_at() > before
    assert first.digest != second.digest
    assert registry.file(first, on_gpu=False).exists()


def test_a_file_that_is_no_adapter_changes_nothing(registry: Adapters, tmp_path: Path) -> None:
    kept = registry.add(write_adapter(tmp_path / "1.gguf", 1), card())
    whole = write_adapter(tmp_path / "2.gguf", 2).read_bytes()
    (tmp_path / "short.gguf").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.gguf").write_text("not a model")
    for name in ("short.gguf", "text.gguf", "missing.gguf"):
        with pytest.raises(WeightsError, match=name):
            registry.add(tmp_path / name, card())
    assert registry.cards() == [kept]


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-x", "a" * 65, "has space"])
def test_a_name_is_a_plain_word(registry: Adapters, tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError):
        registry.add(write_adapter(tmp_path / "1.gguf", 1), card(name))
    with pytest.raises(WeightsError):
        registry.remove(name)


def test_files_go_with_the_last_name_that_uses_them(registry: Adapters, tmp_path: Path) -> None:
    given = write_adapter(tmp_path / "1.gguf", 1)
    one, two = registry.add(given, card("one")), registry.add(given, card("two"))
    registry.remove("one")
    assert registry.file(two, on_gpu=False).exists()
    registry.remove("two")
    assert not registry.file(one, on_gpu=False).exists()
    with pytest.raises(WeightsError, match="no adapter 'two'"):
        registry.remove("two")


def test_a_damaged_card_is_named(registry: Adapters) -> None:
    registry.folder.mkdir(parents=True)
    (registry.folder / "house.json").write_text("{")
    with pytest.raises(WeightsError, match=r"house\.json"):
        registry.cards()
