"""The adapter as a file: peft's pairs as llama.cpp's GGUF, and back.

llama.cpp keeps the rows of q and k in another order than transformers does (each head's two halves interleaved), so
their `lora_b` is reordered alike (convert_hf_to_gguf.py, `LlamaModel.permute`).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.float32]]
"""`model.layers.0.self_attn.q_proj.lora_A` and the like: A (rank, in), B (out, rank)."""
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
BLOCK = 32


def write_adapter(path: Path, weights: Weights, *, alpha: float, heads: int, key_heads: int) -> None:
    """In Q8_0 where the rank is a multiple of 32, else in F32; replaced in one step."""
    partial = path.with_suffix(".partial")
    writer = GGUFWriter(partial, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, values in sorted(weights.items()):
        layer, module, side = _parse(name)
        if side == "B" and module in ("self_attn.q_proj", "self_attn.k_proj"):
            values = interleave(values, heads if module.endswith("q_proj") else key_heads)
        values = np.ascontiguousarray(values, np.float32)
        target = f"blk.{layer}.{NAMES[module]}.weight.lora_{side.lower()}"
        if values.shape[1] % BLOCK == 0:
            quantised = quantize(values, GGMLQuantizationType.Q8_0)
            writer.add_tensor(target, quantised, raw_dtype=GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(target, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(path)


def read_adapter(path: Path, *, heads: int, key_heads: int) -> dict[str, NDArray[np.float32]]:
    """The weights that `write_adapter` wrote, but for rounding."""
    modules = {short: module for module, short in NAMES.items()}
    weights = {}
    for tensor in GGUFReader(path).tensors:
        _, layer, short, _, side = str(tensor.name).split(".")
        values = dequantize(tensor.data, tensor.tensor_type)
        if side == "lora_b" and short in ("attn_q", "attn_k"):
            values = separate(values, heads if short == "attn_q" else key_heads)
        weights[f"model.layers.{layer}.{modules[short]}.lora_{side[-1].upper()}"] = values
    return weights


def interleave(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows (heads, 2, half) to (heads, half, 2)."""
    return values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def separate(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Undoes `interleave`."""
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _parse(name: str) -> tuple[int, str, str]:
    """Layer, module, side of `model.layers.0.self_attn.q_proj.lora_A`."""
    _, _, layer, *module, side = name.split(".")
    return int(layer), ".".join(module), side.removeprefix("lora_")
