"""What the Slack double holds: people, channels and messages, and what of a message a person sees."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
TEAM = "T0TANDEM"
BOT_USER = "U0BOT"
BOT_ID = "B0BOT"
APP_ID = "A0TANDEM"

_TOKEN = re.compile(r"<(!channel|!here|!everyone|!group|!subteam\^\w+|@[UW]\w+)(\|[^>]*)?>")
_NAME = re.compile(r"(?<!\w)@(channel|here|everyone|\w+)\b")


@dataclass
class Channel:
    """`kind` is Slack's channel_type: channel, group, mpim or im."""

    id: str
    kind: str = "channel"
    has_bot: bool = True
    archived: bool = False
    messages: list[Message] = field(default_factory=list)


@dataclass
class Workspace:
    channels: dict[str, Channel] = field(default_factory=dict)
    users: dict[str, Message] = field(default_factory=dict)
    pings: list[str] = field(default_factory=list)
    """Whom any post, edit or streamed piece has notified, ever."""
    _last_ts: float = 0.0

    def add_channel(self, channel_id: str, kind: str = "channel", *, has_bot: bool = True) -> Channel:
        return self.channels.setdefault(channel_id, Channel(channel_id, kind, has_bot))

    def add_user(self, user_id: str, *, is_admin: bool = False, display_name: str = "") -> None:
        self.users[user_id] = {
            "id": user_id,
            "team_id": TEAM,
            "name": user_id.lower(),
            "is_admin": is_admin,
            "is_owner": False,
            "is_bot": False,
            "profile": {"display_name": display_name, "real_name": user_id},
        }

    def next_ts(self) -> str:
        self._last_ts = max(time.time(), self._last_ts + 0.000001)
        return f"{self._last_ts:.6f}"

    def add_message(self, channel: Channel, message: Message) -> Message:
        """Stores a message under a new `ts`, in its thread where it has one."""
        stored: Message = {"type": "message", "ts": self.next_ts(), "channel": channel.id} | message
        if root := self.find(channel, stored.get("thread_ts")):
            root["thread_ts"] = root["ts"]
            stored["parent_user_id"] = root["user"]
        channel.messages.append(stored)
        self._count_replies(channel, stored.get("thread_ts"))
        return stored

    def remove_message(self, channel: Channel, message: Message) -> None:
        """A thread's root leaves a tombstone while it has replies; all else is gone. Source: Slack's help center,
        "Edit or delete messages", and the tombstone that conversations.history then lists."""
        if message.get("reply_count"):
            message |= {"subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT"}
            return
        channel.messages.remove(message)
        self._count_replies(channel, message.get("thread_ts"))

    def _count_replies(self, channel: Channel, root_ts: str | None) -> None:
        """What a root tells of its replies: docs.slack.dev/messaging/retrieving-messages."""
        root = self.find(channel, root_ts)
        replies = [m for m in channel.messages if m.get("thread_ts") == root_ts and m is not root]
        if root is not None and root_ts is not None:
            root["reply_count"] = len(replies)
            root["reply_users"] = list(dict.fromkeys(reply["user"] for reply in replies))[:5]
            root["latest_reply"] = replies[-1]["ts"] if replies else root["ts"]

    def find(self, channel: Channel, ts: str | None) -> Message | None:
        return next((message for message in channel.messages if message["ts"] == ts), None)

    def note_pings(self, message: Message, *, links_names: bool) -> None:
        """Notes everyone whom this content notifies: marked-up mentions always, plain @names where Slack links them."""
        for text in texts_of(message):
            self.pings += [match.group(1) for match in _TOKEN.finditer(text)]
            if links_names:
                self.pings += [match.group(0) for match in _NAME.finditer(text)]


def texts_of(message: Message) -> list[str]:
    """Every text of the message that Slack parses as markup, as it was sent."""
    texts = [message.get("text") or ""]
    for block in message.get("blocks") or []:
        match block["type"]:
            case "markdown":
                texts.append(block["text"])
            case "section":
                texts.append(block["text"]["text"])
            case "context":
                texts += [element["text"] for element in block["elements"]]
    return texts


def visible_text(message: Message) -> str:
    """What a person reads: the blocks where there are some (the text is then only the notification), else the text."""
    lines: list[str] = []
    for block in message.get("blocks") or []:
        match block["type"]:
            case "markdown":
                lines.append(block["text"])
            case "section":
                lines.append(block["text"]["text"])
            case "context":
                lines += [element["text"] for element in block["elements"]]
            case "task_card":
                lines.append(block["title"])
    shown = "\n".join(lines) if message.get("blocks") else message.get("text") or ""
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def feedback_values(message: Message) -> list[str]:
    """The values of the feedback buttons under the message: the positive and the negative one."""
    values: list[str] = []
    for block in message.get("blocks") or []:
        if block["type"] == "context_actions":
            for element in block["elements"]:
                values += [element["positive_button"]["value"], element["negative_button"]["value"]]
    return values
