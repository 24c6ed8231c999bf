"""Twists: a question that its passage answers becomes one that it does not, by one changed word.

Half of SQuAD 2.0's unanswerable questions differ so from answerable ones (Rajpurkar et al., 2018, arXiv:1806.03822).
"""

import random
import re

from graph.signs import OPPOSITE
from tandem.tuning.manners.material import Asked

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*")
_YEAR = re.compile(r"\b(1\d{3}|20\d\d)\b")


def twist(asked: Asked, names: list[str], rng: random.Random) -> Asked | None:
    """The question changed in one name (for one of `names` that the question and answer lack), year or word.

    None where nothing can be changed.
    """
    if asked.answer is None:
        return None
    ways = [_swap_name(asked, names, rng), _swap_year(asked.question, rng), _swap_word(asked.question, rng)]
    changed = [way for way in ways if way is not None]
    return Asked(asked.passage, rng.choice(changed), None) if changed else None


def find_names(text: str) -> list[str]:
    return _NAME.findall(text)


def _swap_name(asked: Asked, names: list[str], rng: random.Random) -> str | None:
    mine = find_names(asked.question)
    fresh = [name for name in names if name not in asked.question and name not in str(asked.answer)]
    if not mine or not fresh:
        return None
    return asked.question.replace(rng.choice(mine), rng.choice(fresh), 1)


def _swap_year(question: str, rng: random.Random) -> str | None:
    year = _YEAR.search(question)
    if year is None:
        return None
    other = int(year.group()) + rng.choice((-1, 1)) * rng.randint(2, 30)
    return question[: year.start()] + str(other) + question[year.end() :]


def _swap_word(question: str, rng: random.Random) -> str | None:
    words = question.split(" ")
    places = [at for at, word in enumerate(words) if word in OPPOSITE]
    if not places:
        return None
    at = rng.choice(places)
    return " ".join([*words[:at], OPPOSITE[words[at]], *words[at + 1 :]])
