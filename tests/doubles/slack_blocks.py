"""Slack's limits on what a message may hold, with the error codes that the Web API gives for each.

Figures: docs.slack.dev on Block Kit, chat.* and message metadata. Two are not documented but measured by others: all
texts of a message's blocks together may have about 13,200 characters (slackapi/bolt-js #2509), and chat.update takes
4,000 bytes of text (gitlab-org/gitlab !258898).
"""

import json
from collections.abc import Callable
from typing import Any

MESSAGE_TEXT = 40_000
UPDATE_TEXT_BYTES = 4_000
MARKDOWN_TEXT = 12_000
ALL_BLOCKS_TEXT = 13_200
BLOCKS = 50
SECTION_TEXT = 3_000
CONTEXT_ELEMENTS = 10
METADATA = 8_000
TASK_FIELD = 256
BLOCK_ID = 255

Block = dict[str, Any]


class SlackFault(Exception):
    """An answer `{"ok": false, "error": code}`; `notes` go into response_metadata, as Slack's do."""

    def __init__(self, code: str, *notes: str, **fields: str) -> None:
        super().__init__(code)
        self.code = code
        self.notes = list(notes)
        self.fields = fields


def check_content(content: dict[str, Any], *, text_bytes: int | None = None) -> None:
    """Raises the fault that Slack answers such a message with; `text_bytes` is chat.update's tighter limit."""
    text, blocks, markdown = content.get("text"), content.get("blocks"), content.get("markdown_text")
    if markdown is not None and (text is not None or blocks is not None):
        raise SlackFault("markdown_text_conflict")
    if not (text or blocks or markdown or content.get("attachments")):
        raise SlackFault("no_text")
    if text and (len(text) > MESSAGE_TEXT or (text_bytes is not None and len(text.encode()) > text_bytes)):
        raise SlackFault("msg_too_long")
    if markdown and len(markdown) > MARKDOWN_TEXT:
        raise SlackFault("msg_too_long")
    if blocks is not None:
        check_blocks(blocks)
    check_metadata(content.get("metadata"))


def check_metadata(metadata: Any) -> None:
    if metadata in (None, {}):
        return
    if (
        not isinstance(metadata, dict)
        or not isinstance(metadata.get("event_payload"), dict)
        or not metadata.get("event_type")
    ):
        raise SlackFault("invalid_metadata_format")
    if len(json.dumps(metadata)) > METADATA:
        raise SlackFault("metadata_too_large")


def check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list):
        raise SlackFault("invalid_blocks_format")
    if len(blocks) > BLOCKS:
        raise SlackFault("invalid_blocks", f"[ERROR] no more than {BLOCKS} items allowed [json-pointer:/blocks]")
    for number, block in enumerate(blocks):
        check = _CHECKS.get(block.get("type", ""))
        if check is None:
            raise SlackFault(
                "invalid_blocks", f"[ERROR] unsupported type: {block.get('type')} [json-pointer:/blocks/{number}]"
            )
        _require(len(block.get("block_id", "")) <= BLOCK_ID, number, "block_id too long")
        check(block, number)
    identities = [block["block_id"] for block in blocks if "block_id" in block]
    _require(len(set(identities)) == len(identities), 0, "block_id is not unique")
    if (
        sum(len(b["text"]) for b in blocks if b["type"] == "markdown") > MARKDOWN_TEXT
        or _length(blocks) > ALL_BLOCKS_TEXT
    ):
        raise SlackFault("msg_blocks_too_long")


def _length(value: Any) -> int:
    if isinstance(value, list):
        return sum(_length(item) for item in value)
    if isinstance(value, dict):
        return sum(
            len(item) if key == "text" and isinstance(item, str) else _length(item) for key, item in value.items()
        )
    return 0


def _require(holds: bool, number: int, note: str) -> None:
    if not holds:
        raise SlackFault("invalid_blocks", f"[ERROR] {note} [json-pointer:/blocks/{number}]")


def _text_object(value: Any, number: int, limit: int, *types: str) -> None:
    _require(isinstance(value, dict) and value.get("type") in types, number, "must be a text object")
    _require(isinstance(value.get("text"), str) and value["text"] != "", number, "text must have at least 1 character")
    _require(len(value["text"]) <= limit, number, f"text must be less than {limit + 1} characters")


def _check_markdown(block: Block, number: int) -> None:
    _require(isinstance(block.get("text"), str) and block["text"] != "", number, "missing required field: text")


def _check_section(block: Block, number: int) -> None:
    _text_object(block.get("text"), number, SECTION_TEXT, "mrkdwn", "plain_text")


def _check_context(block: Block, number: int) -> None:
    elements = block.get("elements")
    _require(isinstance(elements, list) and 0 < len(elements) <= CONTEXT_ELEMENTS, number, "1 to 10 elements")
    for element in elements or []:
        _text_object(element, number, SECTION_TEXT, "mrkdwn", "plain_text")


def _check_context_actions(block: Block, number: int) -> None:
    elements = block.get("elements")
    _require(isinstance(elements, list) and 0 < len(elements) <= 5, number, "1 to 5 elements")
    for element in elements or []:
        _require(element.get("type") in ("feedback_buttons", "icon_button"), number, "unsupported element")
        for name in ("positive_button", "negative_button"):
            button = element.get(name)
            _require(isinstance(button, dict), number, f"missing required field: {name}")
            _text_object(button.get("text"), number, 75, "plain_text")
            _require(0 < len(button.get("value", "")) <= 2000, number, "value must have 1 to 2000 characters")


def _check_actions(block: Block, number: int) -> None:
    elements = block.get("elements")
    _require(isinstance(elements, list) and 0 < len(elements) <= 25, number, "1 to 25 elements")
    for element in elements or []:
        _require(element.get("type") == "button", number, "unsupported element")
        _text_object(element.get("text"), number, 75, "plain_text")
        _require(0 < len(element.get("action_id", "")) <= 255, number, "action_id must have 1 to 255 characters")
        _require(len(element.get("value", "")) <= 2000, number, "value must be less than 2001 characters")
        _require(element.get("style") in (None, "primary", "danger"), number, "invalid style")
    names = [element.get("action_id") for element in elements or []]
    _require(len(set(names)) == len(names), number, "action_id is not unique")


def _check_nothing(block: Block, number: int) -> None:
    """A divider has no fields."""


_CHECKS: dict[str, Callable[[Block, int], None]] = {
    "markdown": _check_markdown,
    "section": _check_section,
    "context": _check_context,
    "context_actions": _check_context_actions,
    "actions": _check_actions,
    "divider": _check_nothing,
}


def check_chunks(chunks: Any) -> None:
    """Raises the fault of a stream's `chunks`; Slack takes markdown_text, task_update and plan_update among others."""
    if not isinstance(chunks, list) or not chunks:
        raise SlackFault("invalid_chunks")
    for chunk in chunks:
        match chunk.get("type"):
            case "markdown_text" if isinstance(chunk.get("text"), str) and chunk["text"]:
                if len(chunk["text"]) > MARKDOWN_TEXT:
                    raise SlackFault("msg_too_long")
            case "task_update" if chunk.get("id") and chunk.get("title"):
                fits = len(chunk["id"]) <= BLOCK_ID and all(
                    len(chunk.get(name) or "") <= TASK_FIELD for name in ("title", "details", "output")
                )
                if not fits or chunk.get("status") not in ("pending", "in_progress", "complete", "error"):
                    raise SlackFault("invalid_chunks")
            case "plan_update" if chunk.get("title"):
                pass
            case _:
                raise SlackFault("invalid_chunks")
