"""Nothing of a document reaches a viewer of another audience or workspace, by any path that reads.

What they get is compared with what they got before the document was there: not a word, score or count may differ.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from pgvector import SparseVector
from psycopg import sql

from bots.commands import explain, reindex, show_sources
from bots.reviews import RulingRefused, decide, present_notice
from bots.surface import Event
from graph.agent import Agent
from graph.answers import Answer, Done, Question
from index.analyser import DIMENSIONS
from index.audience import Viewer
from index.audit import list_entries
from index.filters import Filters, read_filters
from index.jobs import enqueue_look, read_look, run_next_job
from index.reviews import RULINGS, list_untold
from index.search import SearchResult, search
from index.sources import Source, add_source, list_statuses
from tandem.cli.ask import describe_answer
from tandem.cli.workplace import terminal_viewer
from tandem.db.pool import Database
from tandem.errors import SourceError
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tests.bots.scripted import Lines

INSIDER = Viewer("slack:T1", frozenset({"hr"}))
OUTSIDERS = {
    "another audience": Viewer("slack:T1", frozenset({"slack:C2", "everyone", "*", "HR", "hr,x", '"hr"'})),
    "another workspace": Viewer("slack:T2", frozenset({"hr"})),
    "the terminal": terminal_viewer(None),
    "nobody": Viewer(""),
}
SECRETS = ("zanzibarium", "7131", "payroll", "vault")
PUBLIC = "# Badges\n\nNew badges are made every Wednesday. Project plans are kept by the front desk.\n"
SECRET = "# Zanzibarium\n\nProject zanzibarium pays 7131 euros a month. Badges for it are made by payroll.\n"
QUERIES = ("What does project zanzibarium pay a month?", "badges made by payroll", "On which day are badges made?")


@pytest.fixture(params=OUTSIDERS)
def outsider(request: pytest.FixtureRequest) -> Viewer:
    return OUTSIDERS[request.param]


@pytest.fixture
async def model(model_settings: Settings) -> AsyncIterator[ModelClient]:
    async with ModelClient.open(model_settings) as client:
        yield client


class House:
    """A source for everybody; and, once let in, one for `hr` in one workspace, with a file that cannot be read."""

    def __init__(self, settings: Settings, database: Database, model: ModelClient, folder: Path) -> None:
        self.settings, self.database, self.model, self.folder = settings, database, model, folder

    async def open(self) -> Source:
        return await self.index("house", {"badges.md": PUBLIC.encode()}, "everyone", "*")

    async def let_in_the_secret(self) -> Source:
        pages = {"zanzibarium.md": SECRET.encode(), "vault.docx": b"no archive at all"}
        return await self.index("payroll", pages, "hr", "slack:T1")

    async def drain(self) -> None:
        while await run_next_job(self.database, self.model, self.settings, worker="test"):
            pass

    async def search(self, viewer: Viewer) -> list[SearchResult]:
        return [await search(self.database, self.model, query, viewer) for query in QUERIES]

    async def index(self, name: str, pages: dict[str, bytes], audience: str, workspace: str) -> Source:
        folder = self.folder / name
        folder.mkdir()
        for page, data in pages.items():
            (folder / page).write_bytes(data)
        source = await add_source(
            self.database, folder, name=name, audience=audience, workspace=workspace, added_by="test"
        )
        await enqueue_look(self.database, self.settings, source, requested_by="test")
        await self.drain()
        return source


@pytest.fixture
async def house(model_settings: Settings, database: Database, model: ModelClient, tmp_path: Path) -> House:
    house = House(model_settings, database, model, tmp_path)
    await house.open()
    return house


@pytest.fixture
async def agent(house: House) -> AsyncIterator[Agent]:
    async with Agent.open(house.settings, house.database, house.model) as opened:
        yield opened


def check_silent(*told: object) -> None:
    text = " ".join(map(str, told)).lower()
    assert not [secret for secret in SECRETS if secret in text], text


def event(text: str, viewer: Viewer, conversation: str = "elsewhere") -> Event:
    return Event("test:1", "test", "reindex", conversation, viewer, "U1", text)


async def ask(agent: Agent, text: str, viewer: Viewer, identity: str, conversation: str = "") -> Answer:
    question = Question(identity, text, conversation or identity, viewer)
    *_, done = [happened async for happened in agent.answer(question)]
    assert isinstance(done, Done)
    return done.answer


async def test_search_finds_the_same_to_the_last_digit(house: House, outsider: Viewer) -> None:
    before = await house.search(outsider)
    await house.let_in_the_secret()
    assert await house.search(outsider) == before
    check_silent(before)
    seen = await house.search(INSIDER)
    assert "7131" in seen[0].hits[0].text
    assert seen[0].known_share > before[0].known_share


async def test_filters_let_nobody_see_or_learn_of_more(house: House, outsider: Viewer) -> None:
    """Also of the secret's own source, by name: it is refused in the words for one that is not there."""
    wanted = Filters(sources=frozenset({"payroll", "house"}), since=datetime(2000, 1, 1, tzinfo=UTC))

    async def tell() -> list[object]:
        told: list[object] = [
            await search(house.database, house.model, query, outsider, filters=wanted) for query in QUERIES
        ]
        with pytest.raises(SourceError) as error:
            await read_filters(house.database, outsider, sources=["payroll"], languages=[], since=None)
        return [*told, str(error.value).replace("payroll", "")]

    before = await tell()
    await house.let_in_the_secret()
    assert await tell() == before
    check_silent(before)
    seen = await search(house.database, house.model, QUERIES[0], INSIDER, filters=wanted)
    assert "7131" in seen.hits[0].text


