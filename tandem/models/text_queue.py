"""The texts that wait to be embedded: taken in batches of like length, by as many threads as there are."""

import itertools
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.errors import ModelUnavailable

Vectors = NDArray[np.float32]
MAX_TOKENS = 256
"""What sentence-transformers cuts at, for this model."""
LENGTHS: tuple[int, ...] = (8, 16, 24, *range(32, MAX_TOKENS + 1, 16))
"""OpenVINO keeps up to a megabyte for every shape it has met. Texts are padded to one of these lengths, and batches
have a power of two of rows, so that it meets few."""
BATCH_TEXTS = 32


class Request:
    """`vectors`, (n, width), is filled row by row; `done` ends with the last of them, or with what went wrong."""

    def __init__(self, texts: int, width: int) -> None:
        self.vectors: Vectors = np.empty((texts, width), np.float32)
        self.done: Future[None] = Future()
        self._left = texts
        self._lock = threading.Lock()
        if not texts:
            self.done.set_result(None)

    @property
    def is_over(self) -> bool:
        return self.done.done()

    def fill(self, row: int, vector: Vectors) -> None:
        self.vectors[row] = vector
        with self._lock:
            self._left -= 1
            if not self._left and not self.is_over and self.done.set_running_or_notify_cancel():
                self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        with self._lock:
            if not self.is_over and self.done.set_running_or_notify_cancel():
                self.done.set_exception(error)


@dataclass(frozen=True, eq=False)
class Text:
    """A row of a request, as token ids."""

    ids: Sequence[int]
    request: Request
    row: int
    number: int

    @property
    def length(self) -> int:
        """Padded."""
        return next(length for length in LENGTHS if length >= len(self.ids))


class TextQueue:
    """May be used from any thread."""

    def __init__(self, batch_tokens: int) -> None:
        """A batch is `batch_tokens` long at most, padding included."""
        self._batch_tokens = batch_tokens
        self._numbers = itertools.count()
        self._waiting: dict[int, deque[Text]] = {length: deque() for length in LENGTHS}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, rows: Sequence[Sequence[int]], request: Request) -> None:
        """Nothing more is taken of a request that is over, as one is whose caller has left."""
        with self._changed:
            if self._closed:
                request.fail(_stopping())
            for row, ids in enumerate(rows):
                text = Text(ids, request, row, next(self._numbers))
                self._waiting[text.length].append(text)
            self._changed.notify_all()

    def take(self) -> list[Text]:
        """Waits for texts. The oldest and others of its padded length, a power of two; none once closed."""
        with self._changed:
            while not self._closed:
                self._forget_departed()
                heads = [texts[0] for texts in self._waiting.values() if texts]
                if heads:
                    return self._pop(min(heads, key=lambda text: text.number).length)
                self._changed.wait()
            return []

    def close(self) -> None:
        """What waits ends with ModelUnavailable."""
        with self._changed:
            self._closed = True
            for text in itertools.chain.from_iterable(self._waiting.values()):
                text.request.fail(_stopping())
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def _forget_departed(self) -> None:
        for texts in self._waiting.values():
            while texts and texts[0].request.is_over:
                texts.popleft()

    def _pop(self, length: int) -> list[Text]:
        texts = self._waiting[length]
        most = min(BATCH_TEXTS, max(1, self._batch_tokens // length), len(texts))
        return [texts.popleft() for _ in range(1 << most.bit_length() - 1)]


def _stopping() -> ModelUnavailable:
    return ModelUnavailable("The model server is stopping.")
