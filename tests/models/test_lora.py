"""The form that serves says what the given adapter says."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from tandem.errors import WeightsError
from tandem.models.backend import Adapter, Model
from tandem.models.context import Context, Shape
from tandem.models.lora import write_serving_form
from tandem.models.weights import PACKAGED_CHAT, packaged_file
from tests.models.lora_files import write_adapter


def read(path: Path) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]:
    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize("rank", [4, 32, 40])
def test_the_product_of_each_pair_is_kept(tmp_path: Path, rank: int) -> None:
    """Times alpha over the rank, which llama.cpp takes from the file."""
    given, serving = write_adapter(tmp_path / "given.gguf", 1, rank=rank), tmp_path / "serving.gguf"
    write_serving_form(given, serving)
    before, after = read(given), read(serving)
    assert before.keys() == after.keys()
    for name in {name.rsplit(".", 1)[0] for name in before}:
        wanted = before[f"{name}.lora_b"] @ before[f"{name}.lora_a"] / rank
        padded = after[f"{name}.lora_a"].shape[0]
        assert padded % 32 == 0
        got = after[f"{name}.lora_b"] @ after[f"{name}.lora_a"] / padded
        assert np.abs(got - wanted).max() < 0.02 * np.abs(wanted).max()
    assert {tensor.tensor_type for tensor in GGUFReader(serving).tensors} == {GGMLQuantizationType.Q8_0}


def test_it_moves_the_logits_as_the_given_one_does(tmp_path: Path, model: Model) -> None:
    given, serving = write_adapter(tmp_path / "given.gguf", 2, strength=0.03), tmp_path / "serving.gguf"
    write_serving_form(given, serving)
    context = Context(model, Shape(cells=256, sequences=1, batch=64, outputs=1, threads=2))
    prompt = model.tokenize("The ferry leaves at noon, and", control=False)
    logits = {}
    for name, adapter in (("none", None), ("given", Adapter(model, given)), ("serving", Adapter(model, serving))):
        context.use_adapter(adapter)
        context.forget(0)
        row = context.add(0, prompt, 0, outputs=1)
        context.decode()
        logits[name] = context.logits(row).copy()
    context.close()
    moved, apart = logits["given"] - logits["none"], logits["serving"] - logits["given"]
    # 8-bit activations move logits this far (26 in norm) for any rounding; the adapter moves them by 630.
    assert np.linalg.norm(apart) < 0.1 * np.linalg.norm(moved)


def test_weights_are_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is no LoRA adapter"):
        write_serving_form(packaged_file(*PACKAGED_CHAT), tmp_path / "serving.gguf")
