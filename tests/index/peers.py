"""The index beside LangChain's: same files, same Postgres server, same MiniLM weights, same cores, in turns.

    python -m tests.index.peers build ENV                    an environment with LangChain and sentence-transformers
    python -m tests.index.peers throughput ENV DATA/scifact  documents and passages a second, from nothing
    python -m tests.index.peers quality ENV DATA/scifact     the whole collection: nDCG@10 and a query's time
    python -m tests.index.peers rescan ENV                   10,000 files that did not change, looked at again

What the peer is, is in `langchain_peer.py`. Its passages are at most as long as ours.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from psycopg.conninfo import conninfo_to_dict

from index.search import search
from tandem.db.scratch import open_scratch
from tandem.evals.collection import Collection, Document, read_collection
from tandem.evals.ranking import ndcg
from tandem.evals.retrieval import rank_documents
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.models.weights import PACKAGED_EMBEDDER, packaged_file
from tandem.settings import Settings, read_settings

NEEDS = (
    "langchain-classic", "langchain-community", "langchain-huggingface", "langchain-postgres",
    "langchain-text-splitters", "psycopg[binary]", "sentence-transformers",
)  # fmt: skip
CPU_TORCH = "torch==2.13.0"
CHARACTERS = 800
"""Of the peer's passages, at most: 180 tokens, as ours."""
K = 10
PEER_K = 40
"""Passages that the peer is asked for, so that there are ten documents among them."""
TIMED = 100
commands = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Environment = Annotated[Path, typer.Argument(metavar="ENV", help="The folder of `build`.")]


class Peer:
    """The process of langchain_peer.py, on a scratch database of its own."""

    def __init__(self, environment: Path, settings: Settings) -> None:
        command = (
            environment / "bin" / "python",
            Path(__file__).with_name("langchain_peer.py"),
            packaged_file(*PACKAGED_EMBEDDER).parent,
            json.dumps(conninfo_to_dict(settings.database_url or "")),
            str(CHARACTERS),
            str(len(os.sched_getaffinity(0))),
        )
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own, text=True)
        assert self._read() == "ready"

    def index(self, folder: Path) -> dict[str, Any]:
        return self._ask(do="index", folder=str(folder))

    def search(self, queries: Sequence[str]) -> dict[str, Any]:
        return self._ask(do="search", queries=list(queries), k=PEER_K)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, **wanted: object) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = self._read()
        return answer

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


@contextmanager
def open_peer(environment: Path, settings: Settings) -> Iterator[Peer]:
    with open_scratch(settings) as own:
        peer = Peer(environment, own)
        try:
            yield peer
        finally:
            peer.close()


@commands.command()
def build(environment: Path) -> None:
    """Torch first, in its build for CPUs; the rest then takes it as it is."""
    uv = Path(sys.executable).with_name("uv")
    python = environment / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--clear", "--seed", "--python", sys.executable, environment],
        [python, "-m", "pip", "install", "--quiet", CPU_TORCH],
        [python, "-m", "pip", "install", "--quiet", *NEEDS],
    ):
        subprocess.run([str(word) for word in command], check=True)


@commands.command()
def throughput(environment: Environment, data: Path, documents: int = 600, rounds: int = 3) -> None:
    """Each round takes other documents, and each side begins with an empty index."""
    asyncio.run(_compare_throughput(environment, read_collection(data).documents, documents, rounds))


@commands.command()
def quality(environment: Environment, data: Path) -> None:
    asyncio.run(_compare_quality(environment, read_collection(data)))


@commands.command()
def rescan(environment: Environment, documents: int = 10_000) -> None:
    asyncio.run(_compare_rescan(environment, documents))


