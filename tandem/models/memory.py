"""What fits: whether weights can be loaded at all, and how many contexts of their size."""

from pathlib import Path

import psutil

from tandem.errors import WeightsError
from tandem.models import backend
from tandem.models.backend import Model

ON_A_CPU, ON_A_GPU = 16, 64
"""Sequences at most: beyond, each answer grows slower than all together grow faster."""
FOR_CONTEXTS = 0.8
"""Of the memory that the weights leave; the rest is for llama.cpp's buffers and the prompts that are kept."""
CPU_BYTES, GPU_BYTES = (17 / 16 + 2) / 2, 2.0
"""Bytes a value of the KV cache: Q8_0 keys and BF16 values on a CPU, F16 on a GPU (context.py)."""


def free_bytes(*, on_gpu: bool) -> int:
    return backend.gpu_free_bytes() if on_gpu else psutil.virtual_memory().available


def check_fit(file: Path, *, on_gpu: bool) -> None:
    """Raises WeightsError when the file needs more memory than there is."""
    size, free = file.stat().st_size, free_bytes(on_gpu=on_gpu)
    if size > free:
        place = "the GPU has" if on_gpu else "there are"
        raise WeightsError(
            f"{file} needs {size / 1e9:.1f} GB of memory, and {place} {free / 1e9:.1f} GB free.",
            remedy="Name a smaller model or a smaller quantisation of it in MODEL, or free some memory.",
        )


def choose_sequences(model: Model, context: int) -> int:
    """How many requests of `context` tokens the memory holds beside the weights, up to what is of use."""
    on_gpu = model.layers_offloaded > 0
    per_token = model.kv_values * (GPU_BYTES if on_gpu else CPU_BYTES)
    fitting = int(free_bytes(on_gpu=on_gpu) * FOR_CONTEXTS / (context * per_token))
    return max(1, min(fitting, ON_A_GPU if on_gpu else ON_A_CPU))
