"""The one reply to an event: written live with as few edits as Discord bears, then finished."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import discord

from bots.discord.escaping import lay_out, make_inert, preview
from bots.discord.feedback import make_feedback_view
from bots.discord.messages import NETWORK_TROUBLE, Channel, Response
from bots.discord.rulings import make_choice_view
from bots.surface import Message, ReplyImpossible

EDIT_EVERY_S = 1.2  # Discord allows five edits in five seconds to all messages of a channel together

log = logging.getLogger(__name__)


def show_line(line: str) -> str:
    return f"-# {make_inert(line)}"


class LiveText:
    """Edits a message at most every 1.2 seconds, and only to the newest text."""

    def __init__(self, edit: Callable[[str], Awaitable[None]]) -> None:
        self._edit = edit
        self._wanted = self._shown = ""
        self._editing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def show(self, content: str) -> None:
        self._wanted = content
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._catch_up())

    async def stop(self) -> None:
        """No edit begins after this, and none is under way."""
        async with self._editing:
            self.cancel()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _catch_up(self) -> None:
        while self._wanted != self._shown:
            await asyncio.sleep(EDIT_EVERY_S)
            async with self._editing:
                content = self._wanted
                try:
                    await self._edit(content)
                except (discord.HTTPException, ReplyImpossible, *NETWORK_TROUBLE) as error:
                    # what is seen meanwhile may be missed; finish() meets the same trouble and reports it
                    log.warning("a reply could not be updated (%s)", type(error).__name__)
                self._shown = content


class DiscordReply:
    """A reply that is visible already.

    `response` is there for a command, unless its reply had to stand alone in the channel. `header` begins the text.
    `parts` are the further messages of a long answer, None where a crash has made us forget whether there are any.
    """

    def __init__(
        self,
        channel: Channel,
        message_id: int,
        *,
        nonce: str,
        response: Response | None,
        header: str,
        parts: list[int] | None,
    ) -> None:
        self._channel = channel
        self._message_id = message_id
        self._nonce = nonce
        self._response = response
        self._header = header
        self._parts = parts
        self._text = ""
        self.live = LiveText(self._edit)

    @property
    def reference(self) -> Mapping[str, str]:
        return {"message": str(self._message_id), "responded": "yes" if self._response else ""}

    async def show_progress(self, line: str) -> None:
        self._text = ""
        self.live.show(self._header + show_line(line))

    async def append(self, text: str) -> None:
        self._text += text
        self.live.show(preview(self._header + self._text))

    async def finish(self, message: Message) -> None:
        """The first part replaces what is visible; the others are replies to it, so that they can be found again."""
        await self.live.stop()
        first, *others = lay_out(replace(message, markdown=self._header + message.markdown))
        buttons = (
            make_feedback_view(message.feedback_for) if message.feedback_for else make_choice_view(message.choices)
        )
        await self._edit(first, None if others else buttons)
        if self._parts is None:
            self._parts = await self._channel.find(
                self._message_id, lambda m: m.reference is not None and m.reference.message_id == self._message_id
            )
        for number, content in enumerate(others):
            view = buttons if number == len(others) - 1 else None
            if number < len(self._parts):
                await self._channel.edit(self._parts[number], content, view)
            else:
                nonce = f"{self._nonce}-{number + 1}"
                self._parts.append(await self._channel.send(content, nonce=nonce, reply_to=self._message_id, view=view))
        while len(self._parts) > len(others):
            await self._channel.delete(self._parts.pop())

    async def _edit(self, content: str, view: discord.ui.View | None = None) -> None:
        if self._response is None or await self._response.edit(content, view) is None:
            await self._channel.edit(self._message_id, content, view)
