"""Clozes: questions made from plain text, so that reading is practised on far more text than has questions.

A name, a date or a number of a sentence is asked for by the words around it, thinned out and in another order, so that
copying what follows a known phrase is not enough (Lewis et al., 2019, arXiv:1906.04980). Where another passage of the
page names the same thing, that one is given to read (recurring spans: Ram et al., 2021, arXiv:2101.00438).
"""

import random
import re
from collections.abc import Iterator, Sequence

from tandem.tuning.manners.material import Asked, Passage, split_sentences

_SPAN = re.compile(
    r"(?P<date>(?:\d{1,2} )?(?:January|February|March|April|May|June|July|August|September|October|November|December)"
    r"(?: \d{1,2},)?(?: \d{4})?|\b1[0-9]{3}s?\b|\b20[0-2]\d\b)"
    r"|(?P<number>[$£€]?\b\d[\d,.]*\d\b"
    r"(?: (?:million|billion|percent|%|days|years|hours|weeks|months|members|people))?)"
    r"|(?P<name>(?:[A-Z][\w’'.-]+ (?:of (?:the )?|the |and |de |von )?){0,4}[A-Z][\w’'-]+)"
)
_ASK = {"date": ("When", "In what year", "What date"), "number": ("How many", "What number", "How much"),
        "name": ("Who", "What", "Which", "Where", "What is the name of the")}  # fmt: skip
KEPT = 0.8
"""Share of the words that stay in the question."""
REACH = 12
"""Words on either side of the span that may go into the question."""


def make_clozes(passages: Sequence[Passage], count: int, rng: random.Random) -> Iterator[Asked]:
    """At most `count` questions, about every tenth on a passage of its page that does not name the answer."""
    pages: dict[str, list[Passage]] = {}
    for passage in passages:
        pages.setdefault(passage.origin, []).append(passage)
    order = list(passages)
    rng.shuffle(order)
    made = 0
    for passage in order:
        sentences = split_sentences(passage.text)
        if made >= count:
            return
        for sentence in rng.sample(sentences, min(2, len(sentences))):
            cloze = ask_for_span(sentence, rng)
            if cloze is None:
                continue
            question, answer = cloze
            yield choose_reading(passage, pages[passage.origin], question, answer, rng)
            made += 1


def choose_reading(passage: Passage, page: Sequence[Passage], question: str, answer: str, rng: random.Random) -> Asked:
    """What is given to read: a passage that names the answer elsewhere, the sentence's own, or one without it."""
    others = [other for other in page if other is not passage]
    lacking = [other for other in others if answer not in other.text]
    if lacking and rng.random() < 0.25:
        return Asked(rng.choice(lacking), question, None)
    recurring = [other for other in others if answer in other.text]
    if recurring and rng.random() < 0.15:
        return Asked(rng.choice(recurring), question, answer)
    return Asked(passage, question, answer)


def ask_for_span(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    """A question and the span that answers it; None for a sentence with nothing to ask for."""
    spans = [match for match in _SPAN.finditer(sentence) if match.start() > 0 and len(match.group()) > 2]
    if not spans or len(sentence.split()) < 8:
        return None
    span = rng.choice(spans)
    before = sentence[: span.start()].split()[-rng.randint(4, REACH) :]
    after = sentence[span.end() :].split()[: rng.randint(4, REACH)]
    words = [*after, *before] if rng.random() < 0.5 else [*before, *after]
    kept = [word for word in words if rng.random() < KEPT]
    if len(kept) < 4:
        return None
    asked = rng.choice(_ASK[str(span.lastgroup)])
    return f"{asked} {' '.join(kept).strip(' ,.;:')}?", span.group().strip(" .")
