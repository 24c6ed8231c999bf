"""The kept prompt with the longest common beginning is found, and the bytes that are kept are bounded."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tandem.models.context import Saved
from tandem.models.prefixes import SHORTEST, Prefixes

TOKENS = st.lists(st.integers(0, 1), min_size=3, max_size=40)


def cells(size: int = 10) -> Saved:
    return np.zeros(size, np.uint8)


def common(one: list[int], other: list[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@given(st.lists(TOKENS, max_size=6), TOKENS)
def test_the_longest_common_beginning_is_found_but_for_the_last_two_tokens(
    kept: list[list[int]], new: list[int]
) -> None:
    prefixes = Prefixes(1 << 20)
    for prompt in kept:
        prefixes.keep([1] * 10 + prompt, None, cells())
    asked = [1] * 10 + new
    longest = max((common(asked[:-2], [1] * 10 + prompt) for prompt in kept), default=0)
    found, length = prefixes.find(asked, None)
    assert length == (longest if longest >= SHORTEST else 0)
    assert (found is None) == (length == 0)
    if found is not None:
        assert found.tokens[:length].tolist() == asked[:length]


def test_the_one_used_longest_ago_goes_first() -> None:
    prefixes = Prefixes(30)
    prompts = [[number] * 20 for number in range(4)]
    for prompt in prompts[:3]:
        prefixes.keep(prompt, None, cells())
    assert prefixes.find(prompts[0], None)[1] == 18
    prefixes.keep(prompts[3], None, cells())
    assert [prefixes.has(prompt, None) for prompt in prompts] == [True, False, True, True]
    assert prefixes.bytes == 30


def test_the_beginning_of_a_newer_one_goes_at_once() -> None:
    prefixes = Prefixes(1 << 20)
    prefixes.keep([1] * 20, None, cells())
    prefixes.keep([1] * 30, None, cells())
    assert prefixes.bytes == 10
    assert prefixes.find([1] * 25, None)[1] == 23


def test_what_was_read_under_one_adapter_serves_no_other() -> None:
    prefixes = Prefixes(1 << 20)
    prefixes.keep([1] * 20, "house", cells())
    assert prefixes.find([1] * 20, None) == (None, 0)
    prefixes.keep([1] * 30, None, cells())
    assert prefixes.has([1] * 20, "house")
    prefixes.drop("house")
    assert not prefixes.has([1] * 20, "house")
    assert prefixes.has([1] * 30, None)


def test_one_beyond_the_limit_is_not_kept() -> None:
    prefixes = Prefixes(5)
    prefixes.keep([1] * 20, None, cells(10))
    assert prefixes.bytes == 0
    assert prefixes.find([1] * 20, None) == (None, 0)