async def test_an_answer_its_citations_and_its_receipt_are_the_same(house: House, agent: Agent) -> None:
    """For one viewer of another audience: answers take longer than searches, which every viewer makes above."""
    outsider = OUTSIDERS["another audience"]
    before = [await ask(agent, query, outsider, f"before {query}") for query in QUERIES]
    await house.let_in_the_secret()
    after = [await ask(agent, query, outsider, f"after {query}") for query in QUERIES]
    for old, new in zip(before, after, strict=True):
        assert (new.route, new.answer, new.citations) == (old.route, old.answer, old.citations)
        assert new.receipt.reasons == old.receipt.reasons
        check_silent(json.dumps(describe_answer(new) | {"question": "", "answer": ""}))
    assert "7131" in json.dumps(describe_answer(await ask(agent, QUERIES[0], INSIDER, "insider")))


async def test_asking_back_names_only_what_the_viewer_may_read(house: House, agent: Agent) -> None:
    """An insider has two printers to choose from; for an outsider there is one, and nothing to ask."""
    north = b"# The north printer\n\nThe printer stands in the north hall, next to the lift.\n"
    south = b"# The south printer\n\nThe printer stands in the south hall, behind the vault.\n"
    await house.index("printers", {"north.md": north}, "everyone", "*")
    outsider, asked = OUTSIDERS["another audience"], "Where does the printer stand?"
    before = await ask(agent, asked, outsider, "before")
    await house.index("payroll", {"south.md": south}, "hr", "slack:T1")
    after = await ask(agent, asked, outsider, "after")
    assert (after.route, after.answer, after.receipt.reasons) == (before.route, before.answer, before.receipt.reasons)
    assert "south" not in json.dumps(describe_answer(after))
    told = await ask(agent, asked, INSIDER, "insider")
    assert told.route == "asked"
    assert "south" in told.answer


async def test_a_review_notice_goes_to_its_owner_and_nobody_else_decides_or_learns_of_it(house: House) -> None:
    outsider = OUTSIDERS["another audience"]
    before = (await show_sources(event("", outsider), house.database)).markdown
    head = "---\nowner: slack:U9\nreview_by: 2020-01-01\n---\n"
    await house.index("payroll", {"zanzibarium.md": (head + SECRET).encode()}, "hr", "slack:T1")
    for prefix, workspace in (("discord:", "slack:T1"), ("slack:", "slack:T2")):
        assert await list_untold(house.database, prefix, ["*", workspace]) == []
    [untold] = await list_untold(house.database, "slack:", ["*", "slack:T1"])
    assert untold.owner == "slack:U9"
    check_silent(untold)

    async def never() -> bool:
        return False

    for ruling in RULINGS:
        with pytest.raises(RulingRefused) as refused:
            await decide(ruling, untold.id, house.database, house.settings, user="slack:U1", may_reindex=never)
        check_silent(refused.value)
    assert "slack:U1" not in {entry.actor for entry in await list_entries(house.database, 99)}
    assert (await show_sources(event("", outsider), house.database)).markdown == before
    notice = await present_notice(untold.id, house.database, house.settings)
    assert "zanzibarium" in notice.markdown.lower()
    assert notice.choices


