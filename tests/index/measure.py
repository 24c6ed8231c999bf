"""Measurements of the index, through the real pipeline: `python -m tests.index.measure {retrieval,edits,replay} DIR`.

Not tests: they print figures for docs/index.md. Postgres and the model server are started for the run, in a folder that
is removed after it; MODEL_URL and DATABASE_URL are used instead where they are set.
"""

import asyncio
import gzip
import json
import lzma
import math
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.audience import Viewer
from index.chunks import Chunk, cut_chunks
from index.documents import DocumentError
from index.extraction import extract_document
from index.jobs import LookProgress, enqueue_look, read_look, run_next_job
from index.search import Hit, search
from index.sources import Source, add_source
from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings, read_settings

VIEWER = Viewer("measure")
DEPTH = 100


class Bench:
    """An index of its own over one folder."""

    def __init__(self, settings: Settings, database: Database, model: ModelClient, folder: Path) -> None:
        self.settings, self.database, self.model, self.folder = settings, database, model, folder
        self._source: Source | None = None

    async def look(self) -> LookProgress:
        """Looks at the folder and does every job."""
        self._source = self._source or await add_source(self.database, self.folder, name="bench", added_by="measure")
        look = await enqueue_look(self.database, self.settings, self._source, requested_by="measure")
        while await run_next_job(self.database, self.model, self.settings, worker="measure"):
            pass
        return await read_look(self.database, look)


@asynccontextmanager
async def open_bench() -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        folder.mkdir()
        settings = read_settings().model_copy(update={"home": Path(scratch) / "home"})
        conninfo = ensure_server(settings)
        migrate(conninfo)
        async with ensure_model_server(settings) as url:
            settings = settings.model_copy(update={"model_url": url})
            async with Database.open(settings) as database, ModelClient.open(settings) as model:
                yield Bench(settings, database, model, folder)
        stop_server_if_idle(settings, conninfo)


async def measure_retrieval(data: Path) -> dict[str, Any]:
    """A collection in BEIR form: nDCG@10 of each side alone and of both, recall@100, milliseconds a query."""
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for line in _lines(data / "qrels.tsv.gz"):
        query_id, document_id, grade = line.split("\t")[:3]
        if grade.strip().isdigit():
            judged[query_id][document_id] = int(grade)
    queries = {row["_id"]: row["text"] for row in map(json.loads, _lines(data / "queries.jsonl.gz"))}
    async with open_bench() as bench:
        for row in map(json.loads, _lines(data / "corpus.jsonl.gz")):
            (bench.folder / f"{row['_id']}.md").write_text(f"# {row['title']}\n\n{row['text']}\n")
        indexed = await bench.look()
        gains: dict[str, list[float]] = defaultdict(list)
        recalls, milliseconds = [], []
        for query_id, grades in judged.items():
            started = time.perf_counter()
            result = await search(bench.database, bench.model, queries[query_id], VIEWER, k=2 * DEPTH)
            milliseconds.append(1000 * (time.perf_counter() - started))
            for name in ("score", "dense", "lexical"):
                gains[name].append(_ndcg(_documents(result.hits, name), grades))
            relevant = {document for document, grade in grades.items() if grade > 0}
            recalls.append(len(relevant & set(_documents(result.hits, "score")[:DEPTH])) / max(1, len(relevant)))
    return {
        "queries": len(judged),
        "documents": indexed.documents.added,
        "chunks": indexed.chunks.embedded,
        "chunks_per_s": round(indexed.chunks.embedded / indexed.seconds, 1),
        "ndcg@10": {name: round(statistics.mean(values), 4) for name, values in gains.items()},
        "recall@100": round(statistics.mean(recalls), 4),
        "latency_ms": _percentiles(milliseconds),
    }


def measure_edits(data: Path) -> dict[str, Any]:
    """Every edit of a folder's history, through extraction and chunker alone: how much of a changed file is new."""
    blobs = _blobs(data)
    shares, new, total = [], 0, 0
    for event in map(json.loads, _lines(data / "events.jsonl.gz")):
        versions = [blobs.get(event["old"]), blobs.get(event["blob"])]
        if event["status"] == "M" and event["path"].endswith(".md") and None not in versions:
            cuts = [_cut(event["path"], text or "") for text in versions]
            before, after = ([chunk.with_context(title) for chunk in chunks] for title, chunks in cuts)
            if after and before != after:
                fresh = len(set(after) - set(before))
                shares.append(fresh / len(after))
                new, total = new + fresh, total + len(after)
    return {
        "edits": len(shares),
        "embedded_share": {
            "of_all_chunks": round(new / total, 4),
            "mean_of_files": round(statistics.mean(shares), 4),
            "median_of_files": round(statistics.median(shares), 4),
        },
    }


