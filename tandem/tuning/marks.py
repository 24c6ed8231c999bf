"""What an answer is worth beside the one that was wished for: 0 to 1, by the task."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from index.analyser import split_words
from tandem.tuning.examples import Task

ARTICLES = frozenset({"a", "an", "the"})


def mark(task: Task, said: str, wanted: str) -> float:
    if task == "labels":
        return float(_words(said) == _words(wanted))
    if task == "format":
        return compare_json(said, wanted)
    return overlap(said, wanted)


def overlap(said: str, wanted: str) -> float:
    """F1 over words, without case, accents, punctuation and articles (Rajpurkar et al., 2016, for SQuAD)."""
    given, gold = Counter(_words(said)), Counter(_words(wanted))
    shared = (given & gold).total()
    if not shared:
        return float(not given and not gold)
    precision, recall = shared / given.total(), shared / gold.total()
    return 2 * precision * recall / (precision + recall)


def compare_json(said: str, wanted: str) -> float:
    """F1 over the values with their paths; what is no JSON is worth nothing."""
    try:
        given, gold = (Counter(_leaves(json.loads(text))) for text in (said, wanted))
    except ValueError:
        return 0.0
    shared = (given & gold).total()
    return 2 * shared / (given.total() + gold.total()) if given and gold else float(given == gold)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}")
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, f"{path}[]")
    else:
        yield path, json.dumps(value)


def _words(text: str) -> list[str]:
    return [word for word in split_words(text) if word not in ARTICLES]
