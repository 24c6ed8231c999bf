"""Packing: samples that begin alike share their beginning, so that it is computed once.

Several questions on the same passages differ only after them. Each sample sees the shared part and itself, at the
positions that it would have alone, so the loss is the same as sample by sample (the tests compare both).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WORTH_SHARING = 0.8
"""Of a group's shared part, which a further sample must have in common with it to join."""
IGNORED = -100
"""The label of a token whose prediction is not trained, as in torch's cross entropy."""


@dataclass(frozen=True)
class Sample:
    """Token ids; the loss counts those from `prompt` on."""

    tokens: tuple[int, ...]
    prompt: int


@dataclass(frozen=True)
class Group:
    """Samples whose first `shared` tokens are the same."""

    samples: tuple[Sample, ...]
    shared: int

    @property
    def size(self) -> int:
        return self.shared + sum(len(sample.tokens) - self.shared for sample in self.samples)


@dataclass(frozen=True)
class Pack:
    """One row for the model. `tokens`, `positions`, `labels`: (n,); `sees`: (n, n), which tokens each one attends to.

    `labels[i]` is what the output at i should predict, or IGNORED.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    sees: NDArray[np.bool_]
    samples: int


def group_samples(samples: Sequence[Sample], capacity: int) -> list[Group]:
    """Groups of at most `capacity` tokens. A longer sample raises ValueError."""
    groups: list[Group] = []
    for sample in sorted(samples, key=lambda sample: sample.tokens):
        if len(sample.tokens) > capacity:
            raise ValueError(f"A sample has {len(sample.tokens)} tokens; a pack holds {capacity}.")
        grown = _join(groups[-1], sample) if groups else None
        if grown is not None and grown.size <= capacity:
            groups[-1] = grown
        else:
            groups.append(Group((sample,), sample.prompt - 1))
    return groups


def _join(group: Group, sample: Sample) -> Group | None:
    """The group with the sample, or None where too little is in common. The last token of a prompt is never shared:
    it predicts the first of the answer."""
    first = group.samples[0].tokens
    limit = min(group.shared, sample.prompt - 1)
    shared = next((at for at in range(limit) if first[at] != sample.tokens[at]), limit)
    if shared < WORTH_SHARING * group.shared:
        return None
    return Group((*group.samples, sample), shared)


def fill_packs(groups: Sequence[Group], capacity: int, seed: int) -> Iterator[Pack]:
    """Shuffled groups, each put into the first pack with room for it; packs come once nothing more will fit."""
    order = list(groups)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    open_packs: list[list[Group]] = []
    for group in order:
        for pack in open_packs:
            if sum(member.size for member in pack) + group.size <= capacity:
                pack.append(group)
                break
        else:
            open_packs.append([group])
        if len(open_packs) > OPEN_AT_ONCE:
            yield make_pack(open_packs.pop(0))
    for pack in open_packs:
        yield make_pack(pack)


OPEN_AT_ONCE = 8


def count_labels(packs: Sequence[Pack]) -> int:
    """How many tokens they teach to predict."""
    return sum(int((pack.labels != IGNORED).sum()) for pack in packs)


def make_pack(groups: Sequence[Group]) -> Pack:
    size = sum(group.size for group in groups)
    tokens, positions = np.empty(size, np.int64), np.empty(size, np.int64)
    labels = np.full(size, IGNORED, np.int64)
    sees = np.zeros((size, size), np.bool_)
    start = 0
    for group in groups:
        start = _place(group, start, tokens, positions, labels, sees)
    return Pack(tokens, positions, labels, sees, sum(len(group.samples) for group in groups))


def _place(
    group: Group,
    start: int,
    tokens: NDArray[np.int64],
    positions: NDArray[np.int64],
    labels: NDArray[np.int64],
    sees: NDArray[np.bool_],
) -> int:
    """Writes the group from `start` on; returns where the next one starts."""
    shared = slice(start, start + group.shared)
    tokens[shared] = group.samples[0].tokens[: group.shared]
    positions[shared] = np.arange(group.shared)
    sees[shared, shared] = np.tri(group.shared, dtype=np.bool_)
    at = start + group.shared
    for sample in group.samples:
        own = sample.tokens[group.shared :]
        rows = slice(at, at + len(own))
        tokens[rows] = own
        positions[rows] = np.arange(group.shared, len(sample.tokens))
        sees[rows, shared] = True
        sees[rows, rows] = np.tri(len(own), dtype=np.bool_)
        first = sample.prompt - group.shared  # of `own`, the first token to predict
        labels[at + first - 1 : at + len(own) - 1] = own[first:]
        at += len(own)
    return at
