"""The number of contexts follows the memory, and a file that cannot fit is refused before it is read."""

from pathlib import Path

import pytest

from tandem.errors import WeightsError
from tandem.models import memory
from tandem.models.backend import Model
from tandem.models.context import Context, Shape


def test_a_file_beyond_memory_is_refused_by_name(tmp_path: Path) -> None:
    huge = tmp_path / "huge.gguf"
    with huge.open("wb") as file:
        file.truncate(1 << 42)  # takes no disk
    with pytest.raises(WeightsError, match=r"huge\.gguf needs 4398\.0 GB of memory, and there are") as caught:
        memory.check_fit(huge, on_gpu=False)
    assert "MODEL" in caught.value.remedy


def test_little_memory_makes_few_contexts(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    assert memory.choose_sequences(model, 512) == memory.ON_A_CPU
    for free, sequences in ((10**6, 1), (100 << 20, 2), (150 << 20, 3)):
        monkeypatch.setattr(memory, "free_bytes", lambda *, on_gpu, free=free: free)
        assert memory.choose_sequences(model, 2048) == sequences


def test_a_token_takes_the_bytes_that_are_reckoned_with(model: Model) -> None:
    context = Context(model, Shape(cells=512, sequences=1, batch=512, outputs=1, threads=2))
    context.add(0, [1] * 400, 0, outputs=0)
    context.decode()
    saved = context.save(0).nbytes
    context.close()
    assert saved / 400 == pytest.approx(model.kv_values * memory.CPU_BYTES, rel=0.02)
