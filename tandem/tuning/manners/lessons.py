"""Lessons: the material as conversations, in the words of the prompts that serve."""

import random
from collections.abc import Iterator, Sequence

from graph.prompts import DECLINE, ask_directly, ask_numbered, write_reply
from tandem.models.client import ChatMessage
from tandem.tuning.lesson import Lesson
from tandem.tuning.manners.material import Asked, Passage
from tandem.tuning.manners.twists import find_names, twist

COMPANY = (0, 0, 0, 0, 0, 0, 1, 2)
"""How many distracting passages are given along, drawn from this."""
OWN_PAGE = 0.75
"""Share of the distracting passages that come from the same article, where they are hardest to tell apart."""


def make_reading_lessons(
    asked: Sequence[Asked], rng: random.Random, *, twists: float, strangers: float
) -> Iterator[Lesson]:
    """One context for each passage, with all the questions on the passages in it.

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
    everything = list(on)
    for passage in on:
        page = [other for other in pages[passage.origin] if other is not passage]
        given = [passage]
        for _ in range(rng.choice(COMPANY)):
            other = rng.choice(page) if page and rng.random() < OWN_PAGE else rng.choice(everything)
            if other not in given:
                given.append(other)
        rng.shuffle(given)
        text = " ".join(each.text for each in given)
        questions = [item for each in given for item in on[each]]
        answered = [item for item in questions if item.answer is not None]
        for item in answered:
            if rng.random() < twists and (twisted := twist(item, names[item.passage.origin], rng)):
                questions.append(twisted)
            if page and rng.random() < strangers:
                stranger = rng.choice(on[rng.choice(page)])
                if stranger.answer is not None and stranger.answer.lower() not in text.lower():
                    questions.append(Asked(passage, stranger.question, None))
        yield from (make_reading_lesson(item, given) for item in questions)


def make_reading_lesson(item: Asked, given: Sequence[Passage]) -> Lesson:
    """A question on numbered passages; the right one is the item's own."""
    prompt = ask_numbered(item.question, [(each.title, each.text) for each in given])
    reply = DECLINE if item.answer is None else write_reply(given.index(item.passage) + 1, item.answer)
    return Lesson(messages=(*prompt, ChatMessage("assistant", reply)), origin=item.passage.origin)


def make_direct_lesson(question: str, answer: str, origin: str) -> Lesson:
    return Lesson(messages=(*ask_directly(question, []), ChatMessage("assistant", answer)), origin=origin)
