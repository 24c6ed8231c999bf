"""The scheduler: one thread that owns the context and serves many requests from it, step by step.

Each step decodes one token for every running request and fills the rest of the batch with prompt tokens of the next
ones: one prompt is finished before another starts, short before long, and who waits grows shorter with time.
Method: continuous batching with chunked prefill (Agrawal et al. 2024, Sarathi-Serve).
"""

import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass

from tandem.errors import ModelBusy, ModelRejected, ModelUnavailable
from tandem.models.backend import CacheFull, Context, DecodeError, Model, Shape
from tandem.models.sequence import Sequence
from tandem.models.slots import Slot, Slots

log = logging.getLogger(__name__)
BATCH = 512
"""Tokens a step, while nobody reads."""
BATCH_WHILE_READING = 128
"""Tokens a step, while answers are being read: a long prompt then halts them for a fifth of a second at a time."""
AGEING_TOKENS_PER_S = 200
"""How much shorter a waiting prompt counts for each second, so that no long one starves."""


@dataclass(frozen=True)
class EngineStatus:
    running: int
    waiting: int


class Engine:
    """Serves up to `sequences` requests at once, `queue` more may wait. Use `submit` and `cancel` from any thread."""

    def __init__(self, model: Model, *, context: int, sequences: int, queue: int, threads: int) -> None:
        """`context` tokens for each request; half of the requests may use all of it at the same time."""
        self.context_tokens = min(context, model.context_trained)
        self._model = model
        self._sequences = sequences
        self._queue = queue
        kept = sequences  # as many answers stay in the cache as may run
        self.shape = Shape(
            cells=self.context_tokens * max(1, math.ceil(sequences / 2)),
            sequences=min(sequences + kept, 256),
            batch=max(BATCH, sequences),
            threads=threads,
        )
        self._context = Context(model, self.shape)
        self._slots = Slots(self._context, can_share=model.can_share_prefixes)
        self._changed = threading.Condition()
        self._arrived: deque[Sequence] = deque()
        self._waiting: list[Sequence] = []
        self._filling: Sequence | None = None  # the one whose prompt is partly in the cache
        self._reading: list[Sequence] = []
        self._closing = False
        self._seconds_per_request = 1.0  # moving average, from the first prompt token to the last answer token
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends every request with an error and frees the context."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._context.close()

    def submit(self, sequence: Sequence) -> None:
        """Raises ModelBusy when the queue is full, ModelRejected for a prompt that no context could hold."""
        if len(sequence.prompt) >= self.context_tokens:
            raise ModelRejected(
                f"The prompt has {len(sequence.prompt)} tokens; the context has {self.context_tokens}, "
                "of which one must be left for the answer."
            )
        sequence.max_tokens = min(sequence.max_tokens, self.context_tokens - len(sequence.prompt))
        with self._changed:
            if self._closing:
                raise ModelUnavailable("The model server is stopping.")
            waiting = len(self._arrived) + len(self._waiting)
            if waiting - (self._sequences - self._running) >= self._queue:
                wait_s = self._seconds_per_request * (waiting + 1) / self._sequences
                raise ModelBusy(f"{waiting} requests wait already.", retry_after_s=max(1.0, wait_s))
            self._arrived.append(sequence)
            self._changed.notify()

    def cancel(self, sequence: Sequence) -> None:
        """Its place is free after the step that is under way; nothing more is delivered from then on."""
        sequence.cancelled = True
        with self._changed:
            self._changed.notify()

    def position(self, sequence: Sequence) -> int:
        """Its place among those who wait, as of now: 1 is next. 0 when it runs or has ended."""
        with self._changed:
            waiting = [*self._waiting, *self._arrived]
        now = time.monotonic()
        waiting.sort(key=lambda s: _turn(s, now))
        return waiting.index(sequence) + 1 if sequence in waiting else 0

    def status(self) -> EngineStatus:
        with self._changed:
            waiting = len(self._arrived) + len(self._waiting)
            return EngineStatus(self._running, waiting)

    @property
    def _running(self) -> int:
        return len(self._reading) + (self._filling is not None)

    def _run(self) -> None:
        while self._gather():
            try:
                self._step()
            except DecodeError as error:
                log.error("A step failed, its requests end with an error: %s", error)  # noqa: TRY400 - no stack needed
                self._fail_running(str(error))
        self._waiting += self._arrived
        self._fail_running("The model server is stopping.")
        for sequence in self._waiting:
            sequence.fail("The model server is stopping.")

    def _gather(self) -> bool:
        """Waits for work, takes in what arrived, lets go of what was cancelled. False when closing."""
        with self._changed:
            while not (self._closing or self._arrived or self._waiting or self._running):
                self._changed.wait()
            self._waiting += self._arrived
            self._arrived.clear()
            self._waiting = [s for s in self._waiting if not s.cancelled]
        for sequence in [s for s in self._reading if s.cancelled]:
            self._leave(sequence)
        if self._filling and self._filling.cancelled:
            self._leave(self._filling)
        return not self._closing

    def _step(self) -> None:
        rows: list[tuple[int, Sequence]] = []
        decoded: list[tuple[Slot, list[int]]] = []
        for sequence in self._reading:
            rows.append((self._put(sequence, [sequence.last], decoded, wants_logits=True), sequence))
        budget = (BATCH_WHILE_READING if self._reading else self.shape.batch) - len(rows)
        while budget > 0 and (filling := self._filling or self._admit()):
            done = len(_slot(filling).tokens)
            part = filling.prompt[done : done + budget]
            budget -= len(part)
            whole = done + len(part) == len(filling.prompt)
            row = self._put(filling, part, decoded, wants_logits=whole)
            self._filling = None if whole else filling
            if whole:
                self._reading.append(filling)
                rows.append((row, filling))
        if decoded:
            self._decode(decoded)
        for row, sequence in rows:
            if not sequence.cancelled:
                self._advance(sequence, row)

    def _put(
        self, sequence: Sequence, tokens: list[int], decoded: list[tuple[Slot, list[int]]], *, wants_logits: bool
    ) -> int:
        slot = _slot(sequence)
        decoded.append((slot, tokens))
        return self._context.add(slot.number, tokens, len(slot.tokens), wants_logits=wants_logits)

    def _admit(self) -> Sequence | None:
        """The next request to begin, if there is a place and there are cells for it."""
        if not self._waiting or self._running >= self._sequences:
            return None
        now = time.monotonic()
        chosen = min(self._waiting, key=lambda s: _turn(s, now))
        if sum(s.cells for s in self._reading) + chosen.cells > self.shape.cells:
            return None
        self._waiting.remove(chosen)
        chosen.slot = self._slots.take(chosen.prompt)
        chosen.reused = len(chosen.slot.tokens)
        chosen.began = now
        return chosen

    def _decode(self, decoded: list[tuple[Slot, list[int]]]) -> None:
        """Runs the batch, making room among the kept prefixes if it must; running requests fit by their reservation."""
        while True:
            try:
                self._context.decode()
                break
            except CacheFull:
                if not self._slots.drop_oldest():
                    raise DecodeError("the cache is full of running requests") from None
        for slot, tokens in decoded:
            slot.tokens += tokens

    def _advance(self, sequence: Sequence, row: int) -> None:
        choice = sequence.sampler.choose(self._context.logits(row))
        if self._model.ends_answer(choice.token):
            sequence.end()
        elif not sequence.accept(choice, self._model.piece(choice.token)):
            return
        self._seconds_per_request += 0.1 * (time.monotonic() - sequence.began - self._seconds_per_request)
        self._leave(sequence)

    def _leave(self, sequence: Sequence) -> None:
        if sequence is self._filling:
            self._filling = None
        else:
            self._reading.remove(sequence)
        self._slots.give_back(_slot(sequence))

    def _fail_running(self, reason: str) -> None:
        for sequence in [*self._reading, *([self._filling] if self._filling else [])]:
            sequence.fail(reason)
        self._reading, self._filling = [], None
        self._slots.clear()


def _turn(sequence: Sequence, now: float) -> float:
    """Who has the least comes first: short before long, and who waits grows shorter."""
    return len(sequence.prompt) - AGEING_TOKENS_PER_S * (now - sequence.arrived)


def _slot(sequence: Sequence) -> Slot:
    if sequence.slot is None:
        raise AssertionError("a running sequence has a slot")
    return sequence.slot
