"""The join by prefixes finds every near-duplicate pair that comparing all pairs finds, and no other."""

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from tandem.tuning.similarity import NEAR, Pair, _terms, find_matches, find_pairs

WORDS = st.sampled_from([f"{first}{last}" for first in ("lam", "bor", "kel") for last in ("pit", "dun", "zar", "mov")])
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=12)


def overlap(left: str, right: str) -> float:
    one, other = _terms(left), _terms(right)
    return len(one & other) / len(one | other)


@given(TEXTS)
def test_every_pair_is_found_once(texts: list[str]) -> None:
    wanted = [
        Pair(one, other, overlap(texts[one], texts[other]))
        for one, other in combinations(range(len(texts)), 2)
        if overlap(texts[one], texts[other]) >= NEAR
    ]
    assert sorted(find_pairs(texts), key=vars_of) == wanted


@given(TEXTS, TEXTS)
def test_every_match_between_two_lists_is_found(texts: list[str], others: list[str]) -> None:
    wanted = {
        (one, other)
        for one, other in product(range(len(texts)), range(len(others)))
        if overlap(texts[one], others[other]) >= NEAR
    }
    assert {(pair.left, pair.right) for pair in find_matches(texts, others)} == wanted


def vars_of(pair: Pair) -> tuple[int, int]:
    return pair.left, pair.right
