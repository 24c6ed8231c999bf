"""The figures of docs/models.md, measured again: `python -m tests.models.measure`.

Every variant is run in turn, several times over, and its best run counts, so that another program's work on the machine
disturbs the ratios little.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import openvino as ov

from tandem.models import backend
from tandem.models.context import Context, Shape
from tandem.models.minilm import build_graph
from tandem.models.weights import PACKAGED_CHAT, PACKAGED_EMBEDDER, packaged_file

ROUNDS = 6
PROMPT, ANSWER, TOGETHER = 230, 24, 4
TEXTS, TEXT_TOKENS = 16, 160


def prompt_and_answers(context: Context) -> tuple[float, float, float]:
    """Seconds for a prompt, for an answer, and for TOGETHER answers at once."""
    tokens = np.random.default_rng(0).integers(100, 40_000, PROMPT).tolist()
    context.clear()
    began = time.perf_counter()
    context.logits(step(context, [(0, tokens, 0)]))
    read = time.perf_counter()
    for position in range(ANSWER):
        context.logits(step(context, [(0, [5], PROMPT + position)]))
    answered = time.perf_counter()
    for sequence in range(1, TOGETHER):
        step(context, [(sequence, tokens, 0)])
    context.forget(0, PROMPT)
    together = time.perf_counter()
    for position in range(ANSWER):
        context.logits(step(context, [(sequence, [5], PROMPT + position) for sequence in range(TOGETHER)]))
    return read - began, answered - read, time.perf_counter() - together


def step(context: Context, parts: list[tuple[int, list[int], int]]) -> int:
    rows = [context.add(sequence, tokens, position, outputs=1) for sequence, tokens, position in parts]
    context.decode()
    return rows[-1]


def measure_file_types(folder: Path) -> None:
    packaged = packaged_file(*PACKAGED_CHAT)
    files = {"Q4_1": packaged}
    for file_type in ("Q8_0", "Q4_0"):
        files[file_type] = folder / f"{file_type}.gguf"
        backend.requantise(packaged, files[file_type], file_type)
    shape = Shape(cells=512, sequences=TOGETHER, batch=512, outputs=TOGETHER, threads=2)
    contexts = {name: Context(backend.Model(path), shape) for name, path in files.items()}
    taken = {name: np.full(3, np.inf) for name in contexts}
    for _ in range(ROUNDS):
        for name, context in contexts.items():
            taken[name] = np.minimum(taken[name], prompt_and_answers(context))
    for name, (prompt, answer, together) in taken.items():
        print(
            f"{name}: prompt {PROMPT / prompt:.0f} tokens/s, answer {ANSWER / answer:.0f}, "
            f"{TOGETHER} answers at once {TOGETHER * ANSWER / together:.0f}; "
            f"prompts {taken['Q4_1'][0] / prompt:.2f} and answers {taken['Q4_1'][1] / answer:.2f} of Q4_1's speed"
        )


def measure_precisions() -> None:
    graph = build_graph(packaged_file(*PACKAGED_EMBEDDER).parent)
    ids = np.random.default_rng(0).integers(1000, 30_000, (TEXTS, TEXT_TOKENS)).astype(np.int32)
    inputs = {"ids": ids, "mask": np.ones_like(ids)}
    requests = {
        precision: ov.Core()
        .compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"})
        .create_infer_request()
        for precision in ("f32", "bf16")
    }
    vectors = {name: request.infer(inputs)[0].copy() for name, request in requests.items()}
    taken = dict.fromkeys(requests, np.inf)
    for _ in range(ROUNDS):
        for name, request in requests.items():
            began = time.perf_counter()
            request.infer(inputs)
            taken[name] = min(taken[name], time.perf_counter() - began)
    for name, seconds in taken.items():
        print(f"embedding {name}: {TEXTS / seconds:.0f} texts of {TEXT_TOKENS} tokens/s")
    cosine = (vectors["f32"] * vectors["bf16"]).sum(1).min()
    print(f"bf16 to f32: {taken['f32'] / taken['bf16']:.2f} times as fast, cosine {cosine:.5f}")


if __name__ == "__main__":
    backend.start_backend()
    with tempfile.TemporaryDirectory() as folder:
        measure_file_types(Path(folder))
    measure_precisions()
