"""Texts to vectors: an index's thousands in batches, one thread a core; a person's question beside them, at once."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov
from tokenizers import Tokenizer

from tandem.errors import ModelBusy
from tandem.models.minilm import GROUP, build_graph
from tandem.models.text_queue import MAX_TOKENS, Request, Text, TextQueue, Vectors

BATCH_TOKENS = 384
"""Of questions, padding included."""
BULK_TOKENS = 640
"""Of an index's texts. Longer batches are hardly faster."""
SHORT = 4_000
"""Characters that are tokenised sooner than a thread for it would begin."""


@dataclass(frozen=True)
class Embeddings:
    """`vectors` is (n, d) with rows of length 1; `tokens` counts what was read, after cutting."""

    vectors: Vectors
    tokens: int


class Embedder:
    """Use `embed` from an event loop; it may be called many times at once.

    Bulk work has a thread for each core, each with batches of its own: two cores that share each batch wait for each
    other at every layer. Questions have all cores, and share them with whatever bulk work is under way.
    """

    name = "all-MiniLM-L6-v2"
    width = 384

    def __init__(self, folder: Path, *, threads: int, queue: int) -> None:
        """Compiles the model, in well under a second. At most `queue` requests wait. Raises WeightsError."""
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()
        core, rounded = ov.Core(), _rounds_well()
        self.precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        self.bulk_precision = "int8" if rounded else self.precision
        options = {"INFERENCE_PRECISION_HINT": self.precision, "INFERENCE_NUM_THREADS": threads}
        together = core.compile_model(build_graph(folder), "CPU", options | {"NUM_STREAMS": 1})
        options |= {"NUM_STREAMS": threads, "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP}
        apart = core.compile_model(build_graph(folder, rounded=rounded), "CPU", options)
        self._queue = queue
        self._requests = 0
        self._questions, self._bulk = TextQueue(BATCH_TOKENS), TextQueue(BULK_TOKENS)
        lanes = [(together, self._questions), *[(apart, self._bulk)] * threads]
        self._threads = [
            threading.Thread(target=_run, args=(model.create_infer_request(), texts), name="embedder", daemon=True)
            for model, texts in lanes
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._questions.close()
        self._bulk.close()
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        return self._requests

    async def embed(self, texts: Sequence[str], *, bulk: bool = False) -> Embeddings:
        """Texts beyond 256 tokens are cut. A caller that is cancelled takes its texts with it.

        Raises ModelBusy when too many requests wait, ModelUnavailable when the server stops.
        """
        if self._requests >= self._queue:
            raise ModelBusy(f"{self._requests} embedding requests wait already.")
        self._requests += 1
        try:
            encode = self._tokenizer.encode_batch_fast
            is_short = sum(map(len, texts)) <= SHORT
            encodings = encode(list(texts)) if is_short else await asyncio.to_thread(encode, list(texts))
            ids = [encoding.ids for encoding in encodings]
            request = Request(len(ids), self.width)
            (self._bulk if bulk else self._questions).put(ids, request)
            await asyncio.wrap_future(request.done)
        finally:
            self._requests -= 1
        return Embeddings(request.vectors, sum(map(len, ids)))


def _run(model: ov.InferRequest, texts: TextQueue) -> None:
    while batch := texts.take():
        try:
            vectors = _encode(model, batch)
        except RuntimeError as error:  # what OpenVINO raises; it goes to the callers, the thread lives on
            for text in batch:
                text.request.fail(error)
        else:
            for text, vector in zip(batch, vectors, strict=True):
                text.request.fill(text.row, vector)


def _encode(model: ov.InferRequest, batch: Sequence[Text]) -> Vectors:
    """Rows of length 1, valid until the model is asked again."""
    tokens = np.zeros((len(batch), batch[0].length), np.int32)
    mask = np.zeros_like(tokens)
    for row, text in enumerate(batch):
        tokens[row, : len(text.ids)] = text.ids
        mask[row, : len(text.ids)] = 1
    vectors: Vectors = model.infer({"ids": tokens, "mask": mask})[0]
    return vectors


def _rounds_well() -> bool:
    """Whether this CPU multiplies eight bits faster than it does sixteen, as those with VNNI and without AMX do."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_vnni", "avx_vnni"}) and "amx_tile" not in flags
