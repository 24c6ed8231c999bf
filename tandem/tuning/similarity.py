"""Texts that say nearly the same: pairs whose sets of terms overlap by more than a share."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from index.analyser import count_terms, split_words

NEAR = 0.8
"""Jaccard similarity from which two texts are near-duplicates."""
FEWEST_TERMS = 4


@dataclass(frozen=True)
class Pair:
    """Positions in the two lists, and the share of terms that both have (0 to 1)."""

    left: int
    right: int
    similarity: float


def normalise(text: str) -> str:
    """The words alone: without case, accents, punctuation and spacing."""
    return " ".join(split_words(text))


def find_pairs(texts: Sequence[str], *, fewest: int = FEWEST_TERMS) -> Iterator[Pair]:
    """Every near-duplicate pair of one list, once, with `left` < `right`. Texts of less than `fewest` terms are alike
    only when they are the same, word for word."""
    terms = [_terms(text, fewest) for text in texts]
    for pair in _join(terms, terms):
        if pair.left < pair.right:
            yield pair


def find_matches(texts: Sequence[str], others: Sequence[str]) -> Iterator[Pair]:
    """Every near-duplicate pair between two lists."""
    return _join([_terms(text) for text in texts], [_terms(text) for text in others])


def _terms(text: str, fewest: int = FEWEST_TERMS) -> frozenset[str | int]:
    found = frozenset(count_terms(text))
    return found if len(found) >= fewest else frozenset({normalise(text)})


def _join(left: Sequence[Collection[str | int]], right: Sequence[Collection[str | int]]) -> Iterator[Pair]:
    """Exact, by prefix filtering (Bayardo, Ma, Srikant 2007): two sets that overlap so far share one of the rarest
    terms of each, so only those that do are compared."""
    rarity = Counter(term for terms in (*left, *right) for term in terms)
    holders: dict[str | int, list[int]] = defaultdict(list)
    for at, terms in enumerate(right):
        for term in _rarest(terms, rarity):
            holders[term].append(at)
    for at, terms in enumerate(left):
        known = frozenset(terms)
        for other in sorted({other for term in _rarest(terms, rarity) for other in holders[term]}):
            shared = len(known.intersection(right[other]))
            similarity = shared / (len(known) + len(right[other]) - shared)
            if similarity >= NEAR:
                yield Pair(at, other, similarity)


def _rarest(terms: Collection[str | int], rarity: Counter[str | int]) -> list[str | int]:
    ordered = sorted(terms, key=lambda term: (rarity[term], str(term)))
    return ordered[: len(ordered) - math.ceil(NEAR * len(ordered)) + 1]