async def test_another_conversation_gets_no_answer_memory_or_reasons_of_it(house: House, agent: Agent) -> None:
    await house.let_in_the_secret()
    given = await ask(agent, QUERIES[0], INSIDER, "event", "inside")
    assert "7131" in json.dumps(describe_answer(given))
    outsider = OUTSIDERS["another audience"]
    replayed = await ask(agent, "And how much does it pay?", outsider, "event", "outside")
    check_silent(json.dumps(describe_answer(replayed)))
    check_silent((await explain(event("", outsider, "nowhere"), agent)).markdown)
    check_silent((await explain(event("", outsider, "outside"), agent)).markdown)
    again = await ask(agent, QUERIES[0], INSIDER, "event", "inside")
    assert again == given


async def test_the_memory_of_a_thread_keeps_no_passage(house: House, agent: Agent) -> None:
    """Questions and answers alone: passages are looked up anew, as whoever asks then."""
    await house.let_in_the_secret()
    await ask(agent, "Badges for it are made by whom?", INSIDER, "event", "inside")
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        rows = await house.database.fetch_all(f"SELECT t::text AS kept FROM {table} t".encode())
        kept = " ".join(_plain(row["kept"]) for row in rows)
        assert "Zanzibarium\n\nProject" not in kept
        assert "zanzibarium.md" not in kept


async def test_lists_of_sources_and_their_errors_are_the_same(house: House, outsider: Viewer) -> None:
    async def tell() -> list[object]:
        told: list[object] = [(await show_sources(event("", outsider), house.database)).markdown]
        told += [asdict(status) for status in await list_statuses(house.database, outsider)]
        with pytest.raises(SourceError) as error:
            await reindex(event("payroll", outsider), Lines(), house.database, house.settings)
        return [*told, str(error.value).replace("payroll", "")]

    before = await tell()
    await house.let_in_the_secret()
    assert await tell() == before
    check_silent(before)
    assert "payroll" in (await show_sources(event("", INSIDER), house.database)).markdown


async def test_a_report_in_chat_names_no_file_that_fewer_may_see_than_the_source(house: House) -> None:
    """A source for everybody, one document of which is for `hr` alone, as of a channel in a history."""
    folder = house.folder / "house"
    (folder / "vault.docx").write_bytes(b"no archive at all")
    (folder / "torn.docx").write_bytes(b"no archive either")
    [source] = [status.source for status in await list_statuses(house.database)]
    await enqueue_look(house.database, house.settings, source, requested_by="test")
    await house.drain()
    await house.database.execute(b"UPDATE documents SET audience = 'hr' WHERE path = 'vault.docx'")
    look = await enqueue_look(house.database, house.settings, source, requested_by="test")
    await house.drain()
    progress = await read_look(house.database, look)
    assert progress.documents.failed == 2
    assert [failure.partition(":")[0] for failure in progress.failures] == ["torn.docx"]
    outsider = OUTSIDERS["another audience"]
    lines = Lines()
    watching = asyncio.create_task(reindex(event("house", outsider), lines, house.database, house.settings))
    while not watching.done():
        await house.drain()
        await asyncio.sleep(0.05)
    check_silent(
        (await watching).markdown, lines.shown, (await show_sources(event("", outsider), house.database)).markdown
    )


async def test_logs_and_metrics_hold_no_text(
    house: House, agent: Agent, model_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "index"), caplog.at_level(logging.DEBUG, "graph"):
        await house.let_in_the_secret()
        await ask(agent, QUERIES[0], INSIDER, "event")
    check_silent(*(record.getMessage() for record in caplog.records if record.name.startswith(("index", "graph"))))
    async with httpx.AsyncClient() as http:
        check_silent((await http.get(f"{model_url}/metrics")).text)


# Each is readable as a whole, without a viewer, for a reason.
OPEN_COLUMNS = {
    "index_versions": {"id", "pipeline", "is_current", "created_at"}
}  # which pipeline; says nothing of texts


