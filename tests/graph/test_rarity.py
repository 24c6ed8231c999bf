"""Rarity tells what everybody talks of from what has a rare name."""

import pytest

from graph.rarity import RAREST, find_rarest, weigh_rarity


def test_rarity_follows_frequency() -> None:
    rarities = [weigh_rarity(word) for word in ("the", "team", "brewery", "Huguenots")]
    assert rarities == sorted(rarities)
    assert rarities[0] == 0.0
    assert rarities[-1] == RAREST


@pytest.mark.parametrize(
    ("text", "is_rare"),
    [
        ("What is the capital of France?", False),
        ("Why don't we see the moon by day?", False),
        ("Where did the Huguenots settle?", True),
        ("Wie hoch ist das Tagegeld?", True),
    ],
)
def test_one_rare_word_makes_a_text_rare(text: str, is_rare: bool) -> None:
    assert (find_rarest(text) == RAREST) is is_rare


def test_a_text_without_a_word_has_nothing_rare() -> None:
    assert find_rarest("2 + 2?") == 0.0
