"""From what Discord delivers to events: who is meant, which conversation it belongs to, and who may see what."""

import logging

import discord

from bots.discord.memory import Memory
from bots.discord.naming import SURFACE, name_of, viewer_in
from bots.surface import Event, Kind
from index.audience import Viewer
from tandem.settings import Settings

CHAIN = 3  # steps from a part of an answer to the answer and to its question
REMEMBERED_THREADS = 1000

log = logging.getLogger(__name__)


class Incoming:
    """Reads messages and commands. Its methods may raise what the inbox's do when the database is away."""

    def __init__(self, client: discord.Client, memory: Memory, settings: Settings) -> None:
        self._client = client
        self._memory = memory
        self._settings = settings
        self._origins: dict[int, str | None] = {}

    async def read_message(self, message: discord.Message) -> Event | None:
        """The question in it; None if it is not meant for the bot."""
        if message.author.bot or message.webhook_id or not _is_written_by_a_person(message):
            return None
        conversation = await self._find_conversation(message)
        if conversation is None:
            return None
        guild_id = message.guild.id if message.guild else None
        return Event(
            id=name_of(message.id),
            surface=SURFACE,
            kind="question",
            conversation=conversation,
            viewer=viewer_in(guild_id, _places(message.channel), self._settings),
            user=name_of(message.author.id),
            text=self._words(message),
            address={"channel": str(message.channel.id), "guild": str(guild_id or "")},
        )

    async def read_command(self, interaction: discord.Interaction, kind: Kind, text: str) -> Event:
        channel_id = interaction.channel_id or 0
        return Event(
            id=name_of(interaction.id),
            surface=SURFACE,
            kind=kind,
            conversation=await self._place_of_command(interaction, kind),
            viewer=self.viewer_of(interaction),
            user=name_of(interaction.user.id),
            text=text,
            address={
                "channel": str(channel_id),
                "guild": str(interaction.guild_id or ""),
                "token": interaction.token,
            },
        )

    def viewer_of(self, interaction: discord.Interaction) -> Viewer:
        places = _places(interaction.channel) if interaction.channel else [interaction.channel_id]
        return viewer_in(interaction.guild_id, places, self._settings)

    async def _place_of_command(self, interaction: discord.Interaction, kind: Kind) -> str:
        """A thread or a direct channel is one conversation; in a plain channel each question begins its own."""
        channel = interaction.channel
        if isinstance(channel, discord.Thread):
            return await self._origin_of(channel) or name_of(channel.id)
        if interaction.guild_id is None:
            return name_of(interaction.channel_id or 0)
        earlier = await self._memory.last_conversation(interaction.channel_id or 0) if kind == "why" else None
        return earlier or name_of(interaction.id)

    async def _find_conversation(self, message: discord.Message) -> str | None:
        channel = message.channel
        if message.guild is None:
            return name_of(channel.id)
        replied = self._replied_to(message)
        called = self._is_called(message) or replied is not None
        if isinstance(channel, discord.Thread):
            origin = await self._origin_of(channel)
            if origin and (called or not _is_for_somebody_else(message)):
                return origin
            return name_of(channel.id) if called else None
        if replied is not None:
            return await self._trace(replied) or name_of(replied.id)
        return name_of(message.id) if called else None

    async def _origin_of(self, thread: discord.Thread) -> str | None:
        """The conversation that this thread is, if the bot is part of it: asked in it, or its first message."""
        own = name_of(thread.id)
        if await self._memory.knows(own):
            return own
        if thread.id not in self._origins:
            if len(self._origins) >= REMEMBERED_THREADS:
                self._origins.clear()
            self._origins[thread.id] = await self._trace_start(thread)
        return self._origins[thread.id]

    async def _trace_start(self, thread: discord.Thread) -> str | None:
        if not isinstance(thread.parent, discord.TextChannel):
            return None  # a post in a forum starts with what its author wrote
        try:
            start = await thread.parent.fetch_message(thread.id)  # a thread made from a message has its id
        except discord.HTTPException:
            return None  # made from none, or from one that is gone
        return await self._trace(start) or name_of(thread.id) if start.author == self._client.user else None

    async def _trace(self, answer: discord.Message) -> str | None:
        """From one of the bot's messages to the conversation of the question that it answers."""
        for _ in range(CHAIN):
            asked = answer.interaction_metadata.id if answer.interaction_metadata else None
            if asked is None and answer.reference:
                asked = answer.reference.message_id
            if asked is None:
                return None
            if known := await self._memory.conversation_of(name_of(asked)):
                return known
            if answer.interaction_metadata:
                return name_of(asked)
            try:
                answer = await answer.channel.fetch_message(asked)
            except discord.HTTPException:
                return None
            if answer.author != self._client.user:
                return name_of(answer.id)
        return None

    def _replied_to(self, message: discord.Message) -> discord.Message | None:
        """The message of the bot that this one replies to."""
        target = message.reference.resolved if message.reference else None
        return target if isinstance(target, discord.Message) and target.author == self._client.user else None

    def _is_called(self, message: discord.Message) -> bool:
        """Mentioned by name, or by the role that Discord gave the bot, which looks the same to people."""
        own_role = message.guild.self_role if message.guild else None
        return self._client.user in message.mentions or (own_role is not None and own_role in message.role_mentions)

    def _words(self, message: discord.Message) -> str:
        """What was written, with names for mentions and without the call itself."""
        text = message.clean_content
        me = message.guild.me if message.guild else self._client.user
        names = [me.display_name] if me else []
        if message.guild and message.guild.self_role:
            names.append(message.guild.self_role.name)
        for name in names:
            text = text.replace(f"@{name}", "")
        return text.strip()


def _is_written_by_a_person(message: discord.Message) -> bool:
    return message.type in (discord.MessageType.default, discord.MessageType.reply)


def _is_for_somebody_else(message: discord.Message) -> bool:
    """In a thread people also talk with each other: by name, or in reply to somebody's message."""
    if message.mentions or message.role_mentions or message.mention_everyone:
        return True
    target = message.reference.resolved if message.reference else None
    return isinstance(target, discord.Message) and target.author != message.author


def _places(channel: object) -> list[int | None]:
    """The channel and, of a thread, its parent."""
    return [getattr(channel, "id", None), getattr(channel, "parent_id", None)]
