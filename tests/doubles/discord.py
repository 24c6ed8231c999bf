"""A Discord on 127.0.0.1: REST and gateway over real sockets, and people who write, click and run commands.

The world behind it (permissions, messages, interactions, their errors) is simcord's; `discord_rest` and
`discord_gateway` put it on the wire. Its clock is the wall clock, which a test can push forward.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
from aiohttp import web
from simcord._clock import Clock
from simcord.backend import Backend, serializers
from simcord.backend.command_access import command_access
from simcord.backend.models import Channel, Guild, Interaction, Message, Overwrite
from simcord.enums import InteractionType, OverwriteType
from simcord.interactions import base_payload, validate_option_value

from tests.doubles.discord_gateway import Gateway
from tests.doubles.discord_rest import PREFIX, Call, Fault, FaultKind, Rest

TOKEN = "bot.token.of-the-double"
MESSAGE_CONTENT_LIMITED = 1 << 19


class WallClock(Clock):
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


class Person:
    """A member of the guild, who can do what the Discord client would let them do."""

    def __init__(self, double: "DiscordDouble", name: str, permissions: discord.Permissions | None) -> None:
        self._double = double
        backend = double.backend
        self.id = backend.make_user(name).id
        roles = []
        if permissions is not None:
            roles = [backend.create_role(double.guild.id, f"{name}'s role", permissions=permissions.value).id]
        backend.add_member(double.guild.id, self.id, roles=roles)

    @property
    def dm(self) -> Channel:
        return self._double.backend.get_dm_channel(self.id)

    def say(self, channel: Channel, text: str, *, reply_to: Message | None = None) -> Message:
        """Writes a message; a reply pings whom it replies to, as the client's default is."""
        backend = self._double.backend
        if channel.guild_id is not None:
            needed = "send_messages_in_threads" if channel.is_thread else "send_messages"
            backend.require_permissions(channel.guild_id, self.id, channel.id, needed)
        reference = {"channel_id": str(channel.id), "message_id": str(reply_to.id)} if reply_to else None
        return backend.create_message(channel.id, self.id, text, reference=reference)

    def run(self, channel: Channel, name: str, **options: str) -> Interaction:
        """Runs a slash command that Discord knows and would offer to this person here; else PermissionError."""
        command = self._find(channel, name)
        specs = {option["name"]: option for option in command["options"]}
        missing = [n for n, spec in specs.items() if spec.get("required") and n not in options]
        assert not missing, f"/{name} needs {missing}"
        for option, value in options.items():
            validate_option_value(name, specs[option], value)
        values = [{"name": n, "type": specs[n]["type"], "value": v} for n, v in options.items()]
        return self._interact(InteractionType.APPLICATION_COMMAND, channel, _command_data(command, values))

    async def complete(self, channel: Channel, name: str, option: str, typed: str) -> list[str]:
        """Types into an option and returns the values that the bot offers."""
        command = self._find(channel, name)
        spec = next(spec for spec in command["options"] if spec["name"] == option)
        assert spec.get("autocomplete"), f"{option} of /{name} offers nothing"
        values = [{"name": option, "type": spec["type"], "value": typed, "focused": True}]
        kind = InteractionType.APPLICATION_COMMAND_AUTOCOMPLETE
        interaction = self._interact(kind, channel, _command_data(command, values))
        await self._double.wait_until(lambda: interaction.responded)
        return [choice["value"] for choice in interaction.autocomplete_choices or ()]

    def click(self, message: Message, label: str) -> Interaction:
        """Presses the one button with this label or emoji."""
        buttons = [b for row in message.components for b in row["components"]]
        [button] = [b for b in buttons if label in (b.get("label") or b["emoji"]["name"])]
        channel = self._double.backend.get_channel(message.channel_id)
        data = {"custom_id": button["custom_id"], "component_type": button["type"]}
        return self._interact(InteractionType.MESSAGE_COMPONENT, channel, data, message)

    def send(self, shown: Interaction, text: str) -> Interaction:
        """Sends the form with which the bot answered a press, with this text in its one input."""
        assert shown.modal is not None, "the bot showed no form"
        [label] = shown.modal["components"]
        field = label["component"]
        assert 0 < len(text) <= field["max_length"], "the client would not send this"
        sent = {key: field[key] for key in ("type", "id", "custom_id")} | {"value": text}
        data = {
            "custom_id": shown.modal["custom_id"],
            "components": [{"type": label["type"], "id": label["id"], "component": sent}],
        }
        backend = self._double.backend
        channel, source = backend.get_channel(shown.channel_id), shown.source_message_id
        message = backend.get_message(shown.channel_id, source) if source else None
        return self._interact(InteractionType.MODAL_SUBMIT, channel, data, message)

    def _find(self, channel: Channel, name: str) -> dict[str, Any]:
        backend = self._double.backend
        command = backend.find_command(name, channel.guild_id)
        assert command is not None, f"/{name} is not registered; known: {sorted(backend.commands.get(None, {}))}"
        access = command_access(backend, command, user_id=self.id, channel_id=channel.id)
        if not access.allowed:
            raise PermissionError(access.reason)
        return command

    def _interact(
        self, kind: InteractionType, channel: Channel, data: dict[str, Any], source: Message | None = None
    ) -> Interaction:
        backend = self._double.backend
        record, payload = base_payload(
            backend, type=kind, channel_id=channel.id, guild_id=channel.guild_id, user_id=self.id, data=data
        )
        if source is not None:
            record.source_message_id = source.id
            payload["message"] = dict(serializers.message_payload(backend, source))
        backend.emit("INTERACTION_CREATE", payload)
        return record


