"""The statements that search runs use both indexes, and the exact scan uses none."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pgvector import SparseVector

from index.analyser import DIMENSIONS
from index.audience import Viewer
from index.reader import read_as
from index.search import QUERIES
from index.vector_index import keep_vector_index
from tandem.db.pool import Database
from tests.index.conftest import ANYONE, Room

BY_VECTOR, BY_TERM = "chunks_by_embedding", "chunks_by_term"
BY_INDEX, BY_COMPARISON = "find_nearest_by_index", "find_nearest_by_comparison"
QUESTION = "parental leave after a birth"


@pytest.fixture
async def large(room: Room, folder: Path) -> AsyncIterator[Room]:
    """A small index with all that a large one has, before a planner to whom scans and sorts are dear: what it does not
    take from an index then cannot be had from one."""
    await room.look(await room.add(folder))
    await keep_vector_index(room.database, exact_up_to=0)
    [row] = await room.fetch("SELECT quote_ident(current_database()) AS name")
    for setting in ("enable_seqscan", "enable_sort"):
        await room.database.execute(f"ALTER DATABASE {row['name']} SET {setting} = off".encode())
    async with Database.open(room.settings) as database:
        yield replace(room, database=database)


async def tell(room: Room, monkeypatch: pytest.MonkeyPatch, statement: bytes, viewer: Viewer = ANYONE) -> str:
    """What a statement in the place of search's own says, with its parameters, as its role, in its transaction."""
    said: list[str] = []

    def listen(rows: list[dict[str, Any]], k: int) -> list[object]:
        said.extend(_lines(rows))
        return []

    with monkeypatch.context() as patch:
        patch.setitem(QUERIES, "search", statement)
        patch.setattr("index.search.fold_duplicates", listen)
        await room.search(QUESTION, viewer)
    return "\n".join(said)


async def test_a_large_index_is_searched_by_its_vectors_index_and_a_small_one_exactly(
    large: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = b"EXPLAIN " + QUERIES["search"]
    exact = await tell(large, monkeypatch, explain)
    assert "document_terms" in exact
    assert BY_COMPARISON in exact
    assert BY_INDEX not in exact
    monkeypatch.setattr("index.search.EXACT_UP_TO", 1)
    plan = await tell(large, monkeypatch, explain)
    assert BY_INDEX in plan
    assert BY_COMPARISON not in plan


async def test_who_sees_a_part_of_a_large_index_has_all_of_it_compared(
    large: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("hr", "more"):
        await large.look(await large.add(folder, name=name, audience="hr"))
    monkeypatch.setattr("index.search.EXACT_UP_TO", 1)
    explain = b"EXPLAIN " + QUERIES["search"]
    assert BY_COMPARISON in await tell(large, monkeypatch, explain)
    assert BY_INDEX in await tell(large, monkeypatch, explain, Viewer("test", frozenset({"hr"})))
    monkeypatch.setattr("index.search.EXACT_OF_A_PART", 1)
    assert BY_INDEX in await tell(large, monkeypatch, explain)


@pytest.mark.parametrize("plans", ["custom", "generic"])
async def test_by_meaning_the_one_function_takes_the_index_and_the_other_none(
    room: Room, folder: Path, plans: str
) -> None:
    """Their own statements, as their caller and with their settings, whether or not the plan knows the question; over a
    few passages, which the planner would rather sort."""
    await room.look(await room.add(folder))
    await keep_vector_index(room.database, exact_up_to=0)
    await room.database.execute(b"ANALYZE chunks")
    for plan in await find_plans(room, BY_INDEX, plans):
        assert re.search(rf"Index Scan using {BY_VECTOR} .*\n.*Order By: \(embedding <=> ", plan)
    for plan in await find_plans(room, BY_COMPARISON, plans):
        assert BY_VECTOR not in plan


async def find_plans(room: Room, function: str, plans: str) -> list[str]:
    """Of each statement that the function returns the rows of."""
    [row] = await room.fetch(
        "SELECT prosrc, proconfig AS settings FROM pg_proc WHERE proname = %(name)s", name=function
    )
    types = {
        "version": "int",
        "question": "halfvec",
        "n": "int",
        "narrowed": "bigint[]",
        "workspaces": "text[]",
        "audiences": "text[]",
        "breadth": "int",
    }
    found = []
    async with read_as(room.database, ANYONE) as connection:
        for setting in (f"plan_cache_mode=force_{plans}_plan", *row["settings"]):
            name, _, value = setting.partition("=")
            await connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        for body in re.findall(r"RETURN QUERY (?:EXECUTE\s+')?(SELECT [^;']*)", row["prosrc"]):
            for place, name in enumerate(types, 1):
                body = re.sub(rf"\b{name}\b", f"${place}", body)
            await connection.execute(f"PREPARE asked ({', '.join(types.values())}) AS {body}".encode())
            vector = "array_fill(0.1, ARRAY[384])::halfvec"
            values = f"1, {vector}, 100, '{{1,2}}', '{{*}}', '{{everyone}}', 200"
            cursor = await connection.execute(f"EXPLAIN EXECUTE asked ({values})".encode())
            found.append("\n".join(_lines(await cursor.fetchall())))
            await connection.execute(b"DEALLOCATE asked")
    assert found
    return found


async def test_words_are_found_by_their_index(room: Room, folder: Path) -> None:
    """The function's own statement, with its variables bound to values, among enough passages for it to be worth it."""
    await room.look(await room.add(folder))
    await room.database.execute(
        b"INSERT INTO chunks (document_id, version_id, position, heading, text, hash, embedding, terms, term_ids,"
        b" workspace, audience) SELECT document_id, version_id, 1000 + n, heading, text, hash, embedding, terms,"
        b" ARRAY[n], workspace, audience FROM (SELECT * FROM chunks ORDER BY id LIMIT 1) c, generate_series(1, 2000) n"
    )
    await room.database.execute(b"ANALYZE chunks")
    [row] = await room.fetch("SELECT prosrc FROM pg_proc WHERE proname = 'find_lexical_candidates'")
    [body] = re.findall(r"RETURN QUERY(.*?);", row["prosrc"], re.DOTALL)
    types = {
        "version": "int",
        "shared": "int[]",
        "question": "sparsevec",
        "n": "int",
        "narrowed": "bigint[]",
        "own_workspace": "text",
        "own_audiences": "text[]",
    }
    for name, kind in types.items():
        body = re.sub(rf"\b{name}\b", f"%({name})s::{kind}", body)
    [known] = await room.fetch("SELECT version_id, term_ids FROM chunks ORDER BY id LIMIT 1")
    terms = known["term_ids"]
    values = {
        "version": known["version_id"],
        "shared": terms[:1],
        "question": SparseVector(dict.fromkeys(terms, 1.0), DIMENSIONS),
        "n": 100,
        "narrowed": None,
        "own_workspace": "test",
        "own_audiences": [],
    }
    assert await room.fetch(body, **values), "it is the function's statement, and finds what it finds"
    assert BY_TERM in "\n".join(_lines(await room.fetch(f"EXPLAIN {body}", **values)))


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    return [str(value) for row in rows for value in row.values()]
