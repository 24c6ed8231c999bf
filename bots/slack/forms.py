"""The form in which one person corrects an answer: a Slack modal.

Limits: 24 characters in a title, 150 in a placeholder, 3,000 in an input and in private_metadata.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bots.corrections import FORM_HINT, FORM_LABEL, FORM_TITLE, LONGEST_CORRECTION
from bots.slack.blocks import Block

CORRECTION_FORM = "tandem_correction"
FIELD = "tandem_corrected"


@dataclass(frozen=True)
class Corrected:
    """What a form is about. Slack tells neither when it is sent, so they travel with it, unseen."""

    answer_id: str
    channel: str


def make_form(about: Corrected, text: str) -> Block:
    """`text` stands in the input from the start, if there is any."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": FIELD,
        "multiline": True,
        "max_length": LONGEST_CORRECTION,
        **({"initial_value": text} if text else {"placeholder": _plain(FORM_HINT)}),
    }
    return {
        "type": "modal",
        "callback_id": CORRECTION_FORM,
        "private_metadata": json.dumps(asdict(about)),
        "title": _plain(FORM_TITLE),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [{"type": "input", "block_id": FIELD, "label": _plain(FORM_LABEL), "element": element}],
    }


def read_form(view: Mapping[str, Any]) -> tuple[Corrected, str]:
    """What the form is about, and what the person wrote: as typed, for Slack reads no markup in an input."""
    about = Corrected(**json.loads(view["private_metadata"]))
    return about, view["state"]["values"][FIELD][FIELD]["value"] or ""


def make_receipt(line: str) -> Block:
    """What takes the form's place once it was sent."""
    return {
        "type": "modal",
        "title": _plain(FORM_TITLE),
        "close": _plain("Close"),
        "blocks": [{"type": "section", "text": _plain(line)}],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
