"""How a finished message looks in Slack: markdown blocks, sources, the receipt, the thumbs and buttons.

Limits: 12,000 characters in all markdown blocks of a message, 3,000 in a section or context text, and about 13,200 in
all blocks together (slackapi/bolt-js #2509).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bots.rendering import split_markdown
from bots.slack.escaping import escape_markdown, escape_mrkdwn, link
from bots.surface import Choice, Message
from graph.answers import Citation

Block = dict[str, Any]
BODY = 8_000
SECTION = 3_000
NOTICE = 300
QUOTED = 200
VERDICT_ACTION = "tandem_verdict"
CHOICE_ACTION = "tandem_choice"
CORRECT_ACTION = "tandem_correct"


@dataclass(frozen=True)
class Part:
    """One Slack message: its blocks, and the text that notifications show."""

    text: str
    blocks: list[Block]


def lay_out(message: Message, asked: str = "") -> list[Part]:
    """The message as one or more parts within Slack's limits; sources, receipt and buttons close the last.

    `asked` is the question to show above the answer, where the thread does not show it.
    """
    quote = f"> {escape_markdown(_shorten(asked, QUOTED))}\n\n" if asked else ""
    bodies = split_markdown(quote + escape_markdown(message.markdown), BODY) or ["…"]
    parts = [Part(_notice(body), [{"type": "markdown", "text": body}]) for body in bodies]
    parts[-1].blocks.extend(_closing(message))
    return parts


def progress(line: str, text: str = "", asked: str = "") -> Part:
    """What is visible while the answer is being written: the text so far, and what is going on."""
    body = lay_out(Message(text), asked)[0].blocks if text or asked else []
    blocks: list[Block] = [*body, _context(f"_{escape_mrkdwn(line)}_")] if line else list(body)
    return Part(escape_mrkdwn(line) or "…", blocks or [_context("…")])


def _closing(message: Message) -> list[Block]:
    blocks: list[Block] = []
    if message.citations:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": _list_sources(message.citations)}})
    if message.receipt:
        blocks.append(_context(escape_mrkdwn(message.receipt)))
    if message.feedback_for:
        blocks.append(_thumbs(message.feedback_for))
        # a block of its own: beside feedback_buttons Slack takes no button with words
        blocks.append(_buttons({CORRECT_ACTION: Choice("Correct", message.feedback_for)}))
    if message.choices:
        blocks.append(_buttons({f"{CHOICE_ACTION}_{number}": one for number, one in enumerate(message.choices)}))
    return blocks


def _buttons(choices: Mapping[str, Choice]) -> Block:
    """The choices by the ids of their actions."""
    elements: list[Block] = []
    for action, choice in choices.items():
        text = {"type": "plain_text", "text": choice.label, "emoji": False}
        elements.append({"type": "button", "action_id": action, "text": text, "value": choice.value})
    return {"type": "actions", "elements": elements}


def _list_sources(citations: Sequence[Citation]) -> str:
    lines = ["*Sources*"]
    for citation in citations:
        line = f"[{citation.n}] {link(citation.uri, _shorten(citation.title, QUOTED))}"
        if sum(len(earlier) + 1 for earlier in lines) + len(line) > SECTION:
            break
        lines.append(line)
    return "\n".join(lines)


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:SECTION]}]}


def _thumbs(answer_id: str) -> Block:
    def button(verdict: str, sign: str, label: str) -> Block:
        text = {"type": "plain_text", "text": sign, "emoji": True}
        return {"text": text, "accessibility_label": label, "value": f"{verdict}:{answer_id}"}

    feedback = {
        "type": "feedback_buttons",
        "action_id": VERDICT_ACTION,
        "positive_button": button("up", "👍", "This answer helped"),
        "negative_button": button("down", "👎", "This answer did not help"),
    }
    return {"type": "context_actions", "elements": [feedback]}


def _notice(body: str) -> str:
    """For notifications: short, since chat.update takes 4,000 bytes; nothing in it is cut through an entity."""
    flat = " ".join(body.split())
    return flat if len(flat) <= NOTICE else (flat[:NOTICE].rpartition(" ")[0] or flat[:NOTICE]) + " …"


def _shorten(text: str, length: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1].rstrip() + "…"
