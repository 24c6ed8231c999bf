import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import discord
import pytest
from simcord.backend.models import Channel

from index.audience import Viewer
from index.connectors import discord_chains, history
from index.connectors.channels import locate_channel
from index.connectors.connector import SourceUnavailable
from index.connectors.discord import DiscordChannel
from index.connectors.history import ChannelHistory
from index.documents import DocumentError
from index.jobs import DocumentCounts
from index.sources import add_source
from tandem.errors import SourceError
from tandem.settings import Settings
from tests.doubles.discord import DiscordDouble, run_discord_double
from tests.doubles.discord_bots import aim_at
from tests.index.conftest import Room


@pytest.fixture
async def double() -> AsyncIterator[DiscordDouble]:
    async with run_discord_double() as served:
        yield served


def open_history(double: DiscordDouble, channel: Channel | None = None) -> ChannelHistory:
    place = channel or double.general
    return ChannelHistory(DiscordChannel(aim_at(double, Settings()), str(double.guild.id), str(place.id)))


async def read(source: ChannelHistory, path: object, stamp: str | None = "any") -> str:
    return (await source.read(str(path), stamp)).data.decode()


async def test_replies_belong_to_what_they_reply_to(double: DiscordDouble) -> None:
    ada, bob = double.make_person("Ada"), double.make_person("Bob")
    root = ada.say(double.general, f"How does <@{bob.id}> deploy?")
    other = ada.say(double.general, "Hello")
    reply = bob.say(double.general, "With make.", reply_to=root)
    bob.say(double.general, "And patience.", reply_to=reply)
    source = open_history(double)
    listing = await source.list(None)
    assert {document.path for document in listing.documents} == {str(root.id), str(other.id)}
    text = await read(source, root.id)
    said = [line.split("): ")[1] for line in text.splitlines() if line.startswith("**")]
    assert said == ["How does @Bob deploy?", "With make.", "And patience."]
    assert f"https://discord.com/channels/{double.guild.id}/{double.general.id}/{reply.id}" in text
    assert text.index("**Ada**") < text.index("**Bob**")


async def test_a_thread_is_a_document_with_the_message_it_began_from(double: DiscordDouble) -> None:
    ada, bob = double.make_person("Ada"), double.make_person("Bob")
    root = ada.say(double.general, "A long story")
    thread = double.make_thread(double.general, ada, message=root)
    bob.say(thread, "It continues here.")
    free = double.make_thread(double.general, ada)
    bob.say(free, "A thread of its own.")
    source = open_history(double)
    listing = await source.list(None)
    assert {document.path for document in listing.documents} == {str(root.id), str(free.id)}
    text = await read(source, root.id)
    assert text.index("A long story") < text.index("It continues here.")
    assert "of its own" in await read(source, free.id)


