"""Small LoRA adapters for the packaged weights, made of seeded noise, so strong that every answer changes."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

WIDTH, HIDDEN, KEYS, LAYERS = 576, 1536, 192, 30
SHAPES = {"attn_q": (WIDTH, WIDTH), "attn_v": (WIDTH, KEYS), "ffn_down": (HIDDEN, WIDTH)}


def write_adapter(path: Path, seed: int, *, rank: int = 8, strength: float = 0.02, width: int = WIDTH) -> Path:
    """With another `width` it is one for another base."""
    noise = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 16.0)
    for layer in range(0, LAYERS, 3):
        for name, (into, out) in SHAPES.items():
            a = noise.normal(0, strength, (rank, width if into == WIDTH else into)).astype(np.float32)
            b = noise.normal(0, strength * 10, (out, rank)).astype(np.float32)
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_a", a)
            writer.add_tensor(f"blk.{layer}.{name}.weight.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
