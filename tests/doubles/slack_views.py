"""The modals of the Slack double: opened with a trigger, sent by who sees them, and closed or not by what the app says.

Source: docs.slack.dev on modals, views.open, the view object, the input block and the plain-text input. What becomes of
an initial_value that is longer than max_length stands nowhere; the double refuses it.
"""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.slack_blocks import Block, SlackFault, check_blocks
from tests.doubles.slack_delivery import Delivery
from tests.doubles.slack_workspace import APP_ID, BOT_ID, TEAM

TRIGGER_S = 3.0
TITLE = 24
LABEL = 2_000
PLACEHOLDER = 150
LONGEST_INPUT = 3_000
PRIVATE_METADATA = 3_000
CALLBACK_ID = 255
VIEW_BLOCKS = 100


@dataclass
class Form:
    """A modal that a person sees. `errors` are what the app said of its inputs, by block."""

    id: str
    user: str
    view: Block
    errors: dict[str, str] = field(default_factory=dict)
    is_open: bool = True

    @property
    def input(self) -> Block:
        """The one input of the form; ValueError for a modal that has none, or more."""
        [block] = [block for block in self.view["blocks"] if block["type"] == "input"]
        found: Block = block
        return found

    @property
    def text(self) -> str:
        """What a person reads in a modal that says something."""
        sections = [block for block in self.view["blocks"] if block["type"] == "section"]
        return "\n".join(block["text"]["text"] for block in sections)


class Views:
    """Triggers, and the forms that they opened, oldest first."""

    def __init__(self) -> None:
        self.trigger_s = TRIGGER_S
        self.forms: list[Form] = []
        self._triggers: dict[str, tuple[str, float]] = {}
        self._spent: set[str] = set()

    def issue_trigger(self, user: str) -> str:
        trigger = f"{uuid.uuid4().hex}.{TEAM}"
        self._triggers[trigger] = user, time.monotonic()
        return trigger

    def open(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answers views.open."""
        trigger = str(arguments.get("trigger_id"))
        if trigger not in self._triggers:
            raise SlackFault("invalid_arguments", "invalid `trigger_id`")
        user, issued = self._triggers[trigger]
        if trigger in self._spent:
            raise SlackFault("exchanged_trigger_id")
        if time.monotonic() - issued > self.trigger_s:
            raise SlackFault("expired_trigger_id")
        check_view(arguments.get("view"))
        self._spent.add(trigger)
        form = Form(f"V{uuid.uuid4().hex[:10].upper()}", user, arguments["view"])
        self.forms.append(form)
        return {"view": self._described(form)}

    def submission(self, form: Form, text: str) -> dict[str, Any]:
        """What Slack delivers when the person sends the form; AssertionError where its client would not send it."""
        block = form.input
        element = block["element"]
        assert form.is_open, "the form is closed"
        assert text or block.get("optional"), "the input is empty"
        assert len(text) <= element.get("max_length", LONGEST_INPUT), "the input takes no text of that length"
        values = {block["block_id"]: {element["action_id"]: {"type": element["type"], "value": text or None}}}
        return {
            "type": "view_submission",
            "team": {"id": TEAM, "domain": "tandem"},
            "user": {"id": form.user, "team_id": TEAM},
            "api_app_id": APP_ID,
            "token": "unused",
            "trigger_id": self.issue_trigger(form.user),
            "view": self._described(form) | {"state": {"values": values}},
            "response_urls": [],
            "is_enterprise_install": False,
        }

    def settle(self, form: Form, delivery: Delivery) -> None:
        """Shows the person what the app made of the form; without an acknowledgement it stays as it is."""
        if not delivery.acknowledged:
            return
        form.errors = {}
        answer = delivery.response or {}
        match answer.get("response_action"):
            case "errors":
                assert set(answer["errors"]) <= {form.input["block_id"]}, "Slack shows errors below inputs alone"
                form.errors = answer["errors"]
            case "update":
                check_view(answer["view"])
                form.view = answer["view"]
            case None | "clear":
                form.is_open = False
            case other:
                raise AssertionError(f"the double knows no response_action {other}")

    def _described(self, form: Form) -> Block:
        empty = {"private_metadata": "", "callback_id": "", "external_id": "", "state": {"values": {}}}
        known = {"id": form.id, "team_id": TEAM, "app_id": APP_ID, "bot_id": BOT_ID, "root_view_id": form.id}
        return empty | form.view | known


def check_view(view: Any) -> None:
    """Raises the fault that Slack answers a modal with which it does not take."""
    _require(isinstance(view, dict) and view.get("type") == "modal", "view", "must be a modal")
    _check_words(view.get("title"), "title", TITLE)
    for name in ("submit", "close"):
        if name in view:
            _check_words(view[name], name, TITLE)
    _require(len(view.get("callback_id", "")) <= CALLBACK_ID, "callback_id", "too long")
    _require(len(view.get("private_metadata", "")) <= PRIVATE_METADATA, "private_metadata", "too long")
    blocks = view.get("blocks")
    _require(isinstance(blocks, list) and 0 < len(blocks) <= VIEW_BLOCKS, "blocks", "must have 1 to 100 items")
    inputs = [block for block in blocks if block.get("type") == "input"]
    _require(not inputs or "submit" in view, "submit", "is required where there are inputs")
    for block in inputs:
        _check_input(block)
    try:
        check_blocks([block for block in blocks if block.get("type") != "input"])
    except SlackFault as fault:  # a view's blocks have the limits of a message's, under another code
        raise SlackFault("invalid_arguments", *fault.notes) from fault


def _check_input(block: Block) -> None:
    _check_words(block.get("label"), "label", LABEL)
    element = block.get("element") or {}
    _require(element.get("type") == "plain_text_input", "element", "unsupported element")
    _require(0 < len(element.get("action_id", "")) <= CALLBACK_ID, "action_id", "must have 1 to 255 characters")
    longest = element.get("max_length", LONGEST_INPUT)
    _require(1 <= longest <= LONGEST_INPUT, "max_length", f"must be at most {LONGEST_INPUT}")
    _require(len(element.get("initial_value", "")) <= longest, "initial_value", "longer than max_length")
    if "placeholder" in element:
        _check_words(element["placeholder"], "placeholder", PLACEHOLDER)


def _check_words(value: Any, name: str, limit: int) -> None:
    is_plain = isinstance(value, dict) and value.get("type") == "plain_text" and isinstance(value.get("text"), str)
    _require(is_plain, name, "must be plain_text")
    _require(0 < len(value["text"]) <= limit, name, f"must have 1 to {limit} characters")


def _require(holds: bool, name: str, note: str) -> None:
    if not holds:
        raise SlackFault("invalid_arguments", f"[ERROR] {note} [json-pointer:/view/{name}]")
