"""Prompts that were read before, with their keys and values, so that one which begins alike starts where they part.

Kept in main memory, outside the context: a prompt is put away when it has been read, whatever becomes of its answer,
and copied back into a stream for the next request that shares its beginning. Only prompts are kept, never answers:
those were decoded token by token, which rounds differently from reading them. When the bytes are used up, the prompt
that was used longest ago goes; one that is the beginning of a newer one goes at once.
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.models.context import Saved

SHORTEST = 16
"""Tokens. Fewer are read faster than found and copied."""


@dataclass(frozen=True, eq=False)
class Prefix:
    """`owner` is the adapter under which it was read, or None: weights and prefixes belong together."""

    tokens: NDArray[np.int32]
    owner: Hashable
    saved: Saved


class Prefixes:
    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: list[Prefix] = []  # the one used last is at the end

    @property
    def bytes(self) -> int:
        return sum(prefix.saved.nbytes for prefix in self._kept)

    def find(self, prompt: list[int], owner: Hashable) -> tuple[Prefix | None, int]:
        """The kept prompt with the longest common beginning, and its length; the last two tokens of a prompt are
        always read again, to have logits and because one alone would be rounded like an answer's token."""
        wanted = np.asarray(prompt[:-2], np.int32)
        lengths = [(_common(wanted, prefix.tokens), prefix) for prefix in self._kept if prefix.owner == owner]
        length, found = max(lengths, key=lambda pair: pair[0], default=(0, None))
        if found is None or length < SHORTEST:
            return None, 0
        self._kept.remove(found)
        self._kept.append(found)
        return found, length

    def has(self, prompt: list[int], owner: Hashable) -> bool:
        tokens = np.asarray(prompt, np.int32)
        return any(prefix.owner == owner and np.array_equal(prefix.tokens, tokens) for prefix in self._kept)

    def keep(self, prompt: list[int], owner: Hashable, saved: Saved) -> None:
        tokens = np.asarray(prompt, np.int32)
        self._kept = [
            prefix
            for prefix in self._kept
            if prefix.owner != owner or _common(tokens, prefix.tokens) < len(prefix.tokens)
        ]
        self._kept.append(Prefix(tokens, owner, saved))
        while self.bytes > self._limit:
            self._kept.pop(0)

    def drop(self, owner: Hashable) -> None:
        """Forgets what was read under an adapter that is no more."""
        self._kept = [prefix for prefix in self._kept if prefix.owner != owner]


def _common(wanted: NDArray[np.int32], tokens: NDArray[np.int32]) -> int:
    """Length of the longest common beginning."""
    count = min(len(wanted), len(tokens))
    different = np.nonzero(wanted[:count] != tokens[:count])[0]
    return int(different[0]) if len(different) else count
