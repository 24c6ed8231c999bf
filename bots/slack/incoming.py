"""From what Slack delivers to an Event, the same one on every delivery."""

import time
from collections.abc import Mapping
from typing import Any

from bots.slack.client import Identity
from bots.slack.escaping import read_text
from bots.surface import Event, Kind
from index.audience import Viewer
from tandem.settings import Settings

CLOCK_SLACK_S = 300.0
"""How far this machine's clock may be from Slack's when a command's reply is looked for."""

Payload = Mapping[str, Any]


class Incoming:
    """Knows whose bot it is and which audiences a channel has."""

    def __init__(self, identity: Identity, settings: Settings) -> None:
        self.identity = identity
        self._audiences = settings.audiences

    def thread_of(self, channel: str, thread: str) -> str:
        """The key of a thread's memory."""
        return f"slack:{self.identity.team}:{channel}:{thread}"

    def read_message(self, message: Payload, conversation: str) -> Event:
        """A person's message as a question; a mention's two events give the same one."""
        channel, ts = message["channel"], message["ts"]
        thread = message.get("thread_ts") or ts
        return Event(
            id=f"slack:{channel}:{ts}",
            surface="slack",
            kind="question",
            conversation=conversation,
            viewer=self.viewer_in(channel),
            user=f"slack:{message['user']}",
            text=read_text(message.get("text") or "", self.identity.user),
            address={"channel": channel, "thread": thread, "since": ts, "user": message["user"]},
        )

    def read_command(self, kind: Kind, body: Payload, conversation: str | None = None) -> Event:
        """A slash command. Its reply begins a thread of its own, and so, unless told otherwise, a conversation."""
        channel, trigger = body["channel_id"], body["trigger_id"]
        text = read_text(body.get("text") or "", self.identity.user)
        address = {
            "channel": channel,
            "since": f"{time.time() - CLOCK_SLACK_S:.6f}",
            "user": body["user_id"],
            "response_url": body["response_url"],
        }
        return Event(
            id=f"slack:{trigger}",
            surface="slack",
            kind=kind,
            conversation=conversation or self.thread_of(channel, trigger),
            viewer=self.viewer_in(channel),
            user=f"slack:{body['user_id']}",
            text=text,
            address=address | ({"asked": text} if kind == "question" and text else {}),
        )

    def make_notice(self, notice_id: int, channel: str, user: str, since: float) -> Event:
        """What tells an owner of a review, in their direct message; `since` is Unix seconds, when it was made."""
        return Event(
            id=f"slack:review:{notice_id}",
            surface="slack",
            kind="review",
            conversation=self.thread_of(channel, f"review:{notice_id}"),
            viewer=self.viewer_in(channel),
            user=f"slack:{user}",
            text=str(notice_id),
            address={"channel": channel, "since": f"{max(since - CLOCK_SLACK_S, 0):.6f}", "user": user},
        )

    def viewer_in(self, channel: str) -> Viewer:
        """Who asks in this channel."""
        own = f"slack:{channel}"
        return Viewer(f"slack:{self.identity.team}", frozenset({own, *self._audiences.get(own, ())}))
