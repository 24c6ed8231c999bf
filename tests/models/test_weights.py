"""MODEL leads to one checked file, requantised once where the CPU has no kernel for its type."""

import hashlib
from pathlib import Path

import pytest

from tandem.errors import WeightsError
from tandem.models import backend
from tandem.models.weights import PACKAGED_CHAT, digest_of, find_weights, packaged_file
from tandem.settings import Settings


def refuse(source: Path, target: Path, file_type: str) -> None:
    raise AssertionError("requantised for no reason")


def settings_for(home: Path, model: str = "packaged") -> Settings:
    return Settings(home=home, model=model, _env_file=None)


def test_the_packaged_file_is_requantised_once(tmp_path: Path) -> None:
    backend.start_backend()
    first = find_weights(settings_for(tmp_path), on_gpu=False, requantise=backend.requantise)
    assert (first.name, first.file_type, first.requantised) == ("SmolLM2-135M-Instruct", "Q8_0", True)
    assert first.source_digest[:12] in first.file.name
    assert find_weights(settings_for(tmp_path), on_gpu=False, requantise=refuse) == first
    assert [path.name for path in first.file.parent.glob(".*")] == []


def test_a_gpu_gets_the_file_as_it_is(tmp_path: Path) -> None:
    weights = find_weights(settings_for(tmp_path), on_gpu=True, requantise=refuse)
    assert weights.file == packaged_file(*PACKAGED_CHAT)
    assert not weights.requantised


def test_a_path_to_a_fast_file_serves_as_it_is(tmp_path: Path, model: backend.Model, weights_home: Path) -> None:
    (file,) = (weights_home / "models").glob("*.gguf")
    weights = find_weights(settings_for(tmp_path, str(file)), on_gpu=False, requantise=refuse)
    assert weights.file == weights.source == file


def test_a_requantisation_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def break_off(source: Path, target: Path, file_type: str) -> None:
        target.write_bytes(b"half")
        raise WeightsError("disk full")

    with pytest.raises(WeightsError, match="disk full"):
        find_weights(settings_for(tmp_path), on_gpu=False, requantise=break_off)
    assert not [path for path in (tmp_path / "models").iterdir() if path.is_file()]


@pytest.mark.parametrize("model", ["/no/such/file.gguf", "hf:nonsense", "hf:owner/repo/../../secret.gguf"])
def test_a_model_that_leads_nowhere_is_named(tmp_path: Path, model: str) -> None:
    with pytest.raises(WeightsError) as caught:
        find_weights(settings_for(tmp_path, model), on_gpu=False, requantise=refuse)
    assert model in str(caught.value)
    assert "Correct MODEL" in caught.value.remedy


def test_llama_cpp_refuses_what_the_header_cannot_show(tmp_path: Path) -> None:
    backend.start_backend()
    path = tmp_path / "hollow.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(WeightsError, match=r"llama\.cpp cannot load .*hollow\.gguf"):
        backend.Model(path)


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(WeightsError, match="no-such-package"):
        packaged_file("no-such-package", "x.gguf")


def test_a_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert digest_of(path, tmp_path) == hashlib.sha256(content).hexdigest()
