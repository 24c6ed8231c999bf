"""One request inside the engine: what it asks for, how far it is, and what it has told its caller."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tandem.models.answer_text import AnswerText
from tandem.models.backend import Adapter
from tandem.models.constraint import Constraint
from tandem.models.sampling import Choice, Sampler, Sampling

FinishReason = Literal["stop", "length", "error", "refused"]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Delta:
    """A piece of an answer. The last one has a finish reason, the counts, and the prompt's tokens that were to be
    scored; on `error` (the server's fault) and `refused` (the request's), `text` says what is wrong."""

    text: str
    choices: tuple[Choice, ...] = ()
    finish_reason: FinishReason | None = None
    answer_tokens: int = 0
    reused_tokens: int = 0
    prompt: tuple[Choice, ...] = ()


@dataclass(eq=False)
class Sequence:
    """`deliver` is called from the engine's thread and must not block. Set `cancelled` from any thread."""

    prompt: list[int]
    max_tokens: int
    sampling: Sampling
    stops: tuple[str, ...]
    deliver: Callable[[Delta], None]
    constraint: Constraint | None = None
    adapter: Adapter | None = None
    scored: range = range(0)
    """The prompt's tokens whose log-probability is asked for; never the first one."""
    number: int = field(default_factory=lambda: next(_numbers))
    arrived: float = field(default_factory=time.monotonic)
    began: float = 0.0
    cancelled: bool = False
    stream: int = -1
    held: int = 0
    """Tokens whose keys and values are in its stream."""
    reused: int = 0
    """Prompt tokens found in the cache."""
    stepped: float = 0.0
    """When its adapter last had a turn."""
    last: int = -1
    """The token chosen last, which the next step decodes."""
    answered: int = 0

    def __post_init__(self) -> None:
        self.scores: list[Choice] = []
        self.sampler = Sampler(self.sampling, self.constraint)
        self.text = AnswerText(self.stops)

    def accept(self, choice: Choice, piece: bytes) -> bool:
        """Tells the caller of the token; True when the answer is complete with it."""
        self.last = choice.token
        self.answered += 1
        text, choices = self.text.add(piece, choice)
        if self.text.stopped:
            self._end(text, choices, "stop")
        elif self.sampler.complete or self.answered >= self.max_tokens:
            rest, others = self.text.finish()
            self._end(text + rest, choices + others, "stop" if self.sampler.complete else "length")
        else:
            if text:
                self.deliver(Delta(text, tuple(choices)))
            return False
        return True

    def end(self) -> None:
        """The model ended its answer, or had to where its schema could not be followed."""
        if self.sampler.fault is not None:
            self.deliver(Delta(f"The schema is too complex: {self.sampler.fault}.", (), "refused"))
            return
        text, choices = self.text.finish()
        self._end(text, choices, "stop")

    def fail(self, reason: str) -> None:
        self.deliver(Delta(reason, (), "error", self.answered, self.reused))

    def _end(self, text: str, choices: list[Choice], reason: FinishReason) -> None:
        self.deliver(Delta(text, tuple(choices), reason, self.answered, self.reused, tuple(self.scores)))
