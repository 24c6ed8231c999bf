"""`tandem bench retrieval` and `replay` keep their JSON contracts, say what is wrong, and leave no database behind."""

import asyncio
import gzip
import json
import lzma
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
import pytest

from tandem.db.scratch import PREFIX
from tandem.settings import Settings

START_S = 30


class Bench:
    """Runs the real command in a process of its own, on the test's Postgres and model server."""

    def __init__(self, settings: Settings) -> None:
        self.conninfo = settings.database_url or ""
        self._environment = os.environ | {
            "TANDEM_HOME": str(settings.home),
            "DATABASE_URL": self.conninfo,
            "MODEL_URL": settings.model_url or "",
            "COLUMNS": "160",
        }

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "tandem", "bench", *arguments)
        return await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=pipe, stderr=pipe)

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        process = await self.start(*arguments)
        output, errors = await process.communicate()
        assert self.scratch(process.pid) == 0
        assert b"Traceback" not in errors
        return process.returncode or 0, output.decode(), errors.decode()

    def scratch(self, pid: int) -> int:
        """How many databases of that process there are."""
        with psycopg.connect(self.conninfo) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_database WHERE datname ^@ %s", (f"{PREFIX}{pid}_",)
            ).fetchone()
        assert row
        return int(row[0])


@pytest.fixture
def bench(model_settings: Settings) -> Bench:
    return Bench(model_settings)


def pack(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    data = "\n".join(map(json.dumps, rows)).encode()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    elif path.suffix == ".xz":
        data = lzma.compress(data)
    path.write_bytes(data)


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "collection"
    folder.mkdir()
    places = ("Leipzig", "Graz", "Basel")
    pack(
        folder / "corpus.jsonl.gz",
        [{"_id": p, "title": f"Office {p}", "text": f"The office in {p} opens at nine."} for p in places],
    )
    pack(folder / "queries.jsonl", [{"_id": p, "text": f"When does the office in {p} open?"} for p in places])
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{p}\t{p}\t1\n" for p in places))
    return folder


@pytest.fixture
def history(tmp_path: Path) -> Path:
    folder = tmp_path / "history"
    folder.mkdir()
    pack(folder / "blobs.jsonl.xz", [{"blob": str(n), "text": f"# Leave\n\n{n} days a year.\n"} for n in range(4)])
    rows = [
        {"commit": f"c{n}", "status": "M" if n else "A", "path": "leave.md", "blob": str(n), "old": None}
        for n in range(4)
    ]
    pack(folder / "events.jsonl.gz", rows)
    return folder


async def test_retrieval_prints_its_contract(bench: Bench, collection: Path) -> None:
    status, output, errors = await bench.run("retrieval", str(collection), "--json")
    assert status == 0, errors
    measured = json.loads(output)
    assert (measured["queries"], measured["documents"], measured["chunks"]) == (3, 3, 3)
    for name in ("ndcg@10", "recall@100", "mrr@10"):
        assert measured[name] == {"lexical": 1.0, "dense": 1.0, "hybrid": 1.0}
    assert set(measured["latency_ms"]) == {"p50", "p95"}
    assert set(measured["index"]) == {"chunks_per_s", "bytes_per_chunk"}
    assert len(measured) == 8


async def test_people_get_tables(bench: Bench, collection: Path, history: Path) -> None:
    status, output, errors = await bench.run("retrieval", str(collection))
    assert status == 0, errors
    assert "3 queries, 3 documents, 3 passages" in output
    status, output, errors = await bench.run("replay", str(history), "--commits", "2")
    assert status == 0, errors
    assert "stale 0, missing 0, doubled 0" in output
    assert "2 commits with 2 changed documents; of their passages 100.0% were embedded" in output


async def test_replay_prints_its_contract(bench: Bench, history: Path) -> None:
    status, output, errors = await bench.run("replay", str(history), "--from", "c1", "--commits", "2", "--json")
    assert status == 0, errors
    measured = json.loads(output)
    assert (measured["commits"], measured["from"], measured["to"]) == (2, "c1", "c2")
    assert measured["passages"] == {"stale": 0, "missing": 0, "doubled": 0}
    assert measured["changed_documents"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_whoever_ends_it_finds_no_database_left(bench: Bench, collection: Path, number: signal.Signals) -> None:
    names = ["Leipzig", "Graz", "Basel", *map(str, range(3000))]
    pack(collection / "corpus.jsonl.gz", [{"_id": name, "text": f"The log of {name} is here."} for name in names])
    process = await bench.start("retrieval", str(collection))
    async with asyncio.timeout(START_S):
        while not bench.scratch(process.pid):
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert process.returncode is None
        process.send_signal(number)
        _, errors = await process.communicate()
    assert process.returncode == 130, errors
    assert bench.scratch(process.pid) == 0
    assert b"Traceback" not in errors


async def test_what_is_wrong_is_said(bench: Bench, collection: Path, history: Path, tmp_path: Path) -> None:
    (collection / "queries.jsonl").write_text('{"_id": "Graz", "te')
    blobs = history / "blobs.jsonl.xz"
    blobs.write_bytes(blobs.read_bytes()[:40])
    for arguments, status, said in (
        (("retrieval", str(collection)), 1, "queries.jsonl, line 1: Invalid JSON"),
        (("retrieval", str(history)), 1, "holds no corpus.jsonl"),
        (("retrieval",), 2, "Missing argument 'DIR'"),
        (("replay", str(history)), 1, "blobs.jsonl.xz is cut short or damaged"),
        (("replay", str(tmp_path / "nowhere")), 1, "There is no folder"),
        (("replay", str(history), "--commits", "-1"), 2, "--commits"),
    ):
        found = await bench.run(*arguments)
        assert found[0] == status, found
        assert said in found[2].replace("\n", " "), found
