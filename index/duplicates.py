"""Duplicates: passages that say the same count as one hit.

The same means almost all words, whatever their order and marks; a number or a "not" more or less makes a difference.
The cosine cannot tell: steps for the middle and for the end of the year lie nearer to each other (0.97) than copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from psycopg.rows import DictRow

from index.analyser import split_words

SAME = 0.95
"""Of all words that two passages have, those that both have."""
AS_GOOD = 0.01
"""How much lower the newer of two may score to be the one that is kept."""
_NEGATIONS = frozenset(["no", "not", "never", "none", "neither", "nor", "without", "except", "cannot"])


@dataclass(frozen=True)
class _Found:
    row: DictRow

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(split_words(f"{self.row['title']} {self.row['heading']} {self.row['text']}"))

    @property
    def changed_at(self) -> datetime:
        return self.row["changed_at"] or self.row["indexed_at"]  # type: ignore[no-any-return]


def fold_duplicates(rows: Sequence[DictRow], k: int) -> list[DictRow]:
    """The k best that say different things, given all of them with their best first.

    Of two that say the same the better stays, or the one that changed later where it is as good, in the better's place.
    """
    kept: list[_Found] = []
    for found in map(_Found, rows):
        place = next((place for place, other in enumerate(kept) if _say_the_same(found, other)), None)
        if place is None:
            if len(kept) == k:
                break
            kept.append(found)
        elif _is_newer(found, kept[place]):
            kept[place] = _Found(found.row | {"score": kept[place].row["score"]})
    return [found.row for found in kept]


def _is_newer(found: _Found, kept: _Found) -> bool:
    return found.row["score"] >= kept.row["score"] - AS_GOOD and found.changed_at > kept.changed_at


def _say_the_same(one: _Found, other: _Found) -> bool:
    few, many = sorted((len(one.words), len(other.words)))
    if few < SAME * many:
        return False
    if len(one.words & other.words) < SAME * len(one.words | other.words):
        return False
    return not any(_matters(word) for word in one.words ^ other.words)


def _matters(word: str) -> bool:
    return word in _NEGATIONS or word.endswith(("n't", "n’t")) or any(map(str.isdigit, word))