async def measure_replay(data: Path, steps: int = 60) -> dict[str, Any]:
    """The last steps of a folder's history, each through the real pipeline, the index then held against the folder."""
    blobs = _blobs(data)
    commits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in map(json.loads, _lines(data / "events.jsonl.gz")):
        commits[event["commit"]].append(event)
    history = list(commits.values())
    changed, wrong, seconds = {"embedded": 0, "kept": 0}, 0, []
    async with open_bench() as bench:
        for events in history[:-steps]:
            _apply(bench.folder, events, blobs)
        first = await bench.look()
        for events in history[-steps:]:
            _apply(bench.folder, events, blobs)
            progress = await bench.look()
            seconds.append(progress.seconds)
            row = await bench.database.fetch_one(CHANGED, {"look_id": progress.id})
            changed = {key: changed[key] + (row or {})[key] for key in changed}
            wrong += await _differences(bench)
    return {
        "first_look": {"documents": first.documents.added, "chunks": first.chunks.embedded, "seconds": first.seconds},
        "steps": steps,
        "embedded_share": round(changed["embedded"] / max(1, sum(changed.values())), 4),
        "seconds_a_step": _percentiles(seconds),
        "stale_missing_or_doubled": wrong,
    }


CHANGED = b"""SELECT coalesce(sum(chunks_embedded), 0)::int AS embedded, coalesce(sum(chunks_kept), 0)::int AS kept
FROM jobs WHERE look_id = %(look_id)s AND outcome = 'changed'"""


async def _differences(bench: Bench) -> int:
    """How many passages the index has too many or too few."""
    expected = Counter(
        (str(path.relative_to(bench.folder)), text)
        for path in bench.folder.rglob("*.md")
        if not any(part.startswith(".") for part in path.relative_to(bench.folder).parts)
        for text in (chunk.text for chunk in _cut(str(path), path.read_text())[1])
    )
    rows = await bench.database.fetch_all(b"SELECT path, text FROM chunks c JOIN documents d ON d.id = c.document_id")
    found = Counter((row["path"], row["text"]) for row in rows if row["path"].endswith(".md"))
    return (expected - found).total() + (found - expected).total()


def _apply(folder: Path, events: list[dict[str, Any]], blobs: dict[str, str]) -> None:
    for event in events:
        path = folder / event["path"]
        if event["status"] == "D":
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(blobs[event["blob"]])


def _cut(path: str, text: str) -> tuple[str, list[Chunk]]:
    try:
        document = extract_document(text.encode(), path)
    except DocumentError:
        return "", []
    return document.title, cut_chunks(document.title, document.text)


def _blobs(data: Path) -> dict[str, str]:
    with lzma.open(data / "blobs.jsonl.xz", "rt") as file:
        return {row["blob"]: row["text"] for row in map(json.loads, file)}


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt") as file:
        yield from file


def _documents(hits: Sequence[Hit], order: str) -> list[str]:
    """The documents' names, each once, by their best passage."""
    ordered = sorted(hits, key=lambda hit: -float(getattr(hit, order)))
    return list(dict.fromkeys(Path(urlsplit(hit.uri).path).stem for hit in ordered))


def _ndcg(documents: Sequence[str], grades: dict[str, int]) -> float:
    gain = sum((2 ** grades.get(name, 0) - 1) / math.log2(rank + 2) for rank, name in enumerate(documents[:10]))
    best = sorted(grades.values(), reverse=True)[:10]
    ideal = sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(best))
    return gain / ideal if ideal else 0.0


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=20)
    return {"p50": round(cuts[9], 2), "p95": round(cuts[18], 2)}


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "edits":
        figures = measure_edits(where)
    else:
        figures = asyncio.run({"retrieval": measure_retrieval, "replay": measure_replay}[what](where))
    print(json.dumps(figures, indent=2))
