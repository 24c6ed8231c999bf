"""Texts to vectors: batches of like length on one thread, a person's question ahead of an index's thousands."""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tandem.errors import ModelBusy, ModelUnavailable
from tandem.models.minilm import build_graph

Vectors = NDArray[np.float32]
MAX_TOKENS = 256
"""What sentence-transformers cuts at, for this model."""
BATCH_TOKENS = 384
"""Padding included. A query may have to wait for one batch: 25 ms on two cores. Longer ones are hardly faster."""
BATCH_TEXTS = 32
LENGTHS = (8, 16, 32, 48, 64, 96, 128, 160, 192, 224, MAX_TOKENS)
"""OpenVINO keeps about a megabyte for every shape it has met. Texts are padded to one of these lengths, and batches
have a power of two of rows, so that it meets few."""


@dataclass(frozen=True)
class Embeddings:
    """`vectors` is (n, d) with rows of length 1; `tokens` counts what was read, after cutting."""

    vectors: Vectors
    tokens: int


@dataclass(order=True)
class _Batch:
    bulk: bool
    number: int
    ids: list[list[int]] = field(compare=False)
    result: "Future[Vectors]" = field(compare=False)


class Embedder:
    """Use `embed` from an event loop; it may be called many times at once."""

    name = "all-MiniLM-L6-v2"
    width = 384

    def __init__(self, folder: Path, *, threads: int, queue: int) -> None:
        """Compiles the model, in well under a second. At most `queue` requests wait. Raises WeightsError."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        core = ov.Core()
        self.precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        options = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._infer = core.compile_model(build_graph(folder), "CPU", options).create_infer_request()
        self._queue = queue
        self._requests = 0
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._batches: list[_Batch] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        return self._requests

    async def embed(self, texts: Sequence[str], *, bulk: bool = False) -> Embeddings:
        """Texts beyond 256 tokens are cut. A caller that is cancelled takes its batches with it.

        Raises ModelBusy when too many requests wait, ModelUnavailable when the server stops.
        """
        if self._requests >= self._queue:
            raise ModelBusy(f"{self._requests} embedding requests wait already.")
        self._requests += 1
        try:
            encodings = await asyncio.to_thread(self._tokenizer.encode_batch_fast, list(texts))
            ids = [encoding.ids for encoding in encodings]
            vectors = np.empty((len(texts), self.width), np.float32)
            parts = _batches([len(row) for row in ids])
            futures = [self._submit([ids[index] for index in part], bulk=bulk) for part in parts]
            try:
                for part, future in zip(parts, futures, strict=True):
                    rows: Vectors = await asyncio.wrap_future(future)
                    vectors[part] = rows
            finally:
                for future in futures:
                    future.cancel()
        finally:
            self._requests -= 1
        return Embeddings(vectors, sum(map(len, ids)))

    def _submit(self, ids: list[list[int]], *, bulk: bool) -> "Future[Vectors]":
        future: Future[Vectors] = Future()
        with self._changed:
            if self._closing:
                raise ModelUnavailable("The model server is stopping.")
            heapq.heappush(self._batches, _Batch(bulk, next(self._numbers), ids, future))
            self._changed.notify()
        return future

    def _run(self) -> None:
        while batch := self._next():
            if not batch.result.set_running_or_notify_cancel():
                continue
            try:
                batch.result.set_result(self._encode(batch.ids))
            except RuntimeError as error:  # what OpenVINO raises; it goes to the caller, the thread lives on
                batch.result.set_exception(error)

    def _next(self) -> _Batch | None:
        with self._changed:
            while not (self._batches or self._closing):
                self._changed.wait()
            if not self._closing:
                return heapq.heappop(self._batches)
            for batch in self._batches:
                batch.result.cancel()
            return None

    def _encode(self, ids: list[list[int]]) -> Vectors:
        tokens = np.zeros((len(ids), _padded(max(map(len, ids)))), np.int32)
        mask = np.zeros_like(tokens)
        for row, own in enumerate(ids):
            tokens[row, : len(own)] = own
            mask[row, : len(own)] = 1
        vectors: Vectors = self._infer.infer({"ids": tokens, "mask": mask})[0]
        return vectors.copy()


def _padded(length: int) -> int:
    return next(allowed for allowed in LENGTHS if allowed >= length)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices in groups of like length, each of a power of two of texts and, padded, within BATCH_TOKENS tokens."""
    groups: list[list[int]] = []
    for length, same in itertools.groupby(
        sorted(range(len(lengths)), key=lengths.__getitem__), lambda i: _padded(lengths[i])
    ):
        rest, rows = list(same), min(BATCH_TEXTS, 1 << (BATCH_TOKENS // length).bit_length() - 1)
        while rest:
            while rows > len(rest):
                rows //= 2
            groups.append(rest[:rows])
            rest = rest[rows:]
    return groups
