"""Which sequence of the KV cache holds which tokens, so that a prompt which begins like an earlier one starts there.

A slot belongs to one running request, or is kept after it for its prefix. A new request shares the longest prefix that
any slot holds; sharing costs no cells. When a slot or cells are needed, the kept slot that was used longest ago goes.
"""

from dataclasses import dataclass, field

import numpy as np

from tandem.models.backend import Context


@dataclass(eq=False)
class Slot:
    """`tokens` are those whose keys and values are in the cache."""

    number: int
    tokens: list[int] = field(default_factory=list)
    running: bool = False
    used: int = 0


class Slots:
    def __init__(self, context: Context, *, can_share: bool) -> None:
        self._context = context
        self._can_share = can_share
        self._slots = [Slot(number) for number in range(context.shape.sequences)]
        self._clock = 0

    def take(self, prompt: list[int]) -> Slot:
        """A slot for this prompt, which already holds what could be shared of it, and never all of it: the last token
        must be decoded to give logits. There is always one, since fewer requests run than there are slots."""
        source, length = self._best(prompt)
        idle = [slot for slot in self._slots if not slot.running]
        target = min(idle, key=lambda slot: (slot is source, bool(slot.tokens), slot.used))
        if target is source:
            self._context.forget(target.number, length)
        else:
            self._context.forget(target.number)
            if source is not None:
                self._context.share(source.number, target.number, length)
        target.tokens = prompt[:length]
        target.running = True
        self._touch(target)
        if source is not None:
            self._touch(source)
        return target

    def give_back(self, slot: Slot) -> None:
        """Keeps the slot's prefix for later."""
        slot.running = False
        self._touch(slot)
        if not self._can_share:
            self.drop(slot)

    def drop(self, slot: Slot) -> None:
        self._context.forget(slot.number)
        slot.tokens = []

    def drop_oldest(self) -> bool:
        """Frees cells; False when only running requests hold any."""
        kept = [slot for slot in self._slots if not slot.running and slot.tokens]
        if kept:
            self.drop(min(kept, key=lambda slot: slot.used))
        return bool(kept)

    def clear(self) -> None:
        """After a step that failed: nothing in the cache can be trusted."""
        self._context.clear()
        for slot in self._slots:
            slot.tokens, slot.running = [], False

    def _best(self, prompt: list[int]) -> tuple[Slot | None, int]:
        if not self._can_share:
            return None, 0
        limit = len(prompt) - 1
        wanted = np.asarray(prompt[:limit], np.int32)
        lengths = [(_common(wanted, slot.tokens), slot) for slot in self._slots if slot.tokens]
        length, slot = max(lengths, key=lambda pair: pair[0], default=(0, None))
        return (slot, length) if length else (None, 0)

    def _touch(self, slot: Slot) -> None:
        self._clock += 1
        slot.used = self._clock


def _common(wanted: "np.ndarray[tuple[int], np.dtype[np.int32]]", tokens: list[int]) -> int:
    """Length of the longest common prefix."""
    count = min(len(wanted), len(tokens))
    different = np.nonzero(wanted[:count] != np.asarray(tokens[:count], np.int32))[0]
    return int(different[0]) if len(different) else count
