"""The Web API methods of the Slack double, with Slack's arguments, errors and effects.

Source: docs.slack.dev/reference/methods, one page for each method.
"""

from collections.abc import Callable
from typing import Any

from tests.doubles.slack_blocks import (
    MARKDOWN_TEXT,
    UPDATE_TEXT_BYTES,
    SlackFault,
    check_blocks,
    check_chunks,
    check_content,
    check_metadata,
)
from tests.doubles.slack_workspace import APP_ID, BOT_ID, BOT_USER, TEAM, Channel, Message, Workspace

HISTORY_SCOPE = {"channel": "channels:history", "group": "groups:history", "im": "im:history", "mpim": "mpim:history"}
PAGE = 1000

Arguments = dict[str, Any]
Announce = Callable[[Channel, Message], None]
Method = Callable[[Arguments], dict[str, Any]]


class WebApi:
    """Answers calls of one bot token. `announce` is told of each message event that the call causes."""

    def __init__(self, workspace: Workspace, announce: Announce) -> None:
        self.scopes: set[str] = set()
        self.hides_streams = False
        """Whether a thread that is read lacks a stream's blocks until it ends; Slack's documentation is silent."""
        self._workspace = workspace
        self._announce = announce
        self.methods: dict[str, Method] = {
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "chat.delete": self._delete,
            "chat.startStream": self._start_stream,
            "chat.appendStream": self._append_stream,
            "chat.stopStream": self._stop_stream,
            "conversations.replies": self._replies,
            "conversations.history": self._history,
            "conversations.open": self._open,
            "users.info": self._user,
        }
        self.ephemerals: list[Message] = []

    def call(self, method: str, arguments: Arguments) -> dict[str, Any]:
        """Raises SlackFault for every answer that is not ok."""
        if method not in self.methods:
            raise SlackFault("unknown_method")
        if method.startswith("chat."):
            self._need("chat:write")
        return {"ok": True} | self.methods[method](arguments)

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise SlackFault("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _auth_test(self, arguments: Arguments) -> dict[str, Any]:
        return {"url": "https://tandem.slack.com/", "team": "Tandem", "user": "tandem", "team_id": TEAM} | {
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def _channel(self, arguments: Arguments, *, writing: bool = True) -> Channel:
        channel = self._workspace.channels.get(str(arguments.get("channel")))
        if channel is None or (channel.kind != "channel" and not channel.has_bot):
            raise SlackFault("channel_not_found")
        if not channel.has_bot:
            raise SlackFault("not_in_channel")
        if writing and channel.archived:
            raise SlackFault("is_archived")
        return channel

    def _message(self, channel: Channel, arguments: Arguments) -> Message:
        message = self._workspace.find(channel, arguments.get("ts"))
        if message is None:
            raise SlackFault("message_not_found")
        return message

    def _add(self, channel: Channel, content: Message) -> Message:
        signed = {"user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "team": TEAM}
        return self._workspace.add_message(channel, signed | content)

    def _post(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        check_content(arguments)
        content = {key: arguments[key] for key in ("blocks", "metadata", "thread_ts") if arguments.get(key)}
        message = self._add(channel, {"text": arguments.get("text") or arguments.get("markdown_text") or ""} | content)
        self._workspace.note_pings(message, links_names=_links_names(arguments, default="none"))
        self._announce(channel, message)
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _post_ephemeral(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        if arguments.get("user") not in self._workspace.users:
            raise SlackFault("user_not_in_channel")
        check_content(arguments)
        message = {"ts": self._workspace.next_ts(), "channel": channel.id} | arguments
        self._workspace.note_pings(message, links_names=_links_names(arguments, default="none"))
        self.ephemerals.append(message)
        return {"message_ts": message["ts"]}

    def _update(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        message = self._message(channel, arguments)
        if message["user"] != BOT_USER:
            raise SlackFault("cant_update_message")
        if message.get("streaming_state") == "in_progress":
            raise SlackFault("streaming_state_conflict")
        check_content(arguments, text_bytes=UPDATE_TEXT_BYTES)
        for key in ("text", "blocks", "metadata"):
            if arguments.get(key) is not None:
                message[key] = arguments[key]
        message["edited"] = {"user": BOT_USER, "ts": self._workspace.next_ts()}
        self._workspace.note_pings(message, links_names=_links_names(arguments, default="client"))
        self._announce(
            channel,
            {"type": "message", "subtype": "message_changed", "ts": message["edited"]["ts"], "message": message},
        )
        return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}

    def _delete(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        message = self._message(channel, arguments)
        if message["user"] != BOT_USER:
            raise SlackFault("cant_delete_message")
        self._workspace.remove_message(channel, message)
        gone = {"type": "message", "subtype": "message_deleted", "ts": self._workspace.next_ts()}
        self._announce(channel, gone | {"deleted_ts": message["ts"], "previous_message": message})
        return {"channel": channel.id, "ts": message["ts"]}

    def _start_stream(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        if channel.kind != "im":
            for name in ("recipient_team_id", "recipient_user_id"):
                if not arguments.get(name):
                    raise SlackFault(f"missing_{name}")
        elif not arguments.get("thread_ts"):
            raise SlackFault("channel_type_not_supported")
        _check_stream(arguments)
        content: Message = {"text": "", "blocks": [], "streaming_state": "in_progress"}
        if arguments.get("thread_ts"):
            content["thread_ts"] = arguments["thread_ts"]
        message = self._add(channel, content | {"stream_of": "chunks" if arguments.get("chunks") else "markdown_text"})
        self._pour(message, arguments)
        self._announce(channel, message)
        return {"channel": channel.id, "ts": message["ts"]}

    def _append_stream(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        message = self._streaming(channel, arguments)
        if not arguments.get("chunks") and not arguments.get("markdown_text"):
            raise SlackFault("no_text")
        _check_stream(arguments, message)
        self._pour(message, arguments)
        return {"channel": channel.id, "ts": message["ts"]}

    def _stop_stream(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments)
        message = self._streaming(channel, arguments)
        _check_stream(arguments, message)
        check_metadata(arguments.get("metadata"))
        if arguments.get("blocks"):
            check_blocks(arguments["blocks"])
        self._pour(message, arguments)
        message["blocks"] += arguments.get("blocks") or []
        message["streaming_state"] = "completed"
        if arguments.get("metadata"):
            message["metadata"] = arguments["metadata"]
        self._announce(
            channel,
            {"type": "message", "subtype": "message_changed", "ts": self._workspace.next_ts(), "message": message},
        )
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _streaming(self, channel: Channel, arguments: Arguments) -> Message:
        message = self._message(channel, arguments)
        if message["user"] != BOT_USER:
            raise SlackFault("message_not_owned_by_app")
        if message.get("streaming_state") != "in_progress":
            raise SlackFault("message_not_in_streaming_state")
        return message

    def _pour(self, message: Message, arguments: Arguments) -> None:
        """Adds streamed pieces: text goes after the text so far, a task takes the place of the task of its id."""
        pieces = [arguments.get("markdown_text") or ""]
        for chunk in arguments.get("chunks") or []:
            if chunk["type"] == "markdown_text":
                pieces.append(chunk["text"])
            elif chunk["type"] == "task_update":
                card = {"type": "task_card", "task_id": chunk["id"], "title": chunk["title"], "status": chunk["status"]}
                others = [b for b in message["blocks"] if b.get("task_id") != chunk["id"]]
                message["blocks"] = [card, *others]
        if text := "".join(pieces):
            message["text"] += text
            cards = [block for block in message["blocks"] if block["type"] != "markdown"]
            message["blocks"] = [*cards, {"type": "markdown", "text": message["text"]}]
            self._workspace.note_pings({"text": text}, links_names=False)

    def _replies(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments, writing=False)
        self._need(HISTORY_SCOPE[channel.kind])
        root = self._workspace.find(channel, arguments.get("ts"))
        if root is None:
            raise SlackFault("thread_not_found")
        replies = [m for m in channel.messages if m.get("thread_ts") == root["ts"] and m is not root]
        return self._page([root, *_between(replies, arguments)], arguments)

    def _history(self, arguments: Arguments) -> dict[str, Any]:
        channel = self._channel(arguments, writing=False)
        self._need(HISTORY_SCOPE[channel.kind])
        roots = [m for m in channel.messages if m.get("thread_ts") in (None, m["ts"])]
        return self._page(_between(roots, arguments)[::-1], arguments)

    def _page(self, messages: list[Message], arguments: Arguments) -> dict[str, Any]:
        start = int(arguments.get("cursor") or 0)
        end = start + min(int(arguments.get("limit") or 100), PAGE)
        shown = messages[start:end]
        if self.hides_streams:
            shown = [m | {"blocks": []} if m.get("streaming_state") == "in_progress" else m for m in shown]
        if arguments.get("include_all_metadata") not in (True, "1", "true"):
            shown = [{key: value for key, value in message.items() if key != "metadata"} for message in shown]
        cursor = str(end) if end < len(messages) else ""
        return {"messages": shown, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}

    def _open(self, arguments: Arguments) -> dict[str, Any]:
        """With one person: the direct message with them, the same each time."""
        self._need("im:write")
        user = str(arguments.get("users") or "")
        if not user:
            raise SlackFault("users_list_not_supplied")
        if user not in self._workspace.users:
            raise SlackFault("user_not_found")
        channel = self._workspace.add_channel(f"D{user}", "im")
        return {"channel": {"id": channel.id}}

    def _user(self, arguments: Arguments) -> dict[str, Any]:
        self._need("users:read")
        user = self._workspace.users.get(str(arguments.get("user")))
        if user is None:
            raise SlackFault("user_not_found")
        return {"user": user}


def _links_names(arguments: Arguments, *, default: str) -> bool:
    """Whether plain @names become mentions: with link_names, parse=full, and chat.update's default parse=client."""
    return bool(arguments.get("link_names")) or (arguments.get("parse") or default) != "none"


def _between(messages: list[Message], arguments: Arguments) -> list[Message]:
    oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    if arguments.get("inclusive") in (True, "1", "true"):
        return [m for m in messages if oldest <= float(m["ts"]) <= latest]
    return [m for m in messages if oldest < float(m["ts"]) < latest]


def _check_stream(arguments: Arguments, message: Message | None = None) -> None:
    chunks, text = arguments.get("chunks"), arguments.get("markdown_text")
    if chunks and text:
        raise SlackFault("cannot_provide_both_markdown_text_and_chunks")
    if message is not None and (chunks or text) and message["stream_of"] != ("chunks" if chunks else "markdown_text"):
        raise SlackFault("streaming_mode_mismatch")
    if chunks:
        check_chunks(chunks)
    if text and len(text) > MARKDOWN_TEXT:
        raise SlackFault("msg_too_long")