class DiscordDouble:
    """One guild with a channel `general`, one bot, and the levers that a test pulls. Use `run_discord_double`."""

    def __init__(self, *, approved: discord.Intents, known_as: str) -> None:
        self.token = TOKEN
        self.clock = WallClock()
        self.backend = Backend(clock=self.clock)
        self.backend.edit_bot_profile(known_as)
        self.guild: Guild = self.backend.create_guild("Team")
        self.general = self.make_channel("general")
        self.gateway = Gateway(self.backend, self.token, approved)
        self.rest = Rest(self.backend, self.token)
        self.rest.flags = MESSAGE_CONTENT_LIMITED if approved.message_content else 0
        self.url = ""
        self._pings: list[str] = []
        self.backend.subscribers.append(self._note_pings)

    @property
    def mention(self) -> str:
        return f"<@{self.backend.bot_user.id}>"

    @property
    def calls(self) -> list[Call]:
        return self.rest.calls

    def make_channel(self, name: str) -> Channel:
        return self.backend.create_channel(self.guild.id, name)

    def make_thread(self, channel: Channel, owner: Person, *, message: Message | None = None) -> Channel:
        """A public thread, from a message or free-standing."""
        message_id = message.id if message else None
        return self.backend.create_thread(channel.id, "A thread", owner.id, message_id=message_id)

    def make_person(self, name: str, permissions: discord.Permissions | None = None) -> Person:
        return Person(self, name, permissions)

    def forbid(self, channel: Channel, **permissions: bool) -> None:
        """Takes permissions from the bot in this channel: `forbid(channel, send_messages=True)`."""
        denied = discord.Permissions(**permissions).value
        rule = Overwrite(self.backend.bot_user.id, OverwriteType.MEMBER, deny=denied)
        self.backend.set_overwrite(channel.id, rule)

    def order(self, kind: FaultKind, method: str, path: str, **details: Any) -> Fault:
        """Orders a fault for requests whose path below /api/v10 matches the pattern."""
        fault = Fault(kind, method, path, **details)
        self.rest.faults.append(fault)
        return fault

    def bot_messages(self, channel: Channel) -> list[Message]:
        """What people see of the bot here, oldest first; not what only one of them sees."""
        messages = self.backend.messages[channel.id].values()
        return [m for m in messages if m.author_id == self.backend.bot_user.id and not m.is_ephemeral]

    def replies_to(self, question: Message) -> list[Message]:
        messages = self.bot_messages(self.backend.get_channel(question.channel_id))
        return [m for m in messages if m.reference and int(m.reference["message_id"]) == question.id]

    def pings(self) -> list[str]:
        """Whom the bot's messages, as they stand and as they were, have notified."""
        return list(self._pings)

    def response_to(self, interaction: Interaction) -> Message | None:
        if interaction.message_id is None:
            return None
        return self.backend.messages[interaction.channel_id].get(interaction.message_id)

    def _note_pings(self, event: str, payload: Mapping[str, Any]) -> None:
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            message = self.backend.get_message(int(payload["channel_id"]), int(payload["id"]))
            if message.author_id == self.backend.bot_user.id:
                everyone = ["everyone"] if message.mention_everyone else []
                self._pings += [*everyone, *map(str, (*message.ping_user_ids, *message.ping_role_ids))]

    async def wait_until(self, condition: Callable[[], Any], *, seconds: float = 15.0) -> Any:
        """Returns the condition's first true value; TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                await asyncio.sleep(0.02)
        return value


def _command_data(command: dict[str, Any], values: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": command["id"], "name": command["name"], "type": command["type"], "options": values}


@asynccontextmanager
async def run_discord_double(
    *, approved: discord.Intents | None = None, known_as: str = "Tandem"
) -> AsyncIterator[DiscordDouble]:
    """Serves a fresh Discord. Fails at the end if the bot used what the double does not model."""
    double = DiscordDouble(approved=approved or discord.Intents.all(), known_as=known_as)
    app = web.Application()
    app.router.add_get("/gateway/", double.gateway.serve)
    app.router.add_route("*", PREFIX + "/{path:.*}", double.rest.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    double.url = f"http://127.0.0.1:{port}{PREFIX}"
    double.gateway.url = double.rest.gateway_url = f"ws://127.0.0.1:{port}/gateway/"
    try:
        yield double
    finally:
        await double.gateway.close()
        await runner.cleanup()
    assert not double.rest.gaps, double.rest.gaps
