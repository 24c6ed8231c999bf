"""The text of an answer as it grows: whole characters only, and nothing that may turn out to be a stop string."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field

from tandem.models.sampling import Choice


@dataclass
class AnswerText:
    """Feed it pieces; it gives back what may be shown, with the choices that made it."""

    stops: Sequence[str] = ()
    stopped: bool = False
    _held: str = ""
    _choices: list[tuple[int, Choice]] = field(default_factory=list)
    _length: int = 0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )

    def add(self, piece: bytes, choice: Choice) -> tuple[str, list[Choice]]:
        """Text that is safe to show now. Sets `stopped` when a stop string is complete; it is never shown."""
        self._choices.append((self._length, choice))
        text = self._decoder.decode(piece)
        self._held += text
        self._length += len(text)
        found = [at for stop in self.stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._release(min(found), drop_rest=True)
        return self._release(len(self._held) - _undecided(self._held, self.stops))

    def finish(self) -> tuple[str, list[Choice]]:
        """What was held back, when no more will come. Half a character at the end is dropped."""
        return self._release(len(self._held), all_choices=True)

    def _release(self, count: int, *, drop_rest: bool = False, all_choices: bool = False) -> tuple[str, list[Choice]]:
        text, shown = self._held[:count], self._length - len(self._held) + count
        free = [choice for start, choice in self._choices if all_choices or start < shown]
        self._choices = [] if drop_rest else self._choices[len(free) :]
        self._held = "" if drop_rest else self._held[count:]
        return text, free


def _undecided(text: str, stops: Sequence[str]) -> int:
    """Length of the longest end of the text that begins a stop string."""
    longest = 0
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:length]):
                longest = length
                break
    return longest
