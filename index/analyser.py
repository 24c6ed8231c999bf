"""Text -> BM25 terms: words in lower case, without accents, stemmed, each a dimension of a sparse vector."""

import hashlib
import math
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import Stemmer

ANALYSER = "english-2"
DIMENSIONS = 1_000_000_000
MAX_TERMS = 16_000  # what a sparsevec holds
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_PART = re.compile(r"[^\W\d]+|\d+")
_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be but by for if in into is it no not of on or such that the their then there these they"
        " this to was will with which what who how when where why do does did from has have had can could would should"
        " its it's been were than also may might we our us i you he she"
    )
)
_stemmers = threading.local()


@dataclass(frozen=True)
class Saturation:
    """How BM25 weighs a term's frequency. `average` is the usual number of terms: fixed rather than counted, so that no
    stored weight grows stale when other documents change."""

    k1: float
    b: float
    average: int


OF_CHUNK = Saturation(0.9, 0.4, 70)
"""Anserini's defaults: chunks hardly differ in length."""
OF_DOCUMENT = Saturation(1.2, 0.75, 200)


def count_terms(text: str) -> Counter[int]:
    """How often each term occurs. A term is a dimension: 0 to DIMENSIONS - 1, the same in every process.

    Words that say nothing are no terms. One of letters and digits (`IL2`) is a term, and so is each part of it.
    """
    counts: Counter[int] = Counter()
    for word in split_words(text):
        if word not in _STOP_WORDS:
            counts[_dimension(word)] += 1
            if not word.isalpha() and len(parts := _PART.findall(word)) > 1:
                counts.update(map(_dimension, parts))
    return counts


def split_words(text: str) -> list[str]:
    """The words in lower case, without accents, those that say nothing included."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _WORD.findall(text.lower())


def weigh_terms(counts: Mapping[int, int], saturation: Saturation) -> dict[int, float]:
    """The stored half of BM25: term frequency, saturated and normalised by length (Robertson et al., 1995)."""
    k1, b = saturation.k1, saturation.b
    norm = k1 * (1 - b + b * sum(counts.values()) / saturation.average)
    kept = sorted(counts.items(), key=lambda item: -item[1])[:MAX_TERMS]
    return {term: count * (k1 + 1) / (count + norm) for term, count in kept}


def weigh_query(terms: Iterable[int], frequencies: Mapping[int, int], total: int) -> dict[int, float]:
    """The other half: each term's IDF, given how many of all texts have it. Positive, also for common terms."""
    return {
        term: math.log(1 + (total - found + 0.5) / (found + 0.5))
        for term in terms
        for found in (min(frequencies.get(term, 0), total),)
    }


@lru_cache(maxsize=100_000)
def _dimension(word: str) -> int:
    stem = _stem(word.replace("\u2019", "'"))
    return int.from_bytes(hashlib.blake2b(stem.encode(), digest_size=8).digest(), "big") % DIMENSIONS


def _stem(word: str) -> str:
    if not hasattr(_stemmers, "english"):
        _stemmers.english = Stemmer.Stemmer("english")  # not safe to share between threads
    return str(_stemmers.english.stemWord(word))
