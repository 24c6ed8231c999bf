"""Support: does a passage hold what a sentence of the draft says? A sentence without support is not sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graph.sentences import split_sentences
from index.analyser import count_terms
from index.search import Hit

SHARE = 0.85  # of the sentence's content terms that two adjoining sentences of one passage must hold
TERMS = 3  # fewer say too little to be checked
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
STOP_TERMS = frozenset(
    count_terms(
        "a an and are as at be been being but by can could did do does for from had has have he her his how i if "
        "in is it its into may me might more most must my no nor not of on or our she should so some such than "
        "that the their them then there these they this those to too us was we were what when where which who whom "
        "why will with would you your also any all each other only very passage passages according answer question "
        "following based provided text states many much get got like want need know tell please"
    )
)


@dataclass(frozen=True)
class Support:
    """The passage that holds a sentence, and the words of it that do."""

    passage: Hit
    quote: str


def content_terms(text: str) -> set[int]:
    return set(count_terms(text)) - STOP_TERMS


def find_numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def says_again(text: str, question: str) -> bool:
    """Whether a text tells nothing beyond the question's own words, and is no choice among them."""
    terms = content_terms(text)
    return bool(terms) and terms <= content_terms(question) and " or " not in question.lower()


def find_support(sentence: str, passages: Sequence[Hit], question: str) -> Support | None:
    """The adjoining sentences of a passage that hold the sentence's content terms and all of its numbers, or None.

    They must stand together: words gathered from all over a passage can say what it does not.
    A sentence that only says the question again is not supported, since it tells nothing.
    """
    terms, numbers = content_terms(sentence), find_numbers(sentence)
    if len(terms) < TERMS or terms <= content_terms(question):
        return None
    best: tuple[float, int] | None = None
    support = None
    for passage in passages:
        sentences = split_sentences(passage.in_context)
        context = content_terms(f"{passage.title} {passage.heading}")
        for at in range(len(sentences)):
            for width in (1, 2):
                window = " ".join(sentences[at : at + width])
                share = len(terms & (content_terms(window) | context)) / len(terms)
                rank = (share, -width)
                if share >= SHARE and numbers <= find_numbers(window) and (best is None or rank > best):
                    best, support = rank, Support(passage, window)
    return support
