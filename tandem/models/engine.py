"""The scheduler: one thread that owns the context and serves many requests from it, step by step.

Each step decodes one token for every running request, then reads some of the prompt that comes next: one prompt is
finished before another starts, short before long, and who waits grows shorter with time.
Method: continuous batching with chunked prefill (Agrawal et al. 2024, Sarathi-Serve).
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tandem.errors import ModelBusy, ModelRejected, ModelUnavailable, TandemError
from tandem.models.backend import Adapter, Model
from tandem.models.context import Context, DecodeError, Shape
from tandem.models.endpoint import MOST_SCORED
from tandem.models.prefixes import SHORTEST, Prefixes
from tandem.models.sampling import score_token
from tandem.models.sequence import Sequence

log = logging.getLogger(__name__)
BATCH = 512
"""Prompt tokens a step, while nobody reads."""
BATCH_WHILE_READING = 256
"""Prompt tokens a step, while answers are being read: a long prompt halts them for a third of a second at a time."""
AGEING_TOKENS_PER_S = 200
"""How much shorter a waiting prompt counts for each second, so that no long one starves."""
OUTPUTS = MOST_SCORED + 16
"""Tokens of one prompt whose logits are kept, at most; each takes a whole vocabulary. The template's last come after
those that are scored."""
TURN_STEPS = 8
"""Steps that one adapter has while requests wait for another: to change adapters costs as much as a token or two."""


@dataclass(frozen=True)
class EngineStatus:
    running: int
    waiting: int
    prefix_bytes: int


class Engine:
    """Serves up to `sequences` requests at once, `queue` more may wait. Use the public methods from any thread."""

    def __init__(
        self, model: Model, *, context: int, sequences: int, queue: int, threads: int, prefix_bytes: int
    ) -> None:
        """`context` tokens for each request, no more than the model was trained on; `prefix_bytes` of main memory for
        prompts that were read before."""
        self.context_tokens = context
        self._model = model
        self._sequences = sequences
        self._queue = queue
        self.shape = Shape(
            cells=self.context_tokens,
            sequences=sequences,
            batch=max(BATCH, sequences),
            outputs=max(OUTPUTS, sequences),
            threads=threads,
        )
        self._context = Context(model, self.shape)
        self._prefixes = Prefixes(prefix_bytes if model.can_share_prefixes else 0)
        self._changed = threading.Condition()
        self._arrived: deque[Sequence] = deque()
        self._errands: deque[Callable[[], None]] = deque()
        self._waiting: list[Sequence] = []
        self._filling: Sequence | None = None  # the one whose prompt is partly in the cache
        self._reading: list[Sequence] = []
        self._free = list(range(sequences))
        self._adapter: Adapter | None = None
        self._steps_of_turn = 0
        self._retired: list[Adapter] = []
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

    def load_adapter(self, path: Path) -> "Future[Adapter]":
        """Between two steps; running requests wait for it, some hundredths of a second. Fails with WeightsError."""
        loaded: Future[Adapter] = Future()

        def load() -> None:
            try:
                loaded.set_result(Adapter(self._model, path))
            except TandemError as error:
                loaded.set_exception(error)

        with self._changed:
            self._errands.append(load)
            self._changed.notify()
        return loaded

    def retire_adapter(self, adapter: Adapter) -> None:
        """Frees it once the last request that came in with it is answered. Submit none with it from now on."""
        with self._changed:
            self._errands.append(lambda: self._retired.append(adapter))
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
            return EngineStatus(self._running, waiting, self._prefixes.bytes)

    @property
    def _running(self) -> int:
        return len(self._reading) + (self._filling is not None)

    @property
    def _all_running(self) -> list[Sequence]:
        return [*self._reading, *([self._filling] if self._filling else [])]

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
            while not (self._closing or self._arrived or self._waiting or self._running or self._errands):
                self._changed.wait()
            self._waiting += self._arrived
            self._arrived.clear()
            self._waiting = [s for s in self._waiting if not s.cancelled]
            errands, self._errands = self._errands, deque()
        for errand in errands:
            errand()
        for sequence in [s for s in self._reading if s.cancelled]:
            self._leave(sequence)
        if self._filling and self._filling.cancelled:
            self._leave(self._filling)
        self._free_retired()
        return not self._closing

    def _step(self) -> None:
        self._filling = self._filling or self._admit()
        if not self._running:
            return
        self._take_turn()
        answering = [s for s in self._reading if s.adapter is self._adapter]
        if answering:
            self._decode_next(answering)
        budget = BATCH_WHILE_READING if self._reading else BATCH
        while budget > 2 and self._filling and self._filling.adapter is self._adapter:
            budget -= self._read_part(self._filling, budget)
            self._filling = self._filling or self._admit()

    def _take_turn(self) -> None:
        """Chooses whose adapter a step works under: the present one for a while, then the one that waited longest."""
        running = self._all_running
        others = [s for s in running if s.adapter is not self._adapter]
        self._steps_of_turn += 1
        if others and (len(others) == len(running) or self._steps_of_turn > TURN_STEPS):
            self._adapter = min(others, key=lambda s: s.stepped).adapter
            self._steps_of_turn = 1
            self._context.use_adapter(self._adapter)
        now = time.monotonic()
        for sequence in running:
            if sequence.adapter is self._adapter:
                sequence.stepped = now

    def _admit(self) -> Sequence | None:
        """The next request to begin, if there is a place."""
        if not self._waiting or not self._free:
            return None
        now = time.monotonic()
        chosen = min(self._waiting, key=lambda s: _turn(s, now))
        self._waiting.remove(chosen)
        chosen.stream = self._free.pop(0)
        chosen.began = chosen.stepped = now
        reusable = chosen.prompt[: chosen.scored.start + 1] if chosen.scored else chosen.prompt
        prefix, length = self._prefixes.find(reusable, chosen.adapter)
        if prefix and self._context.restore(chosen.stream, prefix.saved):
            self._context.forget(chosen.stream, length)
            chosen.held = chosen.reused = length
        return chosen

    def _decode_next(self, answering: list[Sequence]) -> None:
        """One token for each. Streams that lie side by side are decoded together, so a small gap between them is
        filled with a token that is forgotten again."""
        places = {s.stream: s for s in answering}
        streams = sorted(places)
        gaps = set(range(streams[0], streams[-1])) - set(streams)
        if 3 * len(gaps) <= len(streams):
            streams = sorted({*streams, *gaps})
        held = {s.stream: s.held for s in self._all_running}
        rows = []
        for stream in streams:
            if stream in places:
                sequence = places[stream]
                row = self._context.add(stream, [sequence.last], sequence.held, outputs=1)
                rows.append((row, sequence))
            else:
                self._context.add(stream, [0], held.get(stream, 0), outputs=0)
        self._context.decode()
        for stream in streams:
            if stream in places:
                places[stream].held += 1
            else:
                self._context.forget(stream, held.get(stream, 0))
        for row, sequence in rows:
            self._advance(sequence, row)

    def _read_part(self, filling: Sequence, budget: int) -> int:
        """Reads `budget` tokens of a prompt, or all that is left if that is little more: a short rest costs more for
        each token. Never reads one alone unless it is the whole prompt."""
        left = len(filling.prompt) - filling.held
        count = left if left <= min(budget + budget // 2, BATCH) else budget
        count -= left - count == 1
        whole = count == left
        part = filling.prompt[filling.held : filling.held + count]
        end = filling.held + count
        first = filling.scored.start - 1 if filling.scored else len(filling.prompt) - 1  # whose logits are needed
        outputs = max(0, end - max(filling.held, first))
        row = self._context.add(filling.stream, part, filling.held, outputs=outputs)
        self._context.decode()
        for at in range(end - outputs + 1, min(end + 1, filling.scored.stop)):
            filling.scores.append(score_token(filling.prompt[at], self._context.logits(row - (end - at))))
        filling.held = end
        if whole:
            self._filling = None
            self._reading.append(filling)
            self._keep_prefix(filling)
            self._advance(filling, row)
        return count

    def _keep_prefix(self, sequence: Sequence) -> None:
        if len(sequence.prompt) >= SHORTEST and not self._prefixes.has(sequence.prompt, sequence.adapter):
            self._prefixes.keep(sequence.prompt, sequence.adapter, self._context.save(sequence.stream))

    def _advance(self, sequence: Sequence, row: int) -> None:
        if sequence.cancelled:
            return
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
        self._context.forget(sequence.stream)
        self._free = sorted([*self._free, sequence.stream])

    def _free_retired(self) -> None:
        """Closes adapters that no request needs any more."""
        used = {s.adapter for s in [*self._waiting, *self._all_running]}
        for adapter in [a for a in self._retired if a not in used]:
            if adapter is self._adapter:
                self._adapter = None
                self._context.use_adapter(None)
            self._retired.remove(adapter)
            self._prefixes.drop(adapter)
            adapter.close()

    def _fail_running(self, reason: str) -> None:
        """After a step that failed nothing in the cache can be trusted."""
        for sequence in self._all_running:
            sequence.fail(reason)
        self._reading, self._filling = [], None
        self._free = list(range(self._sequences))
        self._context.clear()


def _turn(sequence: Sequence, now: float) -> float:
    """Who has the least comes first: short before long, and who waits grows shorter."""
    return len(sequence.prompt) - AGEING_TOKENS_PER_S * (now - sequence.arrived)
