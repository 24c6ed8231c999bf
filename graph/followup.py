"""Follow-ups: a question that leans on the one before it is made to stand alone."""

import re
from collections.abc import Sequence

_LEANING = re.compile(
    r"\b(it|its|they|them|their|this|that|these|those|he|she|him|her|there|then|one|ones|same|else|instead|also)\b"
    r"|^(and|but|or|so|why|how come|what about|how about|what if|really|which|who|when|where)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")
LEANING_WORDS = 12  # a longer question says by itself what it is about
SHORT_WORDS = 3


def leans_on_history(question: str) -> bool:
    """Says whether the question points back: short, with a pronoun or an opening such as "and", or a few bare words."""
    words = len(_WORD.findall(question))
    return words <= SHORT_WORDS or (words <= LEANING_WORDS and bool(_LEANING.search(question.strip())))


def make_standalone(question: str, earlier: Sequence[str]) -> str:
    """Puts the earlier standalone question before one that leans on it; other questions stay as they are.

    Joining the two keeps every word for search. A rewrite by a model of this size loses or invents some.
    """
    if not earlier or not leans_on_history(question):
        return question
    return f"{earlier[-1]} {question}"