async def test_a_role_without_a_workspace_reads_no_row_of_any_table_there_is(house: House) -> None:
    """The catalog is asked, so a table that comes later is held to it too."""
    await house.let_in_the_secret()
    tables = await house.database.fetch_all(
        b"SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AS guarded,"
        b" coalesce('security_invoker=true' = ANY(c.reloptions), false) AS invokes,"
        b" (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive) AS policies,"
        b" has_table_privilege('tandem_reader', c.oid, 'SELECT') AS whole,"
        b" has_table_privilege('tandem_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
        b" OR has_any_column_privilege('tandem_reader', c.oid, 'INSERT, UPDATE, REFERENCES') AS writes,"
        b" ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
        b" AND NOT a.attisdropped AND has_column_privilege('tandem_reader', c.oid, a.attnum, 'SELECT')) AS columns"
        b" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        b" WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        b" AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    )
    assert {"chunks", "answers", "inbox", "checkpoints", "audit_trail"} <= {table["name"] for table in tables}
    readable = [table for table in tables if table["columns"]]
    assert {"sources", "documents", "chunks", "looks", "term_frequencies"} <= {table["name"] for table in readable}
    for table in tables:
        assert not table["writes"], table
    for table in readable:
        if allowed := OPEN_COLUMNS.get(table["name"]):
            assert set(table["columns"]) <= allowed
            assert not table["whole"]
            continue
        if not table["invokes"]:  # such a view reads as whoever asks, so its tables' policies hold
            assert table["kind"] in "rp", f"{table['name']} is a view, which reads as its owner"
            assert table["guarded"], f"{table['name']} has no row-level security"
            assert table["policies"], f"{table['name']} has no policy"
        name = sql.Identifier(table["schema"], table["name"])
        count = sql.SQL("SELECT count(*) AS rows FROM {}").format(name)
        for become in (b"", b"SELECT set_config('tandem.audiences', '{hr}', true)"):
            async with house.database.transaction() as connection:
                assert await (await connection.execute(count)).fetchall() != [{"rows": 0}], f"{name} was not filled"
                await connection.execute(b"SET LOCAL ROLE tandem_reader")
                if become:
                    await connection.execute(become)
                assert await (await connection.execute(count)).fetchall() == [{"rows": 0}]


async def test_the_function_that_reads_as_the_owner_finds_only_what_the_viewer_may_see(house: House) -> None:
    await house.let_in_the_secret()
    [row] = await house.database.fetch_all(
        b"SELECT version_id, array_agg(DISTINCT term) AS terms FROM chunks, unnest(term_ids) AS term GROUP BY 1"
    )
    question = SparseVector(dict.fromkeys(row["terms"], 1.0), DIMENSIONS)
    parameters = {"version_id": row["version_id"], "terms": row["terms"], "question": question}
    seen: dict[str, set[int]] = {}
    for name, viewer in (("outsider", Viewer("slack:T2")), ("nobody", None)):
        async with house.database.transaction() as connection:
            await connection.execute(b"SET LOCAL ROLE tandem_reader")
            if viewer:
                await connection.execute(b"SELECT set_config('tandem.workspace', %s, true)", (viewer.workspace,))
            found = await connection.execute(
                b"SELECT id FROM find_lexical_candidates(%(version_id)s, %(terms)s, %(question)s, 1000) AS id",
                parameters,
            )
            seen[name] = {hit["id"] for hit in await found.fetchall()}
    public = await house.database.fetch_all(
        b"SELECT id FROM chunks WHERE workspace IN ('*', 'slack:T2') AND audience = 'everyone'"
    )
    assert seen == {"outsider": {hit["id"] for hit in public}, "nobody": set()}
    everything = await house.database.fetch_all(b"SELECT id FROM chunks")
    assert 0 < len(public) < len(everything)


async def test_no_other_function_lends_the_reader_another_role(database: Database) -> None:
    rows = await database.fetch_all(
        b"SELECT p.proname::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        b" WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        b" AND has_schema_privilege('tandem_reader', n.oid, 'USAGE')"
        b" AND has_function_privilege('tandem_reader', p.oid, 'EXECUTE')"
    )
    assert sorted(row["name"] for row in rows) == ["find_lexical_candidates", "sees_most_of"]
    [role] = await database.fetch_all(
        b"SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,"
        b" (SELECT count(*) FROM pg_auth_members m WHERE m.member = r.oid) AS memberships"
        b" FROM pg_roles r WHERE rolname = 'tandem_reader'"
    )
    assert not any(role.values())


async def test_an_error_of_the_database_quotes_no_row(house: House) -> None:
    """Postgres quotes what it cannot cast; under row-level security it must not get to see the row before the guard."""
    await house.let_in_the_secret()
    for clause in (b"text::int = 1", b"1 / (length(text) - length(text)) = 1"):
        with pytest.raises(psycopg.Error) as error:  # of the public row, which is all that it gets to see
            await _read_as_outsider(house.database, clause)
        check_silent(error.value)


async def _read_as_outsider(database: Database, clause: bytes) -> None:
    async with database.transaction() as connection:
        await connection.execute(b"SET LOCAL ROLE tandem_reader")
        await connection.execute(b"SELECT set_config('tandem.workspace', 'slack:T2', true)")
        await connection.execute(b"SELECT id FROM chunks WHERE " + clause)


def _plain(kept: str) -> str:
    """Text inside what Postgres shows of bytes."""
    return kept + "".join(
        bytes.fromhex(found).decode("utf-8", "replace") for found in re.findall(r"\\x((?:[0-9a-f]{2})+)", kept)
    )
