"""The base that is tuned: the very GGUF that serves, read into torch. It is never changed."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

TUNED_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def find_device() -> torch.device:
    """What trains: the first GPU that torch can use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_tokenizer(base: Path) -> Any:
    return AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)


def load_base(base: Path) -> Any:
    """The weights as llama.cpp multiplies them, but for rounding to bfloat16.

    Unpacked, as training on them in the file's blocks takes twice as long.
    """
    model = AutoModelForCausalLM.from_pretrained(
        base.parent,
        gguf_file=base.name,
        dtype=torch.bfloat16,
        attn_implementation="sdpa",
        quantization_config=GgufConfig(dequantize=True),
    )
    model.requires_grad_(False)
    model.config.use_cache = False
    return model


def add_lora(model: Any, *, rank: int, alpha: float, dropout: float, seed: int) -> PeftModel:
    """Low-rank pairs beside every linear layer (Hu et al., 2021, arXiv:2106.09685), in float32."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=TUNED_LAYERS, task_type="CAUSAL_LM"
    )
    return get_peft_model(model, config)
