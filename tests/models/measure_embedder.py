"""The embedder beside sentence-transformers: `python -m tests.models.measure_embedder PYTHON QUESTIONS DOCS`.

PYTHON has sentence-transformers and torch; QUESTIONS is a `qa.jsonl.gz`, whose passages and questions are embedded, and
DOCS a folder of Markdown, which is cut as the index cuts it. The two take turns, and each is measured with the batch
size that it likes best. `--url` adds what a query takes through a running server.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import typer

from index.chunks import cut_chunks
from tandem.evals.questions import read_questions
from tandem.models.client import ModelClient
from tandem.models.embedder import Embedder
from tandem.models.text_queue import Vectors
from tandem.models.weights import PACKAGED_EMBEDDER, packaged_file
from tandem.settings import Settings

FOLDER = packaged_file(*PACKAGED_EMBEDDER).parent
BATCHES = (8, 32, 128)
QUERIES = 60


class Peer:
    """The process of sentence_transformers_peer.py."""

    def __init__(self, python: Path, threads: int, folder: Path) -> None:
        script = Path(__file__).with_name("sentence_transformers_peer.py")
        self._file = folder / "vectors.npy"
        self._process = subprocess.Popen(
            [python, script, FOLDER, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read() == "ready"

    def embed(self, texts: Sequence[str], batch: int) -> float:
        """Seconds."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"texts": texts, "batch": batch, "file": str(self._file)}) + "\n")
        self._process.stdin.flush()
        return float(self._read())

    @property
    def vectors(self) -> Vectors:
        loaded: Vectors = np.load(self._file)
        return loaded

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


async def compare_throughput(name: str, texts: list[str], embedder: Embedder, peer: Peer, rounds: int) -> None:
    own, theirs = [], {batch: [] for batch in BATCHES}  # type: list[float], dict[int, list[float]]
    vectors = (await embedder.embed(texts, bulk=True)).vectors  # which also shows each engine every shape once
    peer.embed(texts, BATCHES[0])
    cosine = (vectors * peer.vectors).sum(1)
    for _ in range(rounds):
        for batch in BATCHES:
            began = time.perf_counter()
            await embedder.embed(texts, bulk=True)
            own.append(time.perf_counter() - began)
            theirs[batch].append(peer.embed(texts, batch))
    ours, best = float(np.median(own)), min(float(np.median(taken)) for taken in theirs.values())
    sizes = ", ".join(f"{len(texts) / np.median(taken):.0f} in batches of {batch}" for batch, taken in theirs.items())
    print(
        f"{name}: {len(texts) / ours:.0f} texts/s; sentence-transformers {sizes}; {best / ours:.2f} times its best"
        f" (fastest of each: {min(map(min, theirs.values())) / min(own):.2f}); cosine from {cosine.min():.5f}",
        flush=True,
    )


async def time_queries(name: str, queries: Sequence[str], embed: Callable[[str], Awaitable[object]]) -> None:
    taken = []
    for query in queries:
        began = time.perf_counter()
        await embed(query)
        taken.append((time.perf_counter() - began) * 1000)
    p50, p95 = np.percentile(taken, [50, 95])
    print(f"one query, {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, longest {max(taken):.1f} ms", flush=True)


async def time_under_load(queries: Sequence[str], texts: list[str], embedder: Embedder) -> None:
    began = time.perf_counter()
    await embedder.embed(texts, bulk=True)
    alone = time.perf_counter() - began

    async def index() -> None:
        while True:
            await embedder.embed(texts, bulk=True)

    indexing = asyncio.create_task(index())

    async def ask(query: str) -> None:
        await embedder.embed([query])

    async def ask_after_a_pause() -> None:
        taken = []
        for query in queries:
            await asyncio.sleep(0.05)
            began = time.perf_counter()
            await ask(query)
            taken.append((time.perf_counter() - began) * 1000)
        p50, p95 = np.percentile(taken, [50, 95])
        print(
            f"one query, in process, under bulk work ({len(texts) / alone:.0f} texts/s alone): p50 {p50:.1f} ms,"
            f" p95 {p95:.1f} ms, longest {max(taken):.1f} ms"
        )

    await ask_after_a_pause()
    indexing.cancel()
    await asyncio.gather(indexing, return_exceptions=True)


def main(python: Path, questions: Path, docs: Path, url: str = "", rounds: int = 3, texts: int = 300) -> None:
    rows = read_questions(questions)
    passages = list(dict.fromkeys(row.passage for row in rows))[:texts]
    pages = [(path.stem, path.read_text()) for path in sorted(docs.rglob("*.md"))]
    chunks = [chunk.with_context(title) for title, text in pages for chunk in cut_chunks(title, text)]
    chunks = [chunks[place] for place in np.random.default_rng(0).permutation(len(chunks))[:texts]]
    queries = [row.question for row in rows[:: len(rows) // QUERIES]][:QUERIES]
    asyncio.run(compare(python, passages, chunks, queries, url, rounds))


async def compare(
    python: Path, passages: list[str], chunks: list[str], queries: list[str], url: str, rounds: int
) -> None:
    threads = len(os.sched_getaffinity(0))
    embedder = Embedder(FOLDER, threads=threads, queue=64)
    embedder.start()
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(python, threads, Path(folder))
        await compare_throughput("passages", passages, embedder, peer, rounds)
        await compare_throughput("chunks of documents", chunks, embedder, peer, rounds)
        await time_queries("in process", queries, lambda query: embedder.embed([query]))
        await time_queries("sentence-transformers", queries, lambda query: asyncio.to_thread(peer.embed, [query], 1))
        peer.close()
    await time_under_load(queries, chunks, embedder)
    if url:
        async with ModelClient.open(Settings(model_url=url, _env_file=None)) as client:
            await time_queries("through HTTP", queries, lambda query: client.embed([query]))
    embedder.close()


if __name__ == "__main__":
    typer.run(main)
