"""Support: does a passage hold what a sentence of the draft says? A sentence without support is not sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graph.sentences import split_sentences, strip_citations
from index.analyser import analyse
from index.search import Hit

SHARE = 0.75  # of the sentence's content terms that one passage must hold
TERMS = 3  # fewer say too little to be checked
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
STOP_TERMS = frozenset(
    analyse(
        "a an and are as at be been being but by can could did do does for from had has have he her his how i if in into is"
        " it its may me might more most must my no nor not of on or our she should so some such than that the their them"
        " then there these they this those to too us was we were what when where which who whom why will with would you your"
        " also any all each other only very passage passages according answer question following based provided text states"
    )
)


@dataclass(frozen=True)
class Support:
    """The passage that holds a sentence, and the words of it that do."""

    passage: Hit
    quote: str


def content_terms(text: str) -> set[str]:
    return set(analyse(text)) - STOP_TERMS


def find_support(sentence: str, passages: Sequence[Hit], question: str) -> Support | None:
    """The passage that holds the sentence's content terms and all of its numbers; None if there is none.

    A sentence that only says the question again is not supported, since it tells nothing.
    """
    said = strip_citations(sentence)
    terms = content_terms(said)
    if len(terms) < TERMS or terms <= content_terms(question):
        return None
    numbers = set(_NUMBER.findall(said))
    best: tuple[float, Hit] | None = None
    for passage in passages:
        body = f"{passage.heading}\n{passage.text}"
        if not numbers <= set(_NUMBER.findall(body)):
            continue
        share = len(terms & content_terms(body)) / len(terms)
        if share >= SHARE and (best is None or share > best[0]):
            best = (share, passage)
    return Support(best[1], find_quote(terms, best[1].text)) if best else None


def find_quote(terms: set[str], text: str) -> str:
    """The sentence of the text that shares most with the terms, verbatim; among equals the shorter one."""
    sentences = split_sentences(text) or [text.strip()]
    return max(sentences, key=lambda sentence: (len(terms & content_terms(sentence)), -len(sentence)))
