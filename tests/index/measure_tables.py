"""How should a table's rows be written, to be found? `python -m tests.index.measure_tables docs/*.md`: a line a way.

Two tables of 200 rows, among the documents that are named, and 360 questions about one cell each, by the search that
answers. A passage is right when it holds the whole row.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from index.analyser import OF_CHUNK, OF_DOCUMENT, count_terms, weigh_terms
from index.chunks import cut_chunks, estimate_tokens
from index.search import search
from index.swap import IndexedChunk, swap_chunks
from index.tables import write_record
from index.versions import describe_pipeline, find_version
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.settings import read_settings

Rows = Sequence[Sequence[str]]
FIRST = [
    "Ann",
    "Bob",
    "Carla",
    "Deniz",
    "Elif",
    "Farid",
    "Greta",
    "Hana",
    "Ivan",
    "Jonas",
    "Kira",
    "Lars",
    "Mina",
    "Noor",
    "Oskar",
    "Pia",
    "Quentin",
    "Rosa",
    "Samir",
    "Tara",
]
LAST = [
    "Abel",
    "Berg",
    "Costa",
    "Dietz",
    "Engel",
    "Funk",
    "Gupta",
    "Haas",
    "Ito",
    "Jansen",
    "Klein",
    "Lang",
    "Meyer",
    "Novak",
    "Olsen",
    "Peters",
    "Quist",
    "Roth",
    "Tran",
]
TOWNS = ["Lisbon", "Oslo", "Vienna", "Porto", "Ghent", "Turin", "Malmo", "Graz", "Basel", "Cork"]
TEAMS = ["Finance", "Legal", "Support", "Platform", "Design", "Sales", "Security", "Research"]
KINDS = ["printer", "scanner", "badge reader", "projector", "coffee machine"]
STAFF = ("Name", "Department", "Office", "Phone extension", "Start date")
DEVICES = ("Inventory number", "Kind", "Office", "Floor", "Responsible person", "Purchase price")


def write_table(names: Sequence[str], rows: Rows) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [names, ["---"] * len(names), *rows])


def repeat_header(names: Sequence[str], rows: Rows) -> str:
    tables: list[list[Sequence[str]]] = [[]]
    for row in rows:
        if estimate_tokens(write_table(names, [*tables[-1], row])) > 170:
            tables.append([])
        tables[-1].append(row)
    return "\n".join(write_table(names, table) for table in tables)


def write_all_records(names: Sequence[str], rows: Rows) -> str:
    return "".join(write_record(names, row) for row in rows)


def make_questions(rng: random.Random) -> tuple[dict[str, tuple[Sequence[str], Rows]], list[tuple[str, Sequence[str]]]]:
    people = rng.sample([f"{first} {last}" for first in FIRST for last in LAST], 200)
    staff = [
        (who, rng.choice(TEAMS), rng.choice(TOWNS), str(rng.randrange(1000, 9999)), f"20{rng.randrange(12, 25)}-05-01")
        for who in people
    ]
    devices = [
        (
            f"{rng.choice(('HERON', 'OTTER', 'LYNX'))}-{n:03}",
            rng.choice(KINDS),
            rng.choice(TOWNS),
            str(rng.randrange(1, 9)),
            rng.choice(people),
            f"{rng.randrange(20, 900)} EUR",
        )
        for n in range(200)
    ]
    questions: list[tuple[str, Sequence[str]]] = [
        (question.format(row[0]), row)
        for rows, asked in (
            (staff, ("What is the phone extension of {}?", "When did {} start?", "Which department is {} in?")),
            (devices, ("Who is responsible for {}?", "On which floor is {}?", "What did {} cost?")),
        )
        for row in rng.sample(rows, 60)
        for question in asked
    ]
    return {"Staff": (STAFF, staff), "Devices": (DEVICES, devices)}, questions


async def measure(write: Callable[[Sequence[str], Rows], str], others: Sequence[tuple[str, str]]) -> str:
    tables, questions = make_questions(random.Random(4))
    texts = [(title, write(*table)) for title, table in tables.items()]
    async with open_workbench(read_settings()) as bench:
        version = await find_version(bench.database, await describe_pipeline(bench.model))
        for title, text in [*texts, *others]:
            await add_document(bench, version, title, text)
        firsts, threes = 0, 0
        for question, row in questions:
            hits = (await search(bench.database, bench.model, question, VIEWER, k=3)).hits
            right = [all(cell in hit.text for cell in row) for hit in hits]
            firsts += right[0]
            threes += any(right)
        [size] = await bench.database.fetch_all(b"SELECT count(*) AS chunks FROM chunks")
    return (
        f"{size['chunks']} passages; right first {firsts / len(questions):.2f},"
        f" among three {threes / len(questions):.2f}"
    )


async def add_document(bench: Workbench, version: int, title: str, text: str) -> None:
    """As the worker writes it, but for the extraction, which would make records of the table."""
    chunks = cut_chunks(title, text)
    contexts = [chunk.with_context(title) for chunk in chunks]
    vectors = await bench.model.embed(contexts, bulk=True)
    rows = [
        IndexedChunk(chunk, context.encode(), vector, weigh_terms(count_terms(context), OF_CHUNK))
        for chunk, context, vector in zip(chunks, contexts, vectors, strict=True)
    ]
    async with bench.database.transaction() as connection:
        cursor = await connection.execute(
            b"INSERT INTO documents (source_id, path, workspace, audience, title, uri, state, indexed_at)"
            b" SELECT id, %(title)s, workspace, audience, %(title)s, '', 'indexed', now() FROM sources RETURNING id",
            {"title": title},
        )
        [row] = await cursor.fetchall()
        terms = weigh_terms(count_terms(f"{title}\n{text}"), OF_DOCUMENT)
        await swap_chunks(connection, row["id"], version, rows, terms)


async def main() -> None:
    others = [(path.stem, path.read_text()) for path in map(Path, sys.argv[1:])]
    for write in (write_table, repeat_header, write_all_records):
        print(f"{write.__name__}: {await measure(write, others)}")


if __name__ == "__main__":
    asyncio.run(main())
