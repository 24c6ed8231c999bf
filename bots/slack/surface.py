"""Slack as the conversation layer sees it: where a reply is opened, found again and taken up."""

import asyncio
import logging
from collections.abc import Mapping

from slack_sdk.errors import SlackApiError

from bots.slack.blocks import progress
from bots.slack.client import LOST, Identity, error_code, is_hopeless, is_uncertain
from bots.slack.posts import LOOK_AFTER_S, Posts
from bots.slack.reply import ResponseReply, SlackReply, task
from bots.surface import REVIEW_LINE, Event, Reply, ReplyImpossible

FIRST_LINE = "Working on it"
_ONLY_HERE = {"ratelimited", "rate_limited", "message_limit_exceeded", "channel_type_not_supported", "user_not_found"}

log = logging.getLogger(__name__)


class SlackSurface:
    """Streams answers in threads for as long as Slack lets it, and posts and edits everything else."""

    name = "slack"

    def __init__(self, posts: Posts, identity: Identity) -> None:
        self._posts = posts
        self._identity = identity
        self._streams = True

    async def find_reply(self, event: Event) -> Reply | None:
        try:
            ts = (await self._posts.find(event, thread=event.address.get("thread"))).get(0)
        except SlackApiError as error:
            if error_code(error) in ("channel_not_found", "not_in_channel", "thread_not_found"):
                return None  # then nothing of ours is there either
            raise
        return SlackReply(self._posts, event, ts) if ts else None

    async def open_reply(self, event: Event) -> Reply:
        thread = event.address.get("thread")
        if self._streams and event.kind == "question" and thread:
            reply = await self._start_stream(event, thread)
            if reply is not None:
                return reply
        line = REVIEW_LINE if event.kind == "review" else FIRST_LINE
        first = progress(line, asked=event.address.get("asked", ""))
        try:
            ts = await self._posts.post_once(event, 0, first, thread=thread)
        except ReplyImpossible:
            if "response_url" in event.address:
                return ResponseReply(event)
            raise
        return SlackReply(self._posts, event, ts)

    def resume(self, event: Event, reference: Mapping[str, str]) -> Reply:
        if reference.get("by") == "response_url":
            return ResponseReply(event)
        return SlackReply(self._posts, event, reference["ts"])

    async def _start_stream(self, event: Event, thread: str) -> Reply | None:
        """None where Slack does not stream: the reply is then posted. After a lost answer it is looked for first."""
        try:
            answer = await self._posts.client.chat_startStream(
                channel=event.address["channel"],
                thread_ts=thread,
                recipient_team_id=self._identity.team,
                recipient_user_id=event.address["user"],
                task_display_mode="timeline",
                chunks=[task(event, FIRST_LINE)],
            )
        except (SlackApiError, *LOST) as error:
            if isinstance(error, SlackApiError) and not is_uncertain(error):
                if error_code(error) not in _ONLY_HERE and not is_hopeless(error):
                    self._streams = False
                    log.warning("Slack streams no answers here (%s); they are edited instead", error_code(error))
                return None
            await asyncio.sleep(LOOK_AFTER_S)
            return await self.find_reply(event)
        return SlackReply(self._posts, event, answer["ts"], streaming=True)
