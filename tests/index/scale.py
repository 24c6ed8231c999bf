"""Search over more and more chunks, each compared and by the indexes: `python -m tests.index.scale DATA --chunks 5000`.

No test: it prints the figures of docs/retrieval.md, a JSON object a size. DATA holds collections; their texts are cut
at thirty words, so that a hundred thousand different passages can be embedded in minutes. Where that is not enough,
they are cut again four words further on, and so on. `--vectors FOLDER` keeps what was embedded, part by part: a run
that was broken off goes on there.
"""

import asyncio
import itertools
import json
import os
import random
import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from pgvector import HalfVector

from index import search as searching
from index.analyser import OF_CHUNK, OF_DOCUMENT, count_terms, weigh_terms
from index.chunks import Chunk
from index.reader import read_as
from index.search import SearchResult, search
from index.swap import IndexedChunk, swap_chunks
from index.vector_index import keep_vector_index
from index.versions import describe_pipeline, find_version
from tandem.evals.rows import read_lines
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.settings import read_settings

WORDS = 30
SHIFT = 4
"""Words between two cuts of the same text."""
PART = 16_384
"""Vectors in a file."""
DOCUMENT = 10  # chunks
QUESTIONS = 150
FIELDS = ("text", "passage", "answer", "paragraphs")
Vectors = NDArray[np.float16]


