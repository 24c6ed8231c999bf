"""llama.cpp's context: the KV cache, a stream of cells for each sequence, and one batch that is filled and decoded.

On a CPU the results are the same to the bit however requests are batched, as long as a prompt is read in pieces of two
tokens or more (docs/models.md): each stream has cells of its own, and without flash attention no kernel is chosen by
how many rows come together. On a GPU kernels are chosen for speed, and roundings may differ.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from gguf import GGMLQuantizationType as Type
from llama_cpp import llama_cpp as llama
from numpy.typing import NDArray

from tandem.errors import WeightsError
from tandem.models import backend
from tandem.models.backend import Adapter, Model

Q8_0_BLOCK = 32
Saved = NDArray[np.uint8]
"""Keys and values of a sequence's cells, as llama.cpp lays them out."""


@dataclass(frozen=True)
class Shape:
    """`cells` tokens of KV cache for each of `sequences` sequences; a call takes `batch` tokens at most, and gives
    the logits of `outputs` of them at most."""

    cells: int
    sequences: int
    batch: int
    outputs: int
    threads: int


class DecodeError(Exception):
    """llama.cpp failed in the middle of a step."""


class Context:
    """Used by one thread at a time. Raises WeightsError when there is no memory for it."""

    def __init__(self, model: Model, shape: Shape) -> None:
        params = llama.llama_context_default_params()
        params.n_ctx = shape.cells * shape.sequences
        params.n_batch = params.n_ubatch = shape.batch
        params.n_seq_max = shape.sequences
        params.n_outputs_max = shape.outputs  # a row is a whole vocabulary
        params.n_threads = params.n_threads_batch = shape.threads
        params.kv_unified = False
        if not model.layers_offloaded:
            params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
            # Without flash attention these two are the fastest on a CPU, and take three quarters of F16's memory.
            params.type_k = Type.Q8_0 if model.head_size % Q8_0_BLOCK == 0 else Type.F16
            params.type_v = Type.BF16
        params.no_perf = True
        self.handle = backend.complain_of_nothing(lambda: llama.llama_init_from_model(model.handle, params))
        if not self.handle:
            raise WeightsError(
                f"llama.cpp cannot make a context of {shape.sequences} times {shape.cells} tokens: "
                f"{backend.last_error()}.",
                remedy="Lower TANDEM_MODEL_CONTEXT or TANDEM_MODEL_SEQUENCES.",
            )
        self.shape = shape
        self._vocabulary_size = model.vocabulary_size
        self._memory = llama.llama_get_memory(self.handle)
        self._token = np.zeros(shape.batch, np.int32)
        self._position = np.zeros(shape.batch, np.int32)
        self._sequence = np.zeros(shape.batch, np.int32)
        self._ones = np.ones(shape.batch, np.int32)
        self._wanted = np.zeros(shape.batch, np.int8)
        first, step = self._sequence.ctypes.data, self._sequence.itemsize
        self._pointers = (ctypes.POINTER(ctypes.c_int32) * shape.batch)(
            *(ctypes.cast(first + step * i, ctypes.POINTER(ctypes.c_int32)) for i in range(shape.batch))
        )
        self.filled = 0

    def use_adapter(self, adapter: Adapter | None) -> None:
        """For all that is decoded from now on. A change costs some milliseconds: the graph is planned again."""
        handles = [adapter.handle] if adapter else []
        llama.llama_set_adapters_lora(
            self.handle,
            (llama.llama_adapter_lora_p_ctypes * 1)(*handles) if handles else None,
            len(handles),
            (ctypes.c_float * 1)(1.0) if handles else None,
        )

    def add(self, sequence: int, tokens: list[int], position: int, *, outputs: int) -> int:
        """Puts tokens into the batch, with logits for the last `outputs`; returns the row of the last one."""
        start, end = self.filled, self.filled + len(tokens)
        self._token[start:end] = tokens
        self._position[start:end] = np.arange(position, position + len(tokens))
        self._sequence[start:end] = sequence
        self._wanted[start : end - outputs] = 0
        self._wanted[end - outputs : end] = 1
        self.filled = end
        return end - 1

    def decode(self) -> None:
        """Runs the batch and empties it. Raises DecodeError."""
        int32 = ctypes.POINTER(ctypes.c_int32)
        batch = llama.llama_batch(
            self.filled,
            self._token.ctypes.data_as(int32),
            None,
            self._position.ctypes.data_as(int32),
            self._ones.ctypes.data_as(int32),
            self._pointers,
            self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )
        self.filled = 0
        result = llama.llama_decode(self.handle, batch)
        if result != 0:
            raise DecodeError(f"llama_decode returned {result}: {backend.last_error()}")

    def logits(self, row: int) -> NDArray[np.float32]:
        """Logits over the vocabulary at a row of the last batch; valid until the next decode."""
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.handle, row), (self._vocabulary_size,))

    def forget(self, sequence: int, start: int = 0) -> None:
        """Drops a sequence from a position on."""
        llama.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def save(self, sequence: int) -> Saved:
        size = llama.llama_state_seq_get_size(self.handle, sequence)
        saved = np.empty(size, np.uint8)
        llama.llama_state_seq_get_data(
            self.handle, saved.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), size, sequence
        )
        return saved

    def restore(self, sequence: int, saved: Saved) -> bool:
        """Puts saved cells into a sequence that has none; says whether llama.cpp took them."""
        pointer = saved.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        return bool(llama.llama_state_seq_set_data(self.handle, pointer, saved.size, sequence))

    def clear(self) -> None:
        """Empties the batch and the cache."""
        self.filled = 0
        llama.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        llama.llama_free(self.handle)
