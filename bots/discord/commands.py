"""The slash commands `/ask`, `/reindex`, `/sources` and `/why`, each durable before Discord is told that it arrived."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import discord
from discord import app_commands

from bots.commands import CANCEL
from bots.discord.interactions import IN_TIME_S, first_wins
from bots.discord.naming import application_of
from bots.inbox import DATABASE_TROUBLE
from bots.surface import Kind
from graph.answers import LONGEST_QUESTION
from index.sources import list_sources

if TYPE_CHECKING:
    from bots.discord.client import TandemClient

NOT_TAKEN = (
    "I could not take this, my database does not answer. Try again in a minute;"
    " whoever runs me can see why with `tandem doctor`."
)
MOST_CHOICES, LONGEST_CHOICE = 25, 100
Here: TypeAlias = "discord.Interaction[TandemClient]"

log = logging.getLogger(__name__)


@app_commands.command(description="Ask a question")
@app_commands.describe(question="What you want to know")
@app_commands.allowed_contexts(guilds=True, dms=True)
async def ask(interaction: Here, question: app_commands.Range[str, 1, LONGEST_QUESTION]) -> None:
    await _take(interaction, "question", question)


@app_commands.command(description="Look at the documents again, and take in what has changed")
@app_commands.describe(
    source="One source; without it, all that this channel may see",
    cancel="End the looks that are under way instead",
)
@app_commands.default_permissions(manage_guild=True)
@app_commands.allowed_contexts(guilds=True)
async def reindex(interaction: Here, source: str = "", cancel: bool = False) -> None:
    await _take(interaction, "reindex", f"{CANCEL} {source}" if cancel else source)


@app_commands.command(description="What I know, and how fresh it is")
@app_commands.allowed_contexts(guilds=True, dms=True)
async def sources(interaction: Here) -> None:
    await _take(interaction, "sources", "")


@app_commands.command(description="How the last answer here came about")
@app_commands.allowed_contexts(guilds=True, dms=True)
async def why(interaction: Here) -> None:
    await _take(interaction, "why", "")


@reindex.autocomplete("source")
async def _offer_sources(interaction: Here, typed: str) -> list[app_commands.Choice[str]]:
    client = interaction.client
    try:
        async with asyncio.timeout(IN_TIME_S):
            visible = await list_sources(client.database, client.incoming.viewer_of(interaction))
    except (TimeoutError, *DATABASE_TROUBLE):
        return []
    names = [source.name for source in visible if typed.casefold() in source.name.casefold()]
    return [app_commands.Choice(name=name, value=name) for name in names if len(name) <= LONGEST_CHOICE][:MOST_CHOICES]


COMMANDS: tuple[app_commands.Command[Any, ..., None], ...] = (ask, reindex, sources, why)


async def _take(interaction: Here, kind: Kind, text: str) -> None:
    client = interaction.client
    try:
        async with asyncio.timeout(IN_TIME_S):
            await client.conversation.accept(await client.incoming.read_command(interaction, kind, text))
    except (TimeoutError, *DATABASE_TROUBLE) as error:
        log.warning("command %s was not stored (%s)", interaction.id, type(error).__name__)
        with first_wins():
            await interaction.response.send_message(NOT_TAKEN, ephemeral=True)
        return
    with first_wins():
        await interaction.response.defer(thinking=True)


async def register_commands(client: discord.Client, tree: app_commands.CommandTree[Any]) -> bool:
    """Tells Discord of the commands if it has others, as it counts such changes; says whether it had."""
    wanted = [command.to_dict(tree) for command in tree.get_commands()]
    stored = await client.http.get_global_commands(application_of(client))
    if _fits(sorted(wanted, key=_name), sorted(stored, key=_name)):
        return False
    await tree.sync()
    return True


def _name(command: Any) -> str:
    return str(command["name"])


def _fits(wanted: object, stored: object) -> bool:
    """Whether Discord has all that is wanted; it adds fields of its own, and leaves out what is empty or false."""
    if isinstance(wanted, Mapping) and isinstance(stored, Mapping):
        return all(_fits(value, stored.get(key)) for key, value in wanted.items())
    if isinstance(wanted, Sequence) and isinstance(stored, Sequence) and not isinstance(wanted, str):
        return len(wanted) == len(stored) and all(map(_fits, wanted, stored))
    return (not wanted and not stored) or str(wanted) == str(stored)
