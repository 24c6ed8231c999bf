"""Slack channel history as a source: a document is a thread, or a message that nobody replied to."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from index.connectors.connector import SourceUnavailable
from index.connectors.history import Edits, Thread, sum_up
from index.connectors.transcript import Said, write_transcript
from index.documents import DocumentError
from tandem.errors import SourceError
from tandem.settings import Settings

Message = dict[str, Any]
PAGE = 200  # what Slack recommends at most: docs.slack.dev/apis/web-api/pagination
RATE_LIMIT_TRIES = 20
STRANGER = "someone"
"""Whom Slack does not show, as it may be with people of another workspace in a shared channel."""
SAID = frozenset({None, "bot_message", "me_message", "file_share", "thread_broadcast"})
"""Subtypes that somebody wrote; all others tell of joins, topics, pins (docs.slack.dev/reference/events/message)."""
_CLOSED = {
    "channel_not_found": "it is not there, or is private and the bot is not in it",
    "not_in_channel": "the bot is not in it",
    "missing_scope": "the app lacks the scope to read it",
}
_NOT_THERE = frozenset({"thread_not_found", "user_not_found", "user_not_visible"})
_REFUSED = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
_MARKUP = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_USER = re.compile(r"<@([UW]\w+)")
_identities: dict[tuple[str, str], Message] = {}
"""What auth.test said, by server and token."""
_names: dict[tuple[str, str], str] = {}
"""People's display names by workspace and id, for as long as this process lives."""


