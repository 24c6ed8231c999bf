"""The BERT encoder of all-MiniLM-L6-v2 as an OpenVINO graph, built from its safetensors.

Devlin et al. 2019, pooled and normalised as sentence-transformers does: mean over the mask, then length 1.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tandem.errors import WeightsError

Weights = dict[str, NDArray[np.float32]]
GROUP = 128
"""Weights, and values met at run time, that share a scale where both are rounded to eight bits."""


@dataclass(frozen=True)
class Config:
    layers: int
    heads: int
    width: int
    epsilon: float


def build_graph(folder: Path, *, rounded: bool = False) -> ov.Model:
    """Inputs `ids` and `mask`, both (n, tokens) int32; output (n, width) float32, each row of length 1.

    `rounded` stores the matrices in eight bits (docs/retrieval.md has what that costs and brings).
    Raises WeightsError if the folder's files are not such a model.
    """
    try:
        values = json.loads((folder / "config.json").read_text())
        config = Config(
            values["num_hidden_layers"], values["num_attention_heads"], values["hidden_size"], values["layer_norm_eps"]
        )
        return _Graph(load_file(folder / "model.safetensors"), config, rounded=rounded).build()
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise WeightsError(
            f"The embedding model in {folder} is damaged: {error}.", remedy="Install it again with `make install`."
        ) from error


class _Graph:
    def __init__(self, weights: Weights, config: Config, *, rounded: bool) -> None:
        self._weights = weights
        self._config = config
        self._rounded = rounded

    def build(self) -> ov.Model:
        ids = op.parameter([-1, -1], np.int32, name="ids")
        mask = op.parameter([-1, -1], np.int32, name="mask")
        kept = op.convert(mask, "f32")
        hidden = self._embed(ids)
        bias = op.multiply(op.subtract(op.constant(np.float32(1)), kept), op.constant(np.float32(-1e9)))
        bias = op.unsqueeze(bias, op.constant([1, 2]))  # (n, 1, 1, tokens)
        for layer in range(self._config.layers):
            hidden = self._layer(hidden, bias, f"encoder.layer.{layer}")
        weight = op.unsqueeze(kept, op.constant(2))
        total = op.reduce_sum(op.multiply(hidden, weight), op.constant([1]))
        mean = op.divide(total, op.reduce_sum(weight, op.constant([1])))
        unit = op.normalize_l2(mean, op.constant([1]), 1e-12, "max")
        return ov.Model([unit], [ids, mask], "minilm")

    def _embed(self, ids: ov.Node) -> ov.Node:
        words = op.gather(self._constant("embeddings.word_embeddings.weight"), ids, op.constant(0))
        length = op.gather(op.shape_of(ids, "i32"), op.constant(1), op.constant(0))
        places = op.range(op.constant(np.int32(0)), length, op.constant(np.int32(1)), "i32")
        positions = op.gather(self._constant("embeddings.position_embeddings.weight"), places, op.constant(0))
        segment = op.constant(self._weights["embeddings.token_type_embeddings.weight"][0])
        return self._norm(op.add(op.add(words, positions), segment), "embeddings.LayerNorm")

    def _layer(self, hidden: ov.Node, bias: ov.Node, name: str) -> ov.Node:
        query, key, value = (
            self._heads(self._dense(hidden, f"{name}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        mixed = op.scaled_dot_product_attention(query, key, value, bias)
        joined = op.reshape(
            op.transpose(mixed, op.constant([0, 2, 1, 3])), op.constant([0, 0, self._config.width]), special_zero=True
        )
        hidden = self._norm(
            op.add(hidden, self._dense(joined, f"{name}.attention.output.dense")), f"{name}.attention.output.LayerNorm"
        )
        inner = op.gelu(self._dense(hidden, f"{name}.intermediate.dense"), "erf")
        return self._norm(op.add(hidden, self._dense(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def _heads(self, hidden: ov.Node) -> ov.Node:
        """(n, tokens, width) to (n, heads, tokens, width of a head)."""
        size = self._config.width // self._config.heads
        split = op.reshape(hidden, op.constant([0, 0, self._config.heads, size]), special_zero=True)
        return op.transpose(split, op.constant([0, 2, 1, 3]))

    def _dense(self, hidden: ov.Node, name: str) -> ov.Node:
        # Rounded values make most of the error that rounding makes, and little of the gain.
        rounded = self._rounded and not name.endswith("value")
        matrix = self._round(f"{name}.weight") if rounded else self._constant(f"{name}.weight")
        product = op.matmul(hidden, matrix, transpose_a=False, transpose_b=True)
        return op.add(product, self._constant(f"{name}.bias"))

    def _norm(self, hidden: ov.Node, name: str) -> ov.Node:
        centred = op.mvn(hidden, op.constant([-1]), True, self._config.epsilon, "inside_sqrt")
        return op.add(op.multiply(centred, self._constant(f"{name}.weight")), self._constant(f"{name}.bias"))

    def _round(self, name: str) -> ov.Node:
        weight = self._weights[name]
        groups = weight.reshape(len(weight), -1, GROUP)
        scale = np.abs(groups).max(2, keepdims=True) / 127
        whole = op.convert(op.constant(np.round(groups / scale).astype(np.int8)), "f32")
        return op.reshape(op.multiply(whole, op.constant(scale)), op.constant(list(weight.shape)), special_zero=False)

    def _constant(self, name: str) -> ov.Node:
        return op.constant(self._weights[name])
