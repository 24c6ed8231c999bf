"""The form in which a LoRA adapter serves on a CPU: Q8_0, with its rank padded to a multiple of 32.

llama.cpp multiplies Q8_0 alike for one row and for many, which it does not for F16 and F32; so an answer under an
adapter is the same alone and in company.
"""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from tandem.errors import WeightsError

BLOCK = 32
ALPHA = "adapter.lora.alpha"


def write_serving_form(source: Path, target: Path) -> None:
    """Raises WeightsError when the file is no LoRA adapter."""
    try:
        reader = GGUFReader(source)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{source} is no GGUF file that can be read: {error}.") from error
    given = {str(tensor.name): tensor for tensor in reader.tensors}
    pairs = [name.removesuffix(".lora_a") for name in given if name.endswith(".lora_a")]
    if _value(reader, "adapter.type") != "lora" or not pairs or any(f"{name}.lora_b" not in given for name in pairs):
        raise WeightsError(
            f"{source} is no LoRA adapter.",
            remedy="Name one in GGUF, as llama.cpp's convert_lora_to_gguf.py writes it.",
        )
    tensors = {name: dequantize(tensor.data, tensor.tensor_type) for name, tensor in given.items()}
    writer = GGUFWriter(target, str(_value(reader, "general.architecture")))
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    alpha = float(_value(reader, ALPHA) or 0.0)
    writer.add_float32(ALPHA, alpha)
    for name in pairs:
        a, b = _pad(tensors[f"{name}.lora_a"], tensors[f"{name}.lora_b"], rescale=alpha > 0)
        _add(writer, f"{name}.lora_a", a, quantised=_is_quantised(name, a))
        _add(writer, f"{name}.lora_b", b, quantised=_is_quantised(name, a))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _pad(
    a: NDArray[np.float32], b: NDArray[np.float32], *, rescale: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(r, in) and (out, r) with r a multiple of 32. llama.cpp divides alpha by the rank, so `b` makes up for it."""
    rank = a.shape[0]
    padded = -(-rank // BLOCK) * BLOCK
    grown = b * np.float32(padded / rank) if rescale else b
    more = padded - rank
    return np.pad(a, ((0, more), (0, 0))), np.pad(grown, ((0, 0), (0, more)))


def _is_quantised(name: str, a: NDArray[np.float32]) -> bool:
    """The embedding's pair is looked up by row, not multiplied; and a row must be made of whole blocks."""
    return not name.startswith("token_embd") and a.shape[1] % BLOCK == 0


def _add(writer: GGUFWriter, name: str, values: NDArray[np.float32], *, quantised: bool) -> None:
    values = np.ascontiguousarray(values, np.float32)
    if quantised:
        writer.add_tensor(name, quantize(values, GGMLQuantizationType.Q8_0), raw_dtype=GGMLQuantizationType.Q8_0)
    else:
        writer.add_tensor(name, values)


def _value(reader: GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    return field.contents() if field else None