class SlackChannel:
    """Reads what the bot's token may: public channels and private ones that it is in, once invited."""

    def __init__(self, settings: Settings, team: str | None, channel: str) -> None:
        """`team`: whose channel it is known to be; None when that is to be found out."""
        token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
        if not token:
            raise SourceError("SLACK_BOT_TOKEN is not set.", remedy="Set it as docs/slack.md shows, then look again.")
        # Reading twice does no harm, so lost connections are retried; 429 is waited for as long as Retry-After says.
        self._client = AsyncWebClient(
            token=token,
            base_url=settings.slack_api_url,
            retry_handlers=[
                AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_TRIES),
                AsyncConnectionErrorRetryHandler(),
                AsyncServerErrorRetryHandler(),
            ],
        )
        self._key = (settings.slack_api_url, token)
        self._id = channel
        self.team = team or ""
        self._url = self._user = self._bot = ""

    async def open(self, *, again: bool = True) -> None:
        answer = None if again else _identities.get(self._key)
        if answer is None:
            answer = _identities[self._key] = await self._call("auth.test")
        if self.team and answer["team_id"] != self.team:
            raise SourceError(
                f"The channel is in the workspace {self.team}, but SLACK_BOT_TOKEN is of {answer['team_id']}.",
                remedy="Set that workspace's token, or remove the source.",
            )
        self.team, self._url = answer["team_id"], answer["url"]
        self._user, self._bot = answer["user_id"], answer.get("bot_id", "")

    async def check(self) -> None:
        """Raises SourceError when the channel cannot be read."""
        await self._call("conversations.history", channel=self._id, limit=1)

    async def scan(self, since: float | None) -> Sequence[Thread]:
        roots = self._pages("conversations.history", oldest=f"{since or 0:.6f}")
        return [_describe(root) async for root in roots if self._is_thread(root)]

    async def find_edits(self, path: str) -> Edits:
        try:
            edited = [message for message in await self._replies(path) if "edited" in message]
        except DocumentError:
            return Edits()
        mark = sum_up([f"{message['ts']}:{message['edited']['ts']}" for message in edited])
        return Edits(mark, max((float(m["edited"]["ts"]) for m in edited if self._is_said(m)), default=0.0))

    async def read(self, path: str, stamp: str | None) -> bytes:
        messages = [message for message in await self._replies(path) if self._is_said(message)]
        await self._learn_names(messages)
        return write_transcript(
            [Said(self._author(m), float(m["ts"]), self._text(m), self._link(m["ts"], path)) for m in messages]
        )

    def link(self, path: str) -> str:
        return self._link(path, path)

    def began(self, path: str) -> float:
        return float(path)

    def _link(self, ts: str, root: str) -> str:
        """As chat.getPermalink makes it, which would cost a request for each message."""
        reply = f"?thread_ts={root}&cid={self._id}" if ts != root else ""
        return f"{self._url}archives/{self._id}/p{ts.replace('.', '')}{reply}"

    def _is_said(self, message: Message) -> bool:
        own = message.get("user") == self._user or (self._bot and message.get("bot_id") == self._bot)
        return not own and message.get("subtype") in SAID and bool(_read_raw(message).strip())

    def _is_thread(self, root: Message) -> bool:
        """Whether anybody but us said anything in it. Of those who replied, Slack names the first few."""
        if root.get("thread_ts") not in (None, root["ts"]):
            return False  # a reply that was also sent to the channel
        others = [user for user in root.get("reply_users", ()) if user != self._user]
        return self._is_said(root) or bool(others)

    async def _replies(self, path: str) -> list[Message]:
        try:
            return [message async for message in self._pages("conversations.replies", ts=path)]
        except SlackApiError as error:
            raise DocumentError("The thread was deleted.") from error

    async def _pages(self, method: str, **arguments: Any) -> AsyncIterator[Message]:
        cursor = ""
        while True:
            page = await self._call(method, channel=self._id, limit=PAGE, cursor=cursor, **arguments)
            for message in page["messages"]:
                yield message
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    async def _call(self, method: str, **arguments: Any) -> Any:
        """Raises SlackApiError for what concerns one thread or person alone."""
        try:
            return (await self._client.api_call(method, http_verb="GET", params=arguments)).data
        except SlackApiError as error:
            data = error.response.data
            code = str(data.get("error", "")) if isinstance(data, dict) else ""
            if code in _NOT_THERE:
                raise
            if code in _CLOSED:
                raise SourceError(
                    f"Slack does not let the bot read {self._id}: {_CLOSED[code]}.",
                    remedy="Invite the bot in that channel (/invite), and see docs/slack.md for its scopes.",
                ) from error
            if code in _REFUSED:
                raise SourceError(
                    f"Slack refuses SLACK_BOT_TOKEN ({code}).", remedy="Copy it again, as docs/slack.md shows."
                ) from error
            raise SourceUnavailable(f"Slack did not answer {method} ({code or 'no reason'}).") from error
        except (TimeoutError, aiohttp.ClientError, ConnectionError) as error:
            raise SourceUnavailable(f"Slack cannot be reached ({type(error).__name__}).") from error

    async def _learn_names(self, messages: Sequence[Message]) -> None:
        wanted = {message["user"] for message in messages if message.get("user")}
        wanted |= {user for message in messages for user in _USER.findall(message.get("text") or "")}
        for user in sorted(user for user in wanted if (self.team, user) not in _names):
            try:
                found = (await self._call("users.info", user=user))["user"]
            except SlackApiError:
                found = {"name": STRANGER}
            profile = found.get("profile") or {}
            name = profile.get("display_name") or profile.get("real_name") or found.get("real_name")
            _names[self.team, user] = name or found.get("name") or user

    def _author(self, message: Message) -> str:
        if user := message.get("user"):
            return _names.get((self.team, str(user)), str(user))
        return str(message.get("username") or (message.get("bot_profile") or {}).get("name") or "a bot")

    def _text(self, message: Message) -> str:
        """What people see: names for ids, links as Markdown has them, Slack's three entities decoded."""

        def plain(match: re.Match[str]) -> str:
            target, label = str(match[1]), match[2]
            if target.startswith("@"):
                return f"@{_names.get((self.team, target[1:]), label or target[1:])}"
            if target[0] in "#!":
                return label or target.replace("!", "@").split("^")[0]
            return f"[{label}]({target})" if label and label != target else str(target)

        shown = _MARKUP.sub(plain, _read_raw(message))
        return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _describe(root: Message) -> Thread:
    latest = root.get("latest_reply") or root["ts"]
    edited = (root.get("edited") or {}).get("ts", "")
    replies = root.get("reply_count", 0)
    fact = f"{latest}:{replies}:{edited}{root.get('subtype', '')}"
    return Thread(root["ts"], fact, float(latest), hides_edits=bool(replies), edited=float(edited or 0.0))


def _read_raw(message: Message) -> str:
    """The text; else, as integrations send it, that of the attachments; and the names of files."""
    attached = [part.get("fallback") or part.get("text") or "" for part in message.get("attachments") or ()]
    files = [f"[file: {file.get('title') or file.get('name') or 'unnamed'}]" for file in message.get("files") or ()]
    return "\n".join(filter(None, [message.get("text") or "\n".join(attached), *files]))
