"""The registry keeps what it was given, whole or not at all."""

from pathlib import Path
from typing import Any

import pytest

from tandem.errors import WeightsError
from tandem.models.adapters import Adapters, Card
from tandem.models.promotions import Promotion
from tandem.models.snapshot import SeenDocument, Snapshot
from tandem.settings import Settings
from tests.models.lora_files import write_adapter

SEEN = Snapshot(documents=(SeenDocument(id=3, source="house", path="leave.md", revision="ab"),))


@pytest.fixture
def registry(tmp_path: Path) -> Adapters:
    return Adapters(Settings(home=tmp_path / "home", _env_file=None))


def card(name: str = "house", base_digest: str = "b179", **known: Any) -> Card:
    return Card(name=name, digest="", base="SmolLM2", base_digest=base_digest, **known)


def promote(registry: Adapters, given: Card) -> None:
    registry.promotions.add(Promotion(adapter=given.name, digest=given.digest, by="ann", reason="it is better"))


def test_a_card_says_what_the_file_is(registry: Adapters, tmp_path: Path) -> None:
    given = write_adapter(tmp_path / "given.gguf", 1)
    added = registry.add(given, card(licence="Apache-2.0", snapshot=SEEN, text="# A card"))
    assert registry.cards() == [added]
    assert (added.licence, added.snapshot, added.text) == ("Apache-2.0", SEEN, "# A card")
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


def test_what_comes_with_tandem_is_not_replaced_past_the_gate(registry: Adapters, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'reader' is no name") as refused:
        registry.add(write_adapter(tmp_path / "1.gguf", 1), card("reader"))
    assert "what comes with Tandem" in refused.value.remedy
    assert registry.cards() == []


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


def test_the_newest_promotion_that_fits_the_base_is_in_service_until_it_is_taken_back(
    registry: Adapters, tmp_path: Path
) -> None:
    file = write_adapter(tmp_path / "1.gguf", 1)
    registry.install_packaged()
    [packaged] = registry.cards()
    base = packaged.base_digest
    first, second, foreign = (
        registry.add(file, card(name, on)) for name, on in (("a.1", base), ("a.2", base), ("far", "c000"))
    )
    assert registry.in_service(base) == packaged
    assert registry.in_service("c000") is None
    for one in (first, second, foreign):
        promote(registry, one)
    assert registry.in_service(base) == second
    assert registry.in_service("c000") == foreign
    fitting = frozenset({"reader", "a.1", "a.2"})
    assert registry.promotions.take_back(fitting).adapter == "a.2"
    assert registry.in_service(base) == first
    assert registry.in_service("c000") == foreign
    registry.promotions.take_back(fitting)
    assert registry.in_service(base) == packaged
    with pytest.raises(WeightsError, match="No adapter was promoted"):
        registry.promotions.take_back(fitting)


def test_what_was_promoted_is_neither_replaced_nor_removed(registry: Adapters, tmp_path: Path) -> None:
    first = registry.add(write_adapter(tmp_path / "1.gguf", 1), card())
    promote(registry, first)
    with pytest.raises(WeightsError, match="another name"):
        registry.add(write_adapter(tmp_path / "2.gguf", 2), card())
    with pytest.raises(WeightsError, match="rollback"):
        registry.remove("house")
    assert registry.in_service("b179") == first


def test_no_adapter_takes_the_name_of_what_is_in_service(registry: Adapters, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no name for an adapter"):
        registry.add(write_adapter(tmp_path / "1.gguf", 1), card("tandem"))
