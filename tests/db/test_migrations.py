"""Migrations are applied once, in order, keep what a filled database holds, and refuse a database they do not fit."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tandem.db.migrations import list_migrations, migrate
from tandem.errors import MigrationError


@pytest.fixture
def empty_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return database_url


def test_numbers_have_no_gaps() -> None:
    numbers = [migration.number for migration in list_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_empty_database_gets_every_migration_once(empty_url: str) -> None:
    assert migrate(empty_url) == [migration.name for migration in list_migrations()]
    assert migrate(empty_url) == []


def test_two_processes_that_start_together_migrate_once(empty_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(migrate, [empty_url, empty_url]))
    assert sorted(map(len, applied)) == [0, len(list_migrations())]


def test_each_migration_keeps_what_the_earlier_tables_hold(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applies them one at a time, and fills the tables as soon as they are there."""
    known = list_migrations()
    rows = {
        "0001": "INSERT INTO sources (name, kind, location, workspace, audience, added_by)"
        " VALUES ('a', 'folder', '/a', '*', 'everyone', 'me');"
        "INSERT INTO index_versions (pipeline, chunks, is_current) VALUES ('{}', 2, true);"
        "INSERT INTO documents (source_id, path, workspace, audience, title, uri, state, version_id)"
        " VALUES (1, 'a.md', '*', 'everyone', 'A', 'file:///a.md', 'indexed', 1);"
        "INSERT INTO looks (source_id, requested_by, retry_failed, accept_removals) VALUES (1, 'me', true, false);"
        "INSERT INTO chunks"
        " (document_id, version_id, position, heading, text, hash, embedding, terms, workspace, audience)"
        " SELECT 1, 1, n, '', 'a', 'a', array_fill(0, ARRAY[384])::halfvec, terms::sparsevec, '*', audience"
        " FROM (VALUES (1, '{1:1.5,8:2}/1000000000', 'everyone'), (2, '{8:1}/1000000000', 'hr'))"
        " AS rows (n, terms, audience);"
        "INSERT INTO term_frequencies VALUES (1, 0, 1), (1, 7, 2)",
        "0004": "INSERT INTO uploads (source_id, name, content, hash, uploaded_by) VALUES (1, 'a.md', 'A', '1', 'me')",
        "0003": "INSERT INTO answers (id, question_id, conversation, question, standalone, answer, route, citations,"
        " receipt, inputs) VALUES ('a', 'q', 'c', 'Why?', 'Why?', 'So.', 'direct', '[]', '{}', '{}')",
        "0008": "INSERT INTO corrections (answer_id, person, text) VALUES ('a', 'ann', 'Because.');"
        "INSERT INTO examples (project, task, messages, place, origin, licence, author)"
        " VALUES ('house', 'tone', '[]', 'a.jsonl:1', 'a', 'own', 'ann');"
        "INSERT INTO examples (project, task, messages, place, origin, licence, author, documents)"
        " VALUES ('house', 'answers', '[]', 'answer:a', 'c', 'own', 'ann',"
        ' \'[{"id": 1, "source": "a", "path": "file:///a.md"}, {"id": 9, "source": "b", "path": "gone"}]\');'
        "INSERT INTO example_sides VALUES ('house', 'a', 'held-out')",
        "0009": "INSERT INTO answers (id, question_id, conversation, question, standalone, answer, route, citations,"
        " receipt, inputs) VALUES ('b', 'r', 'c', 'Why?', 'Why?', 'So.', 'direct', '[]', '{}', '{}');"
        "INSERT INTO graded_questions"
        " (answer_id, embedding, workspace, audiences, inputs, adapter, direct_right, grounded_right, graded_by)"
        " SELECT id, array_fill(0, ARRAY[384])::halfvec, '*', '{}', '{}', 'reader', 1, 1, graded_by"
        " FROM (VALUES ('a', 'correction'), ('b', 'support')) AS graded (id, graded_by);"
        "INSERT INTO router_fits (models, report, passed) VALUES ('{}', '{}', true),"
        " ('{\"grounded\": {\"lows\": []}}', '{}', true)",
    }
    for count in range(1, len(known) + 1):
        monkeypatch.setattr("tandem.db.migrations.list_migrations", lambda count=count: known[:count])
        assert migrate(empty_url) == [known[count - 1].name]
        if sql := rows.get(known[count - 1].name[:4]):
            with psycopg.connect(empty_url, autocommit=True) as connection:
                connection.execute(sql.encode())
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT name, options FROM sources").fetchall() == [("a", {})]
        assert connection.execute("SELECT content FROM uploads").fetchall() == [(b"A",)]
        assert connection.execute("SELECT DISTINCT answer FROM answers").fetchall() == [("So.",)]
        assert connection.execute("SELECT workspace, audiences FROM answers WHERE id = 'a'").fetchall() == [
            (None, None)
        ]
        assert connection.execute("SELECT answer_id FROM graded_questions").fetchall() == [("a",)]
        connection.execute("UPDATE graded_questions SET direct_right = NULL")
        assert connection.execute("SELECT adapter FROM router_fits").fetchall() == [("reader",)]
        connection.execute("UPDATE answers SET route = 'asked'")
        assert connection.execute(
            "SELECT path, state, versions, lag_s FROM standings JOIN documents USING (id, path, state)"
        ).fetchall() == [("a.md", "indexed", [1], None)]
        assert connection.execute("SELECT state FROM looks").fetchall() == [("queued",)]
        found = connection.execute(
            "SELECT audience, term, documents, chunks FROM term_frequencies ORDER BY 1, 2"
        ).fetchall()
        assert found == [("everyone", 0, 1, 1), ("everyone", 7, 1, 1), ("hr", 7, 1, 1)]
        assert connection.execute("SELECT audience, documents, chunks FROM index_sizes ORDER BY 1").fetchall() == [
            ("everyone", 1, 1),
            ("hr", 1, 1),
        ]
        assert connection.execute("SELECT text FROM corrections").fetchall() == [("Because.",)]
        assert connection.execute("SELECT state, side FROM examples JOIN example_sides USING (origin)").fetchall() == [
            ("proposed", "held-out")
        ]
        found = connection.execute("SELECT documents FROM examples WHERE place = 'answer:a'").fetchall()
        assert [[seen["path"] for seen in documents] for (documents,) in found] == [["a.md", "gone"]]
        assert connection.execute("SELECT DISTINCT added_hash = md5(messages::text) FROM examples").fetchall() == [
            (True,)
        ]
        assert connection.execute("SELECT path, language FROM documents").fetchall() == [("a.md", None)]
        assert connection.execute("SELECT term_ids FROM chunks ORDER BY id").fetchall() == [([0, 7],), ([7],)]


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO schema_migrations (number, name, digest) VALUES (9999, 'later', '')")
    with pytest.raises(MigrationError, match="9999"):
        migrate(database_url)


def test_a_migration_that_was_changed_after_it_had_been_applied_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE schema_migrations SET digest = 'other' WHERE number = 1")
    with pytest.raises(MigrationError, match="0001"):
        migrate(database_url)
