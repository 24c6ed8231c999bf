"""llama.cpp: one model and one context, through llama-cpp-python's low-level functions.

Everything that touches a pointer is in here. A context is used by one thread at a time; the vocabulary by any.
"""

import ctypes
import logging
import os
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tandem.errors import WeightsError
from tandem.models.gguf import FILE_TYPES

# Read once, when libgomp is loaded with llama.cpp. Its threads otherwise spin at each of a token's hundreds of barriers
# and, on a machine that does anything else at all, spin away the very time that they wait for (docs/models.md).
os.environ["OMP_WAIT_POLICY"] = "passive"

from llama_cpp import _ggml
from llama_cpp import llama_cpp as llama

log = logging.getLogger(__name__)
LOG_ERROR = 4
GPU_DEVICES = (1, 2)  # ggml_backend_dev_type: GPU and integrated GPU
_recent: deque[str] = deque(maxlen=400)


def _note(level: int, text: bytes, _data: object) -> None:
    line = text.decode(errors="replace").rstrip()
    if line:
        _recent.append(line)
        log.log(logging.WARNING if level == LOG_ERROR else logging.DEBUG, "%s", line)


_note_pointer = llama.llama_log_callback(_note)  # kept alive for as long as llama.cpp may call it


def start_backend() -> None:
    """Call once, before anything else in here."""
    llama.llama_log_set(_note_pointer, ctypes.c_void_p(0))
    llama.llama_backend_init()


def supports_gpu() -> bool:
    """Whether this build can offload layers; there may still be no device for them."""
    return bool(llama.llama_supports_gpu_offload())


def gpu_names() -> list[str]:
    """The devices that this build can offload to; empty for a CPU build or a machine without one."""
    ggml = _ggml.libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    for function in ("ggml_backend_dev_get", "ggml_backend_dev_description"):
        getattr(ggml, function).restype = ctypes.c_void_p
    names = []
    for index in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(index)))
        if ggml.ggml_backend_dev_type(device) in GPU_DEVICES:
            text = ctypes.cast(ggml.ggml_backend_dev_description(device), ctypes.c_char_p).value or b"?"
            names.append(text.decode(errors="replace"))
    return names


def has_amx() -> bool:
    """Whether this build would use AMX, which crashes in its buffers (ggml-org/llama.cpp #20824)."""
    return "AMX_INT8 = 1" in llama.llama_print_system_info().decode()


def requantise(source: Path, target: Path, file_type: str) -> None:
    """Writes `source` again with another tensor type. Raises WeightsError."""
    params = llama.llama_model_quantize_default_params()
    params.ftype = next(number for number, name in FILE_TYPES.items() if name == file_type)
    params.allow_requantize = True
    _recent.clear()
    if llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise WeightsError(f"{source} cannot be requantised to {file_type}: {_last_error()}.")


class Model:
    """Weights and vocabulary. Raises WeightsError when llama.cpp refuses the file."""

    def __init__(self, path: Path) -> None:
        params = llama.llama_model_default_params()
        params.n_gpu_layers = -1  # all of them, where the build can
        params.use_extra_bufts = not has_amx()
        _recent.clear()
        self.handle = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise WeightsError(f"llama.cpp cannot load {path}: {_last_error()}.")
        self.layers_offloaded, self.layers = _offloaded_layers(int(llama.llama_model_n_layer(self.handle)))
        self.vocab = llama.llama_model_get_vocab(self.handle)
        self.vocabulary_size = int(llama.llama_vocab_n_tokens(self.vocab))
        self.context_trained = int(llama.llama_model_n_ctx_train(self.handle))
        self.adds_bos = bool(llama.llama_vocab_get_add_bos(self.vocab))
        self.bos = int(llama.llama_vocab_bos(self.vocab))
        self.can_share_prefixes = not (
            llama.llama_model_is_recurrent(self.handle) or llama.llama_model_is_hybrid(self.handle)
        )
        self._pieces: dict[int, bytes] = {}

    @property
    def chat_template(self) -> str | None:
        template = llama.llama_model_chat_template(self.handle, None)
        return template.decode() if template else None

    def tokenize(self, text: str, *, control: bool) -> list[int]:
        """Tokens of the text. `control` says whether `<|im_start|>` and its like are tokens or mere characters."""
        data = text.encode("utf-8", "replace")
        if not data:
            return []
        room = len(data) + 8
        tokens = (llama.llama_token * room)()
        count = llama.llama_tokenize(self.vocab, data, len(data), tokens, room, False, control)
        return list(tokens[:count])

    def piece(self, token: int, *, control: bool = False) -> bytes:
        """The token's bytes, which may be part of a character; empty for a control token unless asked for."""
        if token in self._pieces and not control:
            return self._pieces[token]
        buffer = ctypes.create_string_buffer(256)
        length = llama.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, control)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = llama.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, control)
        data = buffer.raw[:length]
        if not control:
            self._pieces[token] = data
        return data

    def ends_answer(self, token: int) -> bool:
        return bool(llama.llama_vocab_is_eog(self.vocab, token))

    def close(self) -> None:
        llama.llama_model_free(self.handle)


