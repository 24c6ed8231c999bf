"""An adapter comes back from its file as it went in, and q and k are reordered as llama.cpp keeps them."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from numpy.typing import NDArray

from tandem.tuning.adapter_file import interleave, read_adapter, separate, write_adapter

HEADS, KEY_HEADS, WIDTH = 9, 3, 576


def make_weights(rank: int) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(1)
    shapes = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (WIDTH, WIDTH // HEADS * KEY_HEADS),
        "mlp.down_proj": (1536, WIDTH),
    }
    return {
        f"model.layers.{layer}.{module}.lora_{side}": random.normal(size=size).astype(np.float32)
        for layer in (0, 29)
        for module, (into, out) in shapes.items()
        for side, size in (("A", (rank, into)), ("B", (out, rank)))
    }


@pytest.mark.parametrize(("rank", "error"), [(32, 0.03), (8, 0.03)])
def test_it_comes_back(tmp_path: Path, rank: int, error: float) -> None:
    weights = make_weights(rank)
    write_adapter(tmp_path / "a.gguf", weights, alpha=rank, heads=HEADS, key_heads=KEY_HEADS)
    again = read_adapter(tmp_path / "a.gguf", heads=HEADS, key_heads=KEY_HEADS)
    assert again.keys() == weights.keys()
    for name, values in weights.items():
        assert np.abs(again[name] - values).max() < error * np.abs(values).max()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.gguf"]


def test_the_rows_of_q_are_in_llama_cpps_order(tmp_path: Path) -> None:
    weights = make_weights(8)
    write_adapter(tmp_path / "a.gguf", weights, alpha=8, heads=HEADS, key_heads=KEY_HEADS)
    stored = {str(tensor.name): tensor.data for tensor in GGUFReader(tmp_path / "a.gguf").tensors}
    own = weights["model.layers.0.self_attn.q_proj.lora_B"]
    written = stored["blk.0.attn_q.weight.lora_b"]
    half = WIDTH // HEADS // 2
    assert np.array_equal(written[0], own[0])
    assert np.array_equal(written[1], own[half])  # a head's halves take turns
    assert np.array_equal(written[2], own[1])


def test_separating_undoes_interleaving() -> None:
    rows = np.arange(WIDTH * 4, dtype=np.float32).reshape(WIDTH, 4)
    assert np.array_equal(separate(interleave(rows, HEADS), HEADS), rows)
