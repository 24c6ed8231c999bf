"""What an answer is worth beside the one that was wished for: 0 to 1, by the task."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tandem.evals.grading import best_em, best_f1
from tandem.tuning.examples import Task


def mark(task: Task, said: str, wanted: str) -> float:
    if task == "labels":
        return best_em(said, [wanted])
    if task == "format":
        return compare_json(said, wanted)
    return best_f1(said, [wanted])


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