async def test_the_bots_own_words_are_left_out(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    question = ada.say(double.general, "A question")
    backend = double.backend
    backend.create_message(double.general.id, backend.bot_user.id, "I am the bot")
    source = open_history(double)
    assert [document.path for document in (await source.list(None)).documents] == [str(question.id)]


async def test_replies_edits_and_deletions_are_seen_and_nothing_else_is_listed_again(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    backend, general = double.backend, double.general
    roots = [ada.say(general, f"Topic {number}") for number in range(4)]
    thread = double.make_thread(general, ada)
    inside = ada.say(thread, "In the thread")
    source = open_history(double)
    first = await source.list(None)
    again = await source.list(first.cursor)
    assert (list(again.documents), again.is_difference) == ([], True)
    ada.say(general, "A reply", reply_to=roots[0])
    backend.edit_message(general.id, roots[1].id, {"content": "Another topic"})
    backend.edit_message(thread.id, inside.id, {"content": "Changed in the thread"})
    backend.delete_message(general.id, roots[2].id)
    seen = await source.list(again.cursor)
    assert {document.path for document in seen.documents} == {str(x) for x in (roots[0].id, roots[1].id, thread.id)}
    assert list(seen.removed) == [str(roots[2].id)]
    assert "Another topic" in await read(source, roots[1].id)
    assert "Changed in the thread" in await read(source, thread.id)
    with pytest.raises(DocumentError, match="deleted"):
        await read(source, roots[2].id)


async def test_pages_and_rate_limits_are_followed(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    for number in range(230):
        ada.say(double.general, f"Message {number}")
    thread = double.make_thread(double.general, ada)
    for number in range(130):
        ada.say(thread, f"Inside {number}")
    double.order("rate_limit", "GET", "/channels/*/messages", retry_after_s=0.3)
    source = open_history(double)
    assert len((await source.list(None)).documents) == 231
    text = await read(source, thread.id)
    assert text.index("Inside 0") < text.index("Inside 129")
    assert [call.status for call in double.calls].count(429) == 1


async def test_a_channel_is_read_in_pages_not_message_by_message(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    said = [ada.say(double.general, f"Message {number}") for number in range(250)]
    late = ada.say(double.general, "A late reply", reply_to=said[20])
    source = open_history(double)
    documents = (await source.list(None)).documents
    double.calls.clear()
    for start in range(0, len(documents), 3):  # as a worker does: three side by side
        await asyncio.gather(
            *(read(source, document.path, document.stamp) for document in documents[start : start + 3])
        )
    assert len(documents) == 250
    assert len(double.calls) < 10
    [chain] = [document for document in documents if document.path == str(said[20].id)]
    assert "A late reply" in await read(source, chain.path, chain.stamp)
    # What changed meanwhile is asked for: what was fetched before agrees with no stamp of a later listing.
    double.backend.edit_message(double.general.id, late.id, {"content": "A better reply"})
    double.backend.delete_message(double.general.id, said[30].id)
    again = {document.path: document.stamp for document in (await source.list(None)).documents}
    assert "A better reply" in await read(source, chain.path, again[chain.path])
    with pytest.raises(DocumentError, match="deleted"):
        await read(source, said[30].id, documents[30].stamp)


async def test_a_reply_beyond_reach_is_a_document_that_can_be_read(
    double: DiscordDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord_chains, "REACH", 3)
    ada = double.make_person("Ada")
    root = ada.say(double.general, "A question")
    for number in range(4):
        ada.say(double.general, f"Message {number}")
    late = ada.say(double.general, "An answer", reply_to=root)
    source = open_history(double)
    stamps = {document.path: document.stamp for document in (await source.list(None)).documents}
    assert "An answer" in await read(source, late.id, stamps[str(late.id)])
    assert "An answer" not in await read(source, root.id, stamps[str(root.id)])


async def test_a_change_has_the_time_of_the_edit_or_of_the_look_that_misses_something(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    root, other = ada.say(double.general, "Topic"), ada.say(double.general, "Another")
    reply = ada.say(double.general, "A reply", reply_to=other)
    thread = double.make_thread(double.general, ada)
    inside = ada.say(thread, "In the thread")
    source = open_history(double)
    first = await source.list(None)
    said = {document.path: document.changed_at for document in first.documents}
    double.clock.elapsed += 3600
    edited_at = double.clock.now()
    double.backend.edit_message(double.general.id, root.id, {"content": "Another topic"})
    double.backend.edit_message(thread.id, inside.id, {"content": "Changed in the thread"})
    double.backend.delete_message(double.general.id, reply.id)
    second = await source.list(first.cursor)
    found = {document.path: document.changed_at for document in second.documents}
    for path in (str(root.id), str(thread.id)):
        moment = found[path]
        assert moment is not None
        assert abs(moment - edited_at) < timedelta(seconds=5)
    before, after = said[str(other.id)], found[str(other.id)]
    assert before is not None
    assert after is not None
    assert before < after <= datetime.now(UTC), "nobody tells when something was deleted"
    assert [document.path for document in (await source.list(second.cursor)).documents] == []


async def test_an_old_thread_is_the_same_in_every_listing(
    double: DiscordDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = double.make_person("Ada")
    root = ada.say(double.general, "A long story")
    thread = double.make_thread(double.general, ada, message=root)
    ada.say(thread, "It continues here.")
    for number in range(100):
        ada.say(double.general, f"Message {number}")
    source = open_history(double)
    first = await source.list(None)
    monkeypatch.setattr(history, "RECENT_S", -30.0)  # one page is read, and the thread began before it
    second = await source.list(first.cursor)
    assert [document.path for document in second.documents] == []
    stamp = {document.path: document.stamp for document in first.documents}[str(root.id)]
    assert "A long story" in await read(source, root.id, stamp)


async def test_a_forum_is_its_posts(double: DiscordDouble) -> None:
    ada = double.make_person("Ada")
    forum = double.backend.create_channel(double.guild.id, "help", type=discord.ChannelType.forum.value)
    post = double.make_thread(forum, ada)
    ada.say(post, "How do I begin?")
    source = open_history(double, forum)
    assert [document.path for document in (await source.list(None)).documents] == [str(post.id)]
    assert "How do I begin?" in await read(source, post.id)


async def test_a_channel_that_the_bot_cannot_see_is_a_clear_error(double: DiscordDouble) -> None:
    settings = aim_at(double, Settings())
    hidden = double.make_channel("hidden")
    double.forbid(hidden, view_channel=True)
    for channel in (str(hidden.id), "1234"):
        with pytest.raises(SourceError, match="does not let the bot read"):
            await locate_channel(f"discord:{channel}", settings)


async def test_a_bot_that_is_shown_no_text_says_so() -> None:
    intents = discord.Intents.all()
    intents.message_content = False
    async with run_discord_double(approved=intents) as blind:
        with pytest.raises(SourceError, match="hides from the bot"):
            await open_history(blind).list(None)


async def test_a_discord_that_is_away_is_asked_again(double: DiscordDouble) -> None:
    double.order("status", "GET", "/channels/*", status=503)
    with pytest.raises(SourceUnavailable, match="503"):
        await open_history(double).list(None)
    double.order("reset_before", "GET", "/users/@me")
    with pytest.raises(SourceUnavailable, match="reached"):
        await open_history(double).list(None)


async def test_only_the_channel_itself_finds_what_was_said_in_it(double: DiscordDouble, room: Room) -> None:
    ada = double.make_person("Ada")
    ada.say(double.general, "The oak key is under the mat.")
    settings = aim_at(double, room.settings)
    location = await locate_channel(f"discord:{double.general.id}", settings)
    added = await add_source(room.database, location, name="chat", added_by="test")
    assert (added.workspace, added.audience) == (f"discord:{double.guild.id}", f"discord:{double.general.id}")
    here = Room(settings, room.database, room.model)
    assert (await here.look(added)).documents == DocumentCounts(added=1)
    assert "mat" in (await here.search("oak key", Viewer(added.workspace, frozenset({added.audience})))).hits[0].text
    assert (await here.search("oak key", Viewer(added.workspace, frozenset({"discord:1"})))).hits == ()
