from pathlib import Path

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector, SparseVector

from index.analyser import DIMENSIONS
from index.audience import Viewer
from index.reader import read_as
from index.vector_index import keep_vector_index
from tandem.db.pool import Database
from tests.index.conftest import Room

TABLES = ("sources", "documents", "chunks", "looks")


async def count(database: Database, viewer: Viewer) -> list[int]:
    found = []
    async with read_as(database, viewer) as connection:
        for table in TABLES:
            [row] = await (await connection.execute(f"SELECT count(*) AS rows FROM {table}".encode())).fetchall()
            found.append(row["rows"])
    return found


async def test_a_viewer_reads_only_rows_of_their_workspace_and_audiences(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder, "open"))
    await room.look(await room.add(folder, "secret", audience="hr", workspace="slack:T1"))
    assert await count(room.database, Viewer("slack:T1", frozenset({"hr"}))) == [2, 6, 10, 2]
    for viewer in (Viewer("slack:T1"), Viewer("slack:T2", frozenset({"hr"})), Viewer("x", frozenset({'h"r', "h,r"}))):
        assert await count(room.database, viewer) == [1, 3, 5, 1]


async def test_the_functions_that_find_candidates_find_what_the_viewer_may_read(room: Room, folder: Path) -> None:
    """Also the one that has its owner's rights."""
    await room.look(await room.add(folder, "open"))
    await room.look(await room.add(folder, "secret", audience="hr", workspace="slack:T1"))
    await keep_vector_index(room.database, exact_up_to=0)
    [known] = await room.fetch(
        "SELECT version_id, array_agg(DISTINCT term) AS terms FROM chunks, unnest(term_ids) AS term GROUP BY 1"
    )
    values = {
        "version": known["version_id"],
        "terms": known["terms"],
        "words": SparseVector(dict.fromkeys(known["terms"], 1.0), DIMENSIONS),
        "vector": HalfVector(np.eye(1, 384)[0]),
    }
    for viewer, seen in ((Viewer("slack:T1", frozenset({"hr"})), 10), (Viewer("slack:T1"), 5), (Viewer(""), 0)):
        async with read_as(room.database, viewer) as connection:
            for call in (
                "find_nearest_by_comparison(%(version)s, %(vector)s, 100, NULL)",
                "find_nearest_by_index(%(version)s, %(vector)s, 100, NULL, 200)",
                "find_lexical_candidates(%(version)s, %(terms)s::int[], %(words)s, 100)",
            ):
                found = await (await connection.execute(f"SELECT * FROM {call}".encode(), values)).fetchall()
                assert len(found) == seen, call


async def test_a_viewer_is_told_whether_they_see_most_and_nobody_is_told(room: Room, folder: Path) -> None:
    """The owner's rights count what others see; half is most, five of fifteen are not."""
    await room.look(await room.add(folder, "open"))
    await room.look(await room.add(folder, "secret", audience="hr", workspace="slack:T1"))

    async def ask(viewer: Viewer) -> bool:
        async with read_as(room.database, viewer) as connection:
            cursor = await connection.execute("SELECT sees_most_of(id) AS most FROM index_versions")
            [row] = await cursor.fetchall()
            return bool(row["most"])

    assert await ask(Viewer("slack:T1", frozenset({"hr"})))
    assert await ask(Viewer("slack:T2"))
    await room.look(await room.add(folder, "more", audience="hr", workspace="slack:T1"))
    assert await ask(Viewer("slack:T1", frozenset({"hr"})))
    assert not await ask(Viewer("slack:T2"))
    assert not await ask(Viewer(""))


async def test_without_a_viewer_no_row_is_read(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    assert await count(room.database, Viewer("")) == [0, 0, 0, 0]
    async with room.database.transaction() as connection:
        await connection.execute("SET LOCAL ROLE tandem_reader")
        for table in TABLES:
            assert await (await connection.execute(f"SELECT * FROM {table}".encode())).fetchall() == []


async def test_what_has_expired_is_not_read(room: Room, folder: Path) -> None:
    (folder / "old.md").write_text("---\nexpires_at: 2020-01-01\n---\nThe offer of vacation vouchers.\n")
    (folder / "fresh.md").write_text("---\nexpires_at: 2120-01-01\n---\nThe offer of vacation flats.\n")
    progress = await room.look(await room.add(folder))
    assert progress.documents.added == 5
    assert await count(room.database, Viewer("x")) == [1, 4, 6, 1]
    texts = " ".join(hit.text for hit in (await room.search("offer of vacation")).hits)
    assert "flats" in texts
    assert "vouchers" not in texts


async def test_a_reader_cannot_write_or_take_its_rights_back_by_accident(room: Room) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with read_as(room.database, Viewer("x")) as connection:
            await connection.execute("SELECT * FROM jobs")
    with pytest.raises(psycopg.errors.Error):
        async with read_as(room.database, Viewer("x")) as connection:
            await connection.execute("DELETE FROM chunks")


async def test_the_next_user_of_the_connection_is_no_reader(database: Database) -> None:
    for _ in range(3):
        async with read_as(database, Viewer("x")):
            pass
    [row] = await database.fetch_all(
        b"SELECT current_user <> 'tandem_reader' AS free,"
        b" coalesce(current_setting('tandem.workspace', true), '') AS workspace"
    )
    assert row == {"free": True, "workspace": ""}