def read_passages(data: Path, count: int) -> list[str]:
    """`count` different pieces of the collections' texts, in a mixed order that is always the same."""
    texts = [text.split() for text in _texts(data)]
    found: dict[str, None] = {}
    for shift in range(0, WORDS, SHIFT):
        cuts = (words[at : at + WORDS] for words in texts for at in range(shift, len(words) - WORDS // 2, WORDS))
        pieces = [piece for piece in dict.fromkeys(map(" ".join, cuts)) if piece not in found]
        random.Random(0).shuffle(pieces)
        found |= dict.fromkeys(pieces)
        if len(found) >= count:
            return list(found)[:count]
    raise SystemExit(f"{data} holds {len(found)} different passages only.")


def read_questions(data: Path) -> list[str]:
    rows = [row.get("question") or row["text"] for path in sorted(data.glob("*/q*.jsonl.gz")) for row in _rows(path)]
    return random.Random(1).sample(rows, QUESTIONS)


async def embed(bench: Workbench, passages: list[str], kept: Path | None) -> Vectors:
    parts: list[Vectors] = []
    for start in range(0, len(passages), PART):
        part = passages[start : start + PART]
        file = kept / f"{start}.npy" if kept else None
        if file and os.path.exists(file) and len(known := np.load(file)) >= len(part):  # noqa: ASYNC240, PTH110
            parts.append(known[: len(part)])
            continue
        parts.append(np.asarray(await bench.model.embed(part, bulk=True), np.float16))
        if file:
            np.save(file, parts[-1])
        print(f"\rembedded {start + len(part)}", end="", flush=True)
    return np.concatenate(parts)


async def fill(bench: Workbench, version: int, passages: list[str], vectors: Vectors, start: int) -> None:
    """Documents of ten chunks each, as the worker writes them."""
    for first in range(0, len(passages), DOCUMENT):
        texts = passages[first : first + DOCUMENT]
        chunks = [
            IndexedChunk(
                Chunk(place, "", text),
                f"{start + first + place}".encode(),
                vectors[first + place].astype(np.float32),
                weigh_terms(count_terms(text), OF_CHUNK),
            )
            for place, text in enumerate(texts)
        ]
        async with bench.database.transaction() as connection:
            cursor = await connection.execute(
                b"INSERT INTO documents (source_id, path, workspace, audience, title, uri, state, indexed_at)"
                b" SELECT id, %(path)s, workspace, audience, '', '', 'indexed', now() FROM sources RETURNING id",
                {"path": f"{start + first}"},
            )
            [row] = await cursor.fetchall()
            terms = weigh_terms(count_terms("\n".join(texts)), OF_DOCUMENT)
            await swap_chunks(connection, row["id"], version, chunks, terms)


async def ask(
    bench: Workbench, questions: Iterable[str], exact_up_to: int
) -> tuple[list[SearchResult], dict[str, float]]:
    searching.EXACT_UP_TO = exact_up_to
    results, milliseconds = [], []
    for question in questions:
        began = time.perf_counter()
        results.append(await search(bench.database, bench.model, question, VIEWER))
        milliseconds.append(1000 * (time.perf_counter() - began))
    p50, p95 = np.percentile(milliseconds, [50, 95]).round(1).tolist()
    return results, {"p50": p50, "p95": p95}


async def compare_scans(bench: Workbench, version: int, size: int, questions: list[str]) -> float:
    """The share of the nearest hundred that the index finds."""
    shares = []
    breadth = searching.CANDIDATES * (3 if size > searching.WIDE_BEYOND else 2)
    for vector in await bench.model.embed(questions):
        found = []
        for query in (
            b"SELECT id FROM find_nearest_by_comparison(%s, %s, 100, NULL) AS id",
            b"SELECT id FROM find_nearest_by_index(%s, %s, 100, NULL, %s) AS id",
        ):
            values = (version, HalfVector(vector), breadth)[: query.count(b"%s")]
            async with read_as(bench.database, VIEWER) as connection:
                rows = await (await connection.execute(query, values)).fetchall()
            found.append({row["id"] for row in rows})
        shares.append(len(found[0] & found[1]) / len(found[0]))
    return round(statistics.mean(shares), 4)


async def measure(data: Path, sizes: list[int], kept: Path | None) -> None:
    passages, questions = read_passages(data, max(sizes)), read_questions(data)
    async with open_workbench(read_settings()) as bench:
        vectors = await embed(bench, passages, kept)
        version = await find_version(bench.database, await describe_pipeline(bench.model))
        for start, size in itertools.pairwise([0, *sorted(sizes)]):
            await bench.database.execute(b"DROP INDEX IF EXISTS chunks_by_embedding")
            await fill(bench, version, passages[start:size], vectors[start:size], start)
            await bench.database.execute(b"VACUUM ANALYZE")
            print(json.dumps(await _measure_size(bench, version, size, questions)), flush=True)


async def _measure_size(bench: Workbench, version: int, size: int, questions: list[str]) -> dict[str, Any]:
    await ask(bench, questions[:20], size)
    exact, exact_ms = await ask(bench, questions, size)
    began = time.perf_counter()
    await keep_vector_index(bench.database, exact_up_to=0)
    built_s = time.perf_counter() - began
    await ask(bench, questions[:20], 0)
    near, near_ms = await ask(bench, questions, 0)
    same = [
        len({hit.chunk_id for hit in one.hits} & {hit.chunk_id for hit in other.hits}) / max(1, len(one.hits))
        for one, other in zip(exact, near, strict=True)
    ]
    return {
        "chunks": size,
        "each_compared_ms": exact_ms,
        "by_index_ms": near_ms,
        "nearest_100_found": await compare_scans(bench, version, size, questions),
        "same_10_hits": round(statistics.mean(same), 4),
        "index_built_s": round(built_s, 1),
    }


def _texts(data: Path) -> Iterator[str]:
    for path in sorted([*data.glob("*/corpus.jsonl*"), *data.glob("*/qa.jsonl*")]):
        for row in _rows(path):
            for field in FIELDS:
                value = row.get(field, "")
                yield " ".join(value) if isinstance(value, list) else value


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for _, line in read_lines(path, remedy="Give a folder of collections."))


def main(
    data: Path,
    chunks: Annotated[list[int], typer.Option(help="How many; give it once for each size.")],
    vectors: Annotated[Path | None, typer.Option(file_okay=False, exists=True, help="Where vectors are kept.")] = None,
) -> None:
    asyncio.run(measure(data, chunks, vectors))


if __name__ == "__main__":
    typer.run(main)