@dataclass(frozen=True)
class Shape:
    """`cells` tokens of KV cache in all, shared by up to `sequences` sequences; `batch` tokens a step."""

    cells: int
    sequences: int
    batch: int
    threads: int


class CacheFull(Exception):
    """No cells are left for this batch; the context is as it was before."""


class DecodeError(Exception):
    """llama.cpp failed in the middle of a step."""


class Context:
    """The KV cache and one batch of tokens that is filled, decoded and read, step by step."""

    def __init__(self, model: Model, shape: Shape) -> None:
        params = llama.llama_context_default_params()
        params.n_ctx = shape.cells
        params.n_batch = params.n_ubatch = shape.batch
        params.n_seq_max = shape.sequences
        params.n_outputs_max = shape.sequences  # one row each, not a batch of whole vocabularies
        params.n_threads = params.n_threads_batch = shape.threads
        params.kv_unified = True
        params.no_perf = True
        _recent.clear()
        self.handle = llama.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise WeightsError(
                f"llama.cpp cannot make a context of {shape.cells} tokens: {_last_error()}.",
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

    @property
    def room(self) -> int:
        return self.shape.batch - self.filled

    def add(self, sequence: int, tokens: list[int], position: int, *, wants_logits: bool) -> int:
        """Puts tokens into the batch and returns the row of the last one, for `logits`."""
        start, end = self.filled, self.filled + len(tokens)
        self._token[start:end] = tokens
        self._position[start:end] = np.arange(position, position + len(tokens))
        self._sequence[start:end] = sequence
        self._wanted[start:end] = 0
        self._wanted[end - 1] = wants_logits
        self.filled = end
        return end - 1

    def decode(self) -> None:
        """Runs the batch and empties it; on CacheFull the batch is kept and nothing has changed. Raises DecodeError."""
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
        result = llama.llama_decode(self.handle, batch)
        if result == 1:
            raise CacheFull
        self.filled = 0
        if result != 0:
            raise DecodeError(f"llama_decode returned {result}: {_last_error()}")

    def logits(self, row: int) -> NDArray[np.float32]:
        """Logits over the vocabulary at a row of the last batch; valid until the next decode."""
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.handle, row), (self._vocabulary_size,))

    def forget(self, sequence: int, start: int = 0) -> bool:
        """Drops a sequence from a position on; False where the architecture can only drop all of it."""
        return bool(llama.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def share(self, source: int, target: int, length: int) -> None:
        """Lets `target` begin with the first `length` tokens of `source`; costs no cells."""
        llama.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def clear(self) -> None:
        """Empties the batch and the cache."""
        self.filled = 0
        llama.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        llama.llama_free(self.handle)


def _last_error() -> str:
    faults = [line for line in _recent if "error" in line.lower() or "fail" in line.lower()]
    return faults[-1] if faults else "it gives no reason"


def _offloaded_layers(layers: int) -> tuple[int, int]:
    """As llama.cpp reported while loading, counting the output layer; a CPU build reports nothing."""
    for line in _recent:
        if match := re.search(r"offloaded (\d+)/(\d+) layers to GPU", line):
            return int(match[1]), int(match[2])
    return 0, layers + 1
