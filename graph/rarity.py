"""Rarity: how seldom a word is in English. A small model hardly knows what such words name."""

import math
import re
from functools import cache
from importlib import resources

RAREST = 1.0
_WORD = re.compile(r"[^\W\d_]{3,}")
_CONTRACTION = re.compile(r"n?['’]\w+")


def weigh_rarity(word: str) -> float:
    """0 for the most frequent English word, RAREST for one beyond the ten thousand most frequent: its rank's log."""
    ranks = _read_ranks()
    return math.log(ranks.get(word.lower(), len(ranks) + 1)) / math.log(len(ranks) + 1)


def find_rarest(text: str) -> float:
    """The rarity of its rarest word; 0 where it has none."""
    return max(map(weigh_rarity, _WORD.findall(_CONTRACTION.sub("", text))), default=0.0)


@cache
def _read_ranks() -> dict[str, int]:
    """The whole words of BERT's vocabulary (Devlin et al., 2019; Apache-2.0), which is in this order."""
    words = resources.files("graph").joinpath("frequent_words.txt").read_text(encoding="utf-8").split()
    return {word: rank for rank, word in enumerate(words, 1)}
