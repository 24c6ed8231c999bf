"""Vectors are those of all-MiniLM-L6-v2, whatever the batch, and a question's come before an index's."""

import asyncio
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tandem.errors import ModelBusy, ModelUnavailable, WeightsError
from tandem.models.embedder import Embedder
from tandem.models.minilm import build_graph
from tandem.models.weights import PACKAGED_EMBEDDER, packaged_file

FOLDER = packaged_file(*PACKAGED_EMBEDDER).parent
TEXTS = [
    "",
    "leave",
    "How many days of leave do new people get?",
    "Zürich, naïve café 🙂 — 東京",
    "The office is closed on public holidays. " * 12,
    "A very long page. " * 200,
]
ENOUGH = 0.995
Floats = NDArray[np.float64]


class Reference:
    """BERT in plain numpy, one text at a time, in double precision."""

    def __init__(self, folder: Path) -> None:
        self.weights = {
            name: value.astype(np.float64) for name, value in load_file(folder / "model.safetensors").items()
        }
        self.heads = json.loads((folder / "config.json").read_text())["num_attention_heads"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(256)
        self.tokenizer.no_padding()

    def embed(self, text: str) -> Floats:
        ids = self.tokenizer.encode(text).ids
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(6):
            name = f"encoder.layer.{layer}"
            q, k, v = (
                self.dense(x, f"{name}.attention.self.{part}").reshape(len(ids), self.heads, -1).transpose(1, 0, 2)
                for part in ("query", "key", "value")
            )
            scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
            x = self.norm(x + self.dense(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
            inner = self.dense(x, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
            x = self.norm(x + self.dense(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        mean = x.mean(0)
        result: Floats = mean / np.linalg.norm(mean)
        return result

    def dense(self, x: Floats, name: str) -> Floats:
        result: Floats = x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return result

    def norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        result: Floats = scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return result


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    made = Embedder(FOLDER, threads=2, queue=8)
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("bulk", [False, True])
async def test_vectors_are_the_reference_s(embedder: Embedder, bulk: bool) -> None:
    embeddings = await embedder.embed(TEXTS, bulk=bulk)
    reference = Reference(FOLDER)
    cosines = [float(row @ reference.embed(text)) for row, text in zip(embeddings.vectors, TEXTS, strict=True)]
    assert min(cosines) >= ENOUGH
    assert np.linalg.norm(embeddings.vectors, axis=1) == pytest.approx(1, abs=1e-3)


async def test_a_text_s_vector_does_not_depend_on_its_company(embedder: Embedder) -> None:
    alone = [(await embedder.embed([text])).vectors[0] for text in TEXTS]
    many = (await embedder.embed(TEXTS * 5, bulk=True)).vectors
    for number, row in enumerate(many):
        assert float(row @ alone[number % len(TEXTS)]) >= ENOUGH


async def test_tokens_are_counted_after_cutting(embedder: Embedder) -> None:
    assert (await embedder.embed(["leave"])).tokens == 3
    assert (await embedder.embed(["A very long page. " * 200])).tokens == 256


async def test_a_question_goes_before_bulk_work(embedder: Embedder) -> None:
    bulk = asyncio.create_task(embedder.embed(["The ferry leaves at noon. " * 30] * 200, bulk=True))
    await asyncio.sleep(0.3)
    await embedder.embed(["When does the ferry leave?"])
    assert not bulk.done()
    assert (await bulk).vectors.shape == (200, 384)


async def test_a_caller_that_leaves_takes_its_work_along(embedder: Embedder) -> None:
    bulk = asyncio.create_task(embedder.embed(["The ferry leaves at noon. " * 30] * 1000, bulk=True))
    await asyncio.sleep(0.3)
    bulk.cancel()
    await asyncio.gather(bulk, return_exceptions=True)
    await embedder.embed(["And now?"], bulk=True)
    assert len(embedder._bulk) == 0


async def test_what_waits_when_the_server_stops_is_told_so() -> None:
    made = Embedder(FOLDER, threads=2, queue=8)
    made.start()
    bulk = asyncio.create_task(made.embed(["The ferry leaves at noon. " * 30] * 1000, bulk=True))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(made.close)
    for late in (bulk, made.embed(["And now?"])):
        with pytest.raises(ModelUnavailable):
            await late


async def test_too_many_requests_are_turned_away(embedder: Embedder) -> None:
    tasks = [asyncio.create_task(embedder.embed(["a page " * 50] * 20, bulk=True)) for _ in range(8)]
    await asyncio.sleep(0)
    with pytest.raises(ModelBusy):
        await embedder.embed(["one more"])
    await asyncio.gather(*tasks)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((FOLDER / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes((FOLDER / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(WeightsError, match="is damaged"):
        build_graph(tmp_path)
