"""The split into examples to train on, to stop by and to judge by: by origin, never by row, and for good."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from tandem.db.pool import Database
from tandem.tuning.examples import QUERIES, Example

Side = Literal["train", "validation", "held-out"]
SHARES: Mapping[Side, float] = {"train": 0.65, "validation": 0.1, "held-out": 0.25}


async def split_examples(database: Database, project: str, examples: Sequence[Example]) -> dict[Side, list[Example]]:
    """An origin that was on a side before stays there; new ones go where most is missing, and are remembered."""
    sides = await read_sides(database, project, examples)
    for origin, side in sides.items():
        await database.execute(QUERIES["add_side"], {"project": project, "origin": origin, "side": side})
    split: dict[Side, list[Example]] = {side: [] for side in get_args(Side)}
    for example in examples:
        split[sides[example.origin]].append(example)
    return split


async def read_sides(database: Database, project: str, examples: Sequence[Example]) -> dict[str, Side]:
    """The side of each origin of these, by name, as a split now would have it; nothing is remembered yet."""
    rows = await database.fetch_all(QUERIES["list_sides"], {"project": project})
    return assign_sides(examples, {row["origin"]: row["side"] for row in rows})


def assign_sides(examples: Sequence[Example], known: Mapping[str, Side]) -> dict[str, Side]:
    """The side of each origin of these. Of the tasks and labels that an origin holds, each side shall get its share."""
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        kinds[example.origin][_kind(example)] += 1
    totals = sum(kinds.values(), Counter[str]())
    held: dict[Side, Counter[str]] = {side: Counter() for side in SHARES}
    sides = {origin: known[origin] for origin in kinds if origin in known}
    for origin, side in sides.items():
        held[side].update(kinds[origin])
    # The largest first, then in an order that has nothing to do with how they were named or added.
    for origin in sorted(kinds.keys() - sides.keys(), key=lambda one: (-kinds[one].total(), _shuffle(one))):
        sides[origin] = max(
            SHARES,
            key=lambda side: sum(
                count * (SHARES[side] - held[side][kind] / totals[kind]) / SHARES[side]
                for kind, count in kinds[origin].items()
            ),
        )
        held[sides[origin]].update(kinds[origin])
    return sides


def _kind(example: Example) -> str:
    return f"labels:{example.answer}" if example.task == "labels" else example.task


def _shuffle(origin: str) -> bytes:
    return hashlib.sha256(origin.encode()).digest()
