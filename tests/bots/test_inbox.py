"""The inbox: stored once, held by one, and never lost."""

import asyncio
from dataclasses import replace

import pytest

from bots.inbox import Claim, Inbox, LeaseLost
from bots.surface import Event, Kind
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.settings import Settings

KINDS: tuple[Kind, ...] = ("question", "why", "sources")
EVENT = Event(
    id="test:1",
    surface="test",
    kind="question",
    conversation="thread",
    viewer=Viewer("T1", frozenset({"hr", "it"})),
    user="U1",
    text="How?",
    address={"channel": "C1"},
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_s": 0.6})


@pytest.fixture
def inbox(database: Database, settings: Settings) -> Inbox:
    return Inbox(database, settings)


@pytest.fixture
def other(database: Database, settings: Settings) -> Inbox:
    """The same inbox, in another replica."""
    return Inbox(database, settings)


async def claim(inbox: Inbox) -> Claim:
    claimed = await inbox.claim("test", KINDS)
    assert claimed is not None
    return claimed


async def test_an_event_is_stored_once_and_comes_back_whole(inbox: Inbox, other: Inbox) -> None:
    assert await inbox.accept(EVENT)
    assert not await other.accept(replace(EVENT, text="redelivered"))
    assert (await claim(inbox)).event == EVENT


async def test_of_many_deliveries_at_once_one_is_the_first(inbox: Inbox, other: Inbox) -> None:
    new = await asyncio.gather(*((inbox if n % 2 else other).accept(EVENT) for n in range(20)))
    assert new.count(True) == 1


async def test_text_that_postgres_cannot_store_is_stored_without_it(inbox: Inbox) -> None:
    await inbox.accept(replace(EVENT, text="a\0b\ud800c \N{SNOWMAN}"))
    assert (await claim(inbox)).event.text == "ab?c \N{SNOWMAN}"


async def test_what_one_holds_nobody_else_gets(inbox: Inbox, other: Inbox) -> None:
    await inbox.accept(EVENT)
    await claim(inbox)
    assert await other.claim("test", KINDS) is None


async def test_events_come_in_the_order_of_arrival_and_only_of_this_surface_and_kind(inbox: Inbox) -> None:
    await inbox.accept(replace(EVENT, id="elsewhere", surface="other", conversation="a"))
    await inbox.accept(replace(EVENT, id="reindex", kind="reindex", conversation="b"))
    for n in range(3):
        await inbox.accept(replace(EVENT, id=f"test:{n}", conversation=f"thread {n}"))
    assert [(await claim(inbox)).event.id for _ in range(3)] == ["test:0", "test:1", "test:2"]
    assert await inbox.claim("test", KINDS) is None
    reindex = await inbox.claim("test", ["reindex"])
    assert reindex is not None
    assert reindex.event.id == "reindex"


async def test_a_conversation_goes_on_only_when_its_question_is_done(inbox: Inbox, other: Inbox) -> None:
    await inbox.accept(EVENT)
    await inbox.accept(replace(EVENT, id="test:2", kind="why"))
    await inbox.accept(replace(EVENT, id="test:3"))
    first = await claim(inbox)
    assert await other.claim("test", KINDS) is None
    await inbox.finish(first, answer_id="a", fault=None)
    assert (await claim(other)).event.id == "test:2"


async def test_a_question_that_arrived_late_waits_for_the_one_being_answered(inbox: Inbox, database: Database) -> None:
    await inbox.accept(EVENT)
    await inbox.accept(replace(EVENT, id="test:2"))
    await database.execute(b"UPDATE inbox SET state = 'answering', lease_until = now() + '1 min' WHERE id = 'test:2'")
    assert await inbox.claim("test", KINDS) is None


async def test_many_claims_at_once_give_each_conversation_to_one(inbox: Inbox, other: Inbox) -> None:
    for n in range(12):
        await inbox.accept(replace(EVENT, id=f"test:{n}", conversation=f"thread {n % 4}"))
    claims = await asyncio.gather(*((inbox if n % 2 else other).claim("test", KINDS) for n in range(24)))
    held = sorted(claimed.event.conversation for claimed in claims if claimed)
    assert len(held) == len(set(held))
    assert held


async def test_an_event_whose_holder_fell_silent_is_taken_over(inbox: Inbox, other: Inbox) -> None:
    await inbox.accept(EVENT)
    lost = await claim(inbox)
    await inbox.record_reply(lost, {"ts": "17"})
    await asyncio.sleep(0.7)
    taken = await claim(other)
    assert (taken.fence, taken.attempts, taken.reply) == (2, 2, {"ts": "17"})
    for write in (
        inbox.renew(lost),
        inbox.record_reply(lost, {}),
        inbox.finish(lost, answer_id=None, fault=None),
        inbox.release(lost),
    ):
        with pytest.raises(LeaseLost):
            await write
    await other.finish(taken, answer_id=None, fault=None)


async def test_holding_keeps_the_lease_for_as_long_as_it_takes(
    database: Database, other: Inbox, settings: Settings
) -> None:
    inbox = Inbox(database, settings.model_copy(update={"lease_s": 2.0}))  # a busy machine may be late by a second
    await inbox.accept(EVENT)
    held = await claim(inbox)
    async with inbox.hold(held):
        await asyncio.sleep(4.5)
        assert await other.claim("test", KINDS) is None
        await inbox.finish(held, answer_id=None, fault=None)


async def test_holding_ends_when_somebody_else_has_the_event(inbox: Inbox, database: Database) -> None:
    await inbox.accept(EVENT)
    held = await claim(inbox)
    await database.execute(b"UPDATE inbox SET fence = fence + 1")
    with pytest.raises(LeaseLost):
        async with inbox.hold(held):
            await asyncio.sleep(10)


async def test_holding_ends_with_the_lease_when_the_database_cannot_say(
    inbox: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inbox.accept(EVENT)
    held = await claim(inbox)
    await database.execute(b"ALTER TABLE inbox RENAME COLUMN fence TO moved")  # every renewal fails from here on
    monkeypatch.setattr("bots.inbox.DATABASE_TROUBLE", (Exception,))
    with pytest.raises(LeaseLost):
        async with inbox.hold(held):
            await asyncio.sleep(10)


async def test_an_orderly_return_is_no_crash_and_comes_back_after_its_delay(inbox: Inbox, other: Inbox) -> None:
    await inbox.accept(EVENT)
    await inbox.release(await claim(inbox))
    again = await claim(other)
    assert (again.fence, again.attempts) == (2, 1)
    await other.release(again, delay_s=0.4)
    assert await inbox.claim("test", KINDS) is None
    await asyncio.sleep(0.5)
    third = await claim(inbox)
    assert third.attempts == 1
    await inbox.release(third, failed=True)
    assert (await claim(inbox)).attempts == 2


async def test_what_a_dead_process_left_open_can_be_taken_over_at_once(inbox: Inbox, other: Inbox) -> None:
    for n in range(3):
        await inbox.accept(replace(EVENT, id=f"test:{n}", conversation=f"thread {n}"))
    await inbox.finish(await claim(inbox), answer_id=None, fault=None)
    await claim(inbox)
    assert sorted(await other.adopt("test", heir="heir")) == ["test:1", "test:2"]
    taken = [await other.claim("heir", KINDS) for _ in range(2)]
    assert [(one.event.id, one.attempts) for one in taken if one] == [("test:1", 2), ("test:2", 1)]
    assert await inbox.claim("test", KINDS) is None


async def test_only_what_was_done_a_month_ago_is_deleted(inbox: Inbox, database: Database) -> None:
    for n in range(3):
        await inbox.accept(replace(EVENT, id=f"test:{n}", conversation=f"thread {n}"))
    await inbox.finish(await claim(inbox), answer_id=None, fault=None)
    await inbox.finish(await claim(inbox), answer_id=None, fault=None)
    await database.execute(b"UPDATE inbox SET done_at = now() - interval '31 days' WHERE id = 'test:0'")
    await database.execute(b"UPDATE inbox SET accepted_at = now() - interval '90 days' WHERE id = 'test:2'")
    assert await inbox.prune() == 1
    left = await database.fetch_all(b"SELECT id FROM inbox ORDER BY id")
    assert [row["id"] for row in left] == ["test:1", "test:2"]
