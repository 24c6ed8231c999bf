"""Questions in a thread: alone, or with the one before? `python -m tests.graph.measure_followups`.

No test: it prints the figures of docs/retrieval.md, and needs the public handbook where tests/test_handbook.py does.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from graph.followup import make_standalone
from graph.nodes.retrieve import PASSAGES, stands_alone
from index.search import SearchResult, search
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.settings import read_settings
from tests.test_handbook import write_handbook

FILES = ("dialogues.jsonl", "short_questions.jsonl")


async def measure() -> None:
    async with open_workbench(read_settings()) as bench:
        write_handbook(bench.folder)
        await bench.look()
        for name in FILES:
            lines = Path(__file__).with_name(name).read_text().splitlines()
            rows = [row for row in map(json.loads, lines) if row.get("pages")]
            ranks = [await compare(bench, row) for row in rows]
            for leans, what in ((True, "follow-ups"), (False, "another subject")):
                mine = [rank for rank, row in zip(ranks, rows, strict=True) if row["leans"] is leans]
                for way in ("alone", "joined", "chosen"):
                    first, among_three = count(rank[way] for rank in mine)
                    print(f"{name}, {what} ({len(mine)}), {way}: right page first {first}, among three {among_three}")


async def compare(bench: Workbench, row: dict[str, Any]) -> dict[str, int | None]:
    """The right page's rank for each way of searching."""
    chosen = make_standalone(row["question"], [row["earlier"]])
    alone, joined = await find(bench, row["question"]), await find(bench, f"{row['earlier']} {row['question']}")
    is_alone = chosen.text == row["question"] or (chosen.alone is not None and stands_alone(alone, joined))
    found = {"alone": alone, "joined": joined, "chosen": alone if is_alone else joined}
    return {way: rank_page(one, row["pages"]) for way, one in found.items()}


async def find(bench: Workbench, question: str) -> SearchResult:
    return await search(bench.database, bench.model, question, VIEWER, k=PASSAGES)


def rank_page(found: SearchResult, pages: Sequence[str]) -> int | None:
    return next((rank for rank, hit in enumerate(found.hits, 1) if hit.uri.endswith(tuple(pages))), None)


def count(ranks: Iterable[int | None]) -> tuple[int, int]:
    found = [rank for rank in ranks if rank is not None]
    return sum(rank == 1 for rank in found), sum(rank <= 3 for rank in found)


if __name__ == "__main__":
    asyncio.run(measure())
