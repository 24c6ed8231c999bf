"""Lessons: the material as conversations, in the words of the prompts that serve."""

import random
from collections.abc import Iterator, Mapping, Sequence

from graph.prompts import DECLINE, ask_directly, ask_numbered, write_reply
from graph.support import content_terms
from tandem.models.client import ChatMessage
from tandem.tuning.lesson import Lesson
from tandem.tuning.manners.material import Asked, Passage
from tandem.tuning.manners.twists import find_names, twist

COMPANY = (0, 1, 1, 2, 2)
"""How many passages are given beside a passage, drawn from this: serving gives one to three."""
OWN_PAGE = 0.8
"""Share of them that come from the same article, those with the most terms in common: what search would find."""


def make_reading_lessons(
    asked: Sequence[Asked], rng: random.Random, *, twists: float, strangers: float
) -> Iterator[Lesson]:
    """Every passage in a context, once, with all the questions on the passages that are new in it.

    `twists` and `strangers`: how many questions are added that none of them answers, for each answered one: changed
    in a word, and asked of other passages of the same page.
    """
    on: dict[Passage, list[Asked]] = {}
    for item in asked:
        on.setdefault(item.passage, []).append(item)
    pages: dict[str, list[Passage]] = {}
    for passage in on:
        pages.setdefault(passage.origin, []).append(passage)
    names = {origin: [name for p in page for name in find_names(p.text)] for origin, page in pages.items()}
    for given, new in gather_contexts(pages, rng):
        text = " ".join(each.text for each in given).lower()
        questions = [item for passage in new for item in on[passage]]
        for item in [item for item in questions if item.answer is not None]:
            others = [other for other in pages[item.passage.origin] if other not in given]
            if rng.random() < twists and (twisted := twist(item, names[item.passage.origin], rng)):
                questions.append(twisted)
            if others and rng.random() < strangers:
                stranger = rng.choice(on[rng.choice(others)])
                if stranger.answer is not None and stranger.answer.lower() not in text:
                    questions.append(Asked(item.passage, stranger.question, None))
        yield from (make_reading_lesson(item, given) for item in questions)


def gather_contexts(
    pages: Mapping[str, Sequence[Passage]], rng: random.Random
) -> Iterator[tuple[list[Passage], list[Passage]]]:
    """The passages of each context, shuffled, and which of them are in a context for the first time."""
    everything = [passage for page in pages.values() for passage in page]
    terms = {passage: content_terms(passage.text) for passage in everything}
    left = dict.fromkeys(rng.sample(everything, len(everything)))
    while left:
        first = next(iter(left))
        near = [other for other in pages[first.origin] if other in left and other != first]
        near.sort(key=lambda other: -len(terms[first] & terms[other]))
        new, given = [first], [first]
        for _ in range(rng.choice(COMPANY)):
            nearest = next((other for other in near if other not in given), None)
            if nearest and rng.random() < OWN_PAGE:
                new.append(nearest)
                given.append(nearest)
            elif (other := rng.choice(everything)) not in given:
                given.append(other)
        for passage in new:
            del left[passage]
        rng.shuffle(given)
        yield given, new


def make_reading_lesson(item: Asked, given: Sequence[Passage]) -> Lesson:
    """A question on numbered passages; the right one is the item's own."""
    prompt = ask_numbered(item.question, [(each.title, each.text) for each in given])
    reply = DECLINE if item.answer is None else write_reply(given.index(item.passage) + 1, item.answer)
    return Lesson(messages=(*prompt, ChatMessage("assistant", reply)), origin=item.passage.origin)


def make_direct_lesson(question: str, answer: str, origin: str) -> Lesson:
    return Lesson(messages=(*ask_directly(question, []), ChatMessage("assistant", answer)), origin=origin)
