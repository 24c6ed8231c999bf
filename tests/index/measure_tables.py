"""How should a table's rows be written, to be found? `python -m tests.index.measure_tables` prints a line for each way.

Two tables of 200 rows, 360 questions about one cell each. A passage is right when it holds the whole row.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from index.analyser import OF_CHUNK, count_terms, weigh_query, weigh_terms
from index.chunks import cut_chunks, estimate_tokens
from index.tables import write_record
from tandem.models.embedder import Embedder
from tandem.models.weights import PACKAGED_EMBEDDER, packaged_file

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


async def measure(embedder: Embedder, write: Callable[[Sequence[str], Rows], str]) -> str:
    tables, questions = make_questions(random.Random(4))
    passages = [
        chunk.with_context(title) for title, table in tables.items() for chunk in cut_chunks(title, write(*table))
    ]
    vectors = (await embedder.embed(passages)).vectors
    asked = (await embedder.embed([question for question, _ in questions])).vectors
    terms = [count_terms(passage) for passage in passages]
    weights = [weigh_terms(counts, OF_CHUNK) for counts in terms]
    frequencies = Counter(term for counts in terms for term in counts)
    lexical = np.array(
        [
            [sum(stored.get(term, 0) * weight for term, weight in query.items()) for stored in weights]
            for query in (weigh_query(count_terms(question), frequencies, len(passages)) for question, _ in questions)
        ]
    )
    hybrid = 0.8 * (1 + asked @ vectors.T) / 2 + 0.2 * lexical / lexical.max(axis=1, keepdims=True)
    order = np.argsort(-hybrid, axis=1)
    right = np.array([[all(cell in passage for cell in row) for passage in passages] for _, row in questions])
    found = np.take_along_axis(right, order, axis=1)
    return (
        f"{len(passages)} passages; right first {found[:, 0].mean():.2f}, among three {found[:, :3].any(1).mean():.2f}"
    )


async def main() -> None:
    embedder = Embedder(packaged_file(*PACKAGED_EMBEDDER).parent, threads=2, queue=8)
    embedder.start()
    for write in (write_table, repeat_header, write_all_records):
        print(f"{write.__name__}: {await measure(embedder, write)}")
    embedder.close()


if __name__ == "__main__":
    asyncio.run(main())
