"""llama.cpp's devices, a model's weights and vocabulary, and adapters, through llama-cpp-python's low-level functions.

The vocabulary may be used by any thread.
"""

import ctypes
import logging
import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tandem.errors import WeightsError
from tandem.models.gguf import FILE_TYPES

# Read once, when libgomp is loaded with llama.cpp. A token has hundreds of barriers. Threads that sleep at each answer
# at half the speed of threads that spin; those that spin long steal, on a machine that does anything else, the very
# time that they wait for. These spin for some microseconds, then sleep (docs/models.md).
os.environ["GOMP_SPINCOUNT"] = "400"

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
    describe = _ggml.libggml.ggml_backend_dev_description
    describe.restype = ctypes.c_void_p
    texts = (ctypes.cast(describe(device), ctypes.c_char_p).value or b"?" for device in _gpu_devices())
    return [text.decode(errors="replace") for text in texts]


def _gpu_devices() -> list[ctypes.c_void_p]:
    ggml = _ggml.libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    found = (
        ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(index)))
        for index in range(ggml.ggml_backend_dev_count())
    )
    return [device for device in found if ggml.ggml_backend_dev_type(device) in GPU_DEVICES]


def gpu_free_bytes() -> int:
    """Of all devices that this build can offload to."""
    ggml = _ggml.libggml
    total = 0
    for device in _gpu_devices():
        free, all_of_it = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(all_of_it))
        total += free.value
    return total


def has_amx() -> bool:
    """Whether this build would use AMX, which crashes in its buffers (ggml-org/llama.cpp #20824)."""
    return "AMX_INT8 = 1" in llama.llama_print_system_info().decode()


def requantise(source: Path, target: Path, file_type: str) -> None:
    """Writes `source` again with another tensor type. Raises WeightsError."""
    params = llama.llama_model_quantize_default_params()
    params.ftype = next(number for number, name in FILE_TYPES.items() if name == file_type)
    params.allow_requantize = True
    if complain_of_nothing(
        lambda: llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    ):
        raise WeightsError(f"{source} cannot be requantised to {file_type}: {last_error()}.")


class Model:
    """Weights and vocabulary. Raises WeightsError when llama.cpp refuses the file."""

    def __init__(self, path: Path) -> None:
        params = llama.llama_model_default_params()
        params.n_gpu_layers = -1  # all of them, where the build can
        params.use_extra_bufts = not has_amx()
        self.handle = complain_of_nothing(lambda: llama.llama_model_load_from_file(str(path).encode(), params))
        if not self.handle:
            raise WeightsError(f"llama.cpp cannot load {path}: {last_error()}.")
        self.layers_offloaded, self.layers = _offloaded_layers(int(llama.llama_model_n_layer(self.handle)))
        self.vocab = llama.llama_model_get_vocab(self.handle)
        self.vocabulary_size = int(llama.llama_vocab_n_tokens(self.vocab))
        self.context_trained = int(llama.llama_model_n_ctx_train(self.handle))
        self.head_size = int(llama.llama_model_n_embd(self.handle)) // int(llama.llama_model_n_head(self.handle))
        self.kv_values = (
            2
            * int(llama.llama_model_n_layer(self.handle))
            * int(llama.llama_model_n_head_kv(self.handle))
            * self.head_size
        )
        """Of keys and values, for each token."""
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


class Adapter:
    """A LoRA adapter on a model's weights. Load and close it on the thread that decodes: llama.cpp keeps a list of them
    that is not guarded. Raises WeightsError for a file that llama.cpp refuses, or that was made for another base."""

    def __init__(self, model: Model, path: Path) -> None:
        self.handle = complain_of_nothing(lambda: llama.llama_adapter_lora_init(model.handle, str(path).encode()))
        if not self.handle:
            raise WeightsError(
                f"llama.cpp cannot load the adapter {path}: {last_error()}.",
                remedy="Use an adapter that was trained on the model that is served.",
            )

    def close(self) -> None:
        llama.llama_adapter_lora_free(self.handle)


def complain_of_nothing(call: Callable[[], Any]) -> Any:
    """The result of a call whose complaints, and no earlier ones, `last_error` then finds."""
    _recent.clear()
    return call()


def last_error() -> str:
    faults = [line for line in _recent if "error" in line.lower() or "fail" in line.lower()]
    return faults[-1] if faults else "it gives no reason"


def _offloaded_layers(layers: int) -> tuple[int, int]:
    """As llama.cpp reported while loading, counting the output layer; a CPU build reports nothing."""
    for line in _recent:
        if match := re.search(r"offloaded (\d+)/(\d+) layers to GPU", line):
            return int(match[1]), int(match[2])
    return 0, layers + 1