async def _compare_throughput(environment: Path, corpus: Sequence[Document], count: int, rounds: int) -> None:
    settings, ratios = read_settings(), []
    for turn in range(rounds):
        part = corpus[turn * count : (turn + 1) * count]
        async with open_workbench(settings) as bench:
            await bench.model.embed(["A model that has been asked once."])
            write_documents(bench.folder, part)
            ours, chunks = await _time_look(bench)
            with open_peer(environment, settings) as peer:
                peer.search(["A model that has been asked once."])
                theirs = peer.index(bench.folder)
        ratios.append(theirs["seconds"] / ours)
        for name, taken, cut in (("Ours", ours, chunks), ("Theirs", theirs["seconds"], theirs["chunks"])):
            print(f"{name}: {len(part) / taken:.1f} documents/s, {cut / taken:.1f} passages/s ({cut} in {taken:.1f} s)")
        print(f"Theirs takes {ratios[-1]:.2f} times as long", flush=True)
    print(f"Median: {statistics.median(ratios):.2f}")


async def _compare_quality(environment: Path, collection: Collection) -> None:
    settings = read_settings()
    queries = {name: collection.queries[name] for name in collection.grades}
    ids = [document.id for document in collection.documents]
    async with open_workbench(settings) as bench:
        write_documents(bench.folder, collection.documents)
        seconds, chunks = await _time_look(bench)
        print(f"Ours indexed {len(ids)} documents, {chunks} passages in {seconds:.1f} s", flush=True)
        gains = []
        for name, query in queries.items():
            ranked = await rank_documents(bench, collection, query, "hybrid")
            gains.append(ndcg(ranked, collection.grades[name], K))
        with open_peer(environment, settings) as peer:
            theirs = peer.index(bench.folder)
            print(f"Theirs {theirs['files']}, {theirs['chunks']} in {theirs['seconds']:.1f} s", flush=True)
            found = peer.search(list(queries.values()))
            own = [
                ndcg([ids[int(place)] for place in places], collection.grades[name], K)
                for name, places in zip(queries, found["found"], strict=True)
            ]
            taken: list[float] = []
            for query in list(queries.values())[:TIMED]:
                began = time.perf_counter()
                await search(bench.database, bench.model, query, VIEWER, k=K)
                taken.append((time.perf_counter() - began) * 1000)
            answers = peer.search(list(queries.values())[:TIMED])
    for name, values, milliseconds in (("Ours", gains, taken), ("Theirs", own, answers["milliseconds"])):
        p50, p95 = np.percentile(milliseconds, [50, 95])
        print(f"{name}: nDCG@10 {statistics.mean(values):.4f}; a query {p50:.1f} ms (p50), {p95:.1f} ms (p95)")


async def _compare_rescan(environment: Path, count: int) -> None:
    settings = read_settings()
    corpus = [Document.model_validate({"_id": str(n), "text": f"Note {n} says {n * 7919}."}) for n in range(count)]
    async with open_workbench(settings) as bench:
        write_documents(bench.folder, corpus)
        first, _ = await _time_look(bench)
        await asyncio.sleep(2.5)  # files are read again until they are older than two seconds
        await bench.look()
        began = time.perf_counter()
        look = await bench.look()
        again = time.perf_counter() - began
        print(f"Ours: first {first:.1f} s; again {again:.2f} s, {look.chunks.embedded} embedded", flush=True)
        with open_peer(environment, settings) as peer:
            first = peer.index(bench.folder)["seconds"]
            theirs = peer.index(bench.folder)
    print(f"Theirs: first {first:.1f} s; again {theirs['seconds']:.2f} s, {theirs['num_added']} embedded")


def write_documents(folder: Path, documents: Sequence[Document]) -> None:
    for number, document in enumerate(documents):
        heading = f"# {' '.join(document.title.split())}\n\n" if document.title.strip() else ""
        (folder / f"{number}.md").write_bytes(f"{heading}{document.text}\n".encode(errors="replace"))


async def _time_look(bench: Workbench) -> tuple[float, int]:
    """Seconds, and passages embedded."""
    began = time.perf_counter()
    look = await bench.look()
    return time.perf_counter() - began, look.chunks.embedded


if __name__ == "__main__":
    commands()
