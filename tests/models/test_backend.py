"""llama.cpp behind plain functions: tokens, the AMX precaution, and what runs on a GPU."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_cpp import llama_cpp as llama

from tandem.errors import WeightsError
from tandem.models import backend
from tandem.models.backend import Model
from tandem.models.weights import PACKAGED_CHAT, packaged_file


@given(st.text(st.characters(codec="utf-8", min_codepoint=32, max_codepoint=0xD7FF)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_survives_its_tokens(model: Model, text: str) -> None:
    """But for bytes that SmolLM2's vocabulary lacks: those of control characters and of planes that nothing is in."""
    pieces = [model.piece(token) for token in model.tokenize(text, control=False)]
    assert b"".join(pieces).decode() == text


def test_control_tokens_have_no_text_unless_asked_for(model: Model) -> None:
    (token,) = model.tokenize("<|im_end|>", control=True)
    assert model.piece(token) == b""
    assert model.piece(token, control=True) == b"<|im_end|>"
    assert model.ends_answer(token)
    assert len(model.tokenize("<|im_end|>", control=False)) > 1


@pytest.mark.parametrize(("amx", "repacks"), [("AMX_INT8 = 1", False), ("AVX512 = 1", True)])
def test_extra_buffers_are_left_alone_where_amx_would_crash(
    monkeypatch: pytest.MonkeyPatch, amx: str, *, repacks: bool
) -> None:
    asked = []

    def refuse(path: bytes, params: object) -> None:
        asked.append(params.use_extra_bufts)  # type: ignore[attr-defined]

    monkeypatch.setattr(llama, "llama_print_system_info", lambda: f"CPU : {amx} | ".encode())
    monkeypatch.setattr(llama, "llama_model_load_from_file", refuse)
    with pytest.raises(WeightsError):
        Model(packaged_file(*PACKAGED_CHAT))
    assert asked == [repacks]


def test_layers_on_a_gpu_are_those_that_llama_cpp_reports(monkeypatch: pytest.MonkeyPatch, model: Model) -> None:
    assert (model.layers_offloaded, model.layers) == ((31, 31) if backend.gpu_names() else (0, 31))
    monkeypatch.setattr(backend, "_recent", ["load_tensors: offloaded 12/31 layers to GPU"])
    assert backend._offloaded_layers(30) == (12, 31)
