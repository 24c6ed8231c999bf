"""The one visible reply to an event: a message that is streamed or edited while it grows, and edited at its end."""

import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bots.slack.blocks import BODY, Part, lay_out, progress
from bots.slack.client import LOST, RATE_LIMIT_TRIES
from bots.slack.escaping import escape_markdown
from bots.slack.pace import Pace
from bots.slack.posts import Posts
from bots.surface import Event, Message, ReplyImpossible

EDIT_EVERY_S = 1.3  # chat.update: 50 a minute and some more
APPEND_EVERY_S = 0.7  # chat.appendStream: 100 a minute and some more
TASK_TITLE = 256
RESPONSES = 5  # a response URL takes no more

log = logging.getLogger(__name__)


class SlackReply:
    """A message of the bot's; `streaming` while Slack takes its text piece by piece."""

    def __init__(self, posts: Posts, event: Event, ts: str, *, streaming: bool = False) -> None:
        self._posts = posts
        self._event = event
        self._ts = ts
        self._streaming = streaming
        self._line = ""
        self._text = ""
        self._sent = 0
        self._card: dict[str, str] = {}
        self._pace = Pace(self._show, APPEND_EVERY_S if streaming else EDIT_EVERY_S)

    @property
    def reference(self) -> Mapping[str, str]:
        return {"channel": self._event.address["channel"], "ts": self._ts}

    async def show_progress(self, line: str) -> None:
        self._line = line
        self._pace.wake()

    async def append(self, text: str) -> None:
        self._text += text
        self._pace.wake()

    async def finish(self, message: Message) -> None:
        await self._pace.stop()
        if self._streaming:
            await self._posts.seal(self._event, self._ts)
            self._streaming = False
        first, *others = lay_out(message, self._event.address.get("asked", ""))
        await self._posts.edit(self._event, self._ts, 0, first)
        if others:
            await self._finish_others(others)

    async def _finish_others(self, parts: list[Part]) -> None:
        thread = self._event.address.get("thread") or self._ts
        posted = await self._posts.find(self._event, thread=thread)
        for number, part in enumerate(parts, 1):
            if number in posted:
                await self._posts.edit(self._event, posted[number], number, part)
            else:
                await self._posts.post_once(self._event, number, part, thread=thread)

    async def _show(self) -> None:
        """Shows the state of things. What goes wrong here is not repeated: the finished message will say it all."""
        try:
            if self._streaming:
                await self._append_stream()
            else:
                line = "" if self._text else self._line
                shown = progress(line, self._text, self._event.address.get("asked", ""))
                await self._posts.edit(self._event, self._ts, 0, shown)
        except (SlackApiError, ReplyImpossible, *LOST) as error:
            log.info("event %s: not shown while it is written (%s)", self._event.id, type(error).__name__)
            self._streaming = False  # an edit can always follow: it ends the stream first

    async def _append_stream(self) -> None:
        chunks: list[dict[str, Any]] = []
        card = task(self._event, self._line, complete=bool(self._text)) if self._line else self._card
        if card != self._card:
            chunks.append(card)
        piece = self._text[self._sent : BODY]
        if piece:
            chunks.append({"type": "markdown_text", "text": escape_markdown(piece)})
        self._card, self._sent = card, self._sent + len(piece)
        if chunks:
            await self._posts.client.chat_appendStream(
                channel=self._event.address["channel"], ts=self._ts, chunks=chunks
            )


class ResponseReply:
    """For places where the bot may not write: one answer to the command's response URL, seen by its user alone.

    Slack cannot be asked what was posted there. So a post whose answer was lost counts as made; only a crash between
    the post and its record leads to a second one.
    """

    def __init__(self, event: Event) -> None:
        self._event = event

    @property
    def reference(self) -> Mapping[str, str]:
        return {"by": "response_url"}

    async def show_progress(self, line: str) -> None:
        """Nothing: the URL takes five messages, and each would stay."""

    async def append(self, text: str) -> None:
        """Nothing, as above."""

    async def finish(self, message: Message) -> None:
        retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_TRIES)]
        webhook = AsyncWebhookClient(self._event.address["response_url"], retry_handlers=list(retries))
        for part in lay_out(message, self._event.address.get("asked", ""))[:RESPONSES]:
            try:
                answer = await webhook.send(text=part.text, blocks=part.blocks, response_type="ephemeral")
            except aiohttp.ClientConnectorError:
                raise  # nothing was sent
            except LOST as error:
                log.warning("event %s: the response URL gave no answer (%s)", self._event.id, type(error).__name__)
                continue
            if answer.status_code in (404, 410):
                raise ReplyImpossible("The command's response URL has run out, and I am not in that channel.")
            if answer.status_code != 200:
                raise ConnectionError(f"the response URL answered {answer.status_code}")


def task(event: Event, line: str, *, complete: bool = False) -> dict[str, str]:
    """A stream's progress line: a task card, whose id is the event's, so that the message can be found again."""
    title = escape_markdown(line)[:TASK_TITLE]
    return {"type": "task_update", "id": event.id, "title": title, "status": "complete" if complete else "in_progress"}
