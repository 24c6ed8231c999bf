import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.analyser import (
    DIMENSIONS,
    MAX_TERMS,
    OF_CHUNK,
    OF_DOCUMENT,
    Saturation,
    count_terms,
    split_words,
    weigh_query,
    weigh_terms,
)


def test_words_meet_in_their_stem_whatever_their_case() -> None:
    assert count_terms("Running runs RUN") == count_terms("run run run")
    assert count_terms("l'\u00e9t\u00e9 don\u2019t") == count_terms("L'\u00c9T\u00c9 don't")
    assert count_terms("caf\u00e9s") == count_terms("cafe")


def test_numbers_are_words_and_punctuation_is_not() -> None:
    assert len(count_terms("form SF-50, line 12")) == 5
    assert count_terms("SF50").keys() > count_terms("SF-50").keys()
    assert count_terms("?!... --- \U0001f642 ()") == Counter()


def test_words_that_say_nothing_are_no_terms() -> None:
    assert count_terms("What is it that we do?") == Counter()
    assert split_words("What is it?") == ["what", "is", "it"]


@given(st.text())
def test_terms_of_any_text_are_dimensions(text: str) -> None:
    assert all(0 <= term < DIMENSIONS for term in count_terms(text))


@pytest.mark.parametrize("of", [OF_CHUNK, OF_DOCUMENT])
def test_weights_saturate_and_long_texts_weigh_less(of: Saturation) -> None:
    once, often = (weigh_terms(Counter({1: n, 2: of.average - n}), of)[1] for n in (1, 50))
    assert once == (of.k1 + 1) / (1 + of.k1)
    assert once < often < of.k1 + 1
    assert weigh_terms(Counter({1: 1, 2: 500}), of)[1] < once


def test_no_more_terms_are_kept_than_a_vector_holds() -> None:
    assert len(weigh_terms(Counter(range(20_000)), OF_DOCUMENT)) == MAX_TERMS


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_rare_terms_weigh_more_and_none_is_negative(found: int, chunks: int) -> None:
    weights = weigh_query([1, 2], {1: found}, chunks)
    assert 0 < weights[1] <= weights[2] or chunks == 0
    assert weights[2] == math.log(1 + (chunks + 0.5) / 0.5)
