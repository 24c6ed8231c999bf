"""Messages -> Markdown: who said what when, a paragraph for each message, so that no message can pose as a heading."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

TITLE_CHARACTERS = 90
_BLOCK_START = re.compile(r"^([ \t]*)(#{1,6}(?:[ \t]|$)|[=-]+[ \t]*$|\||`{3}|~{3})", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """`at` is in seconds. `link` leads to the message."""

    who: str
    at: float
    text: str
    link: str


def write_transcript(messages: Sequence[Said]) -> bytes:
    """Markdown, UTF-8, its title the beginning of the first message. Code that is fenced stays so where it closes."""
    words = " ".join(messages[0].text.split()) if messages else ""
    title = words[:TITLE_CHARACTERS] + ("…" if len(words) > TITLE_CHARACTERS else "")
    paragraphs = [f"**{_plain(m.who)}** ([{_moment(m.at)}]({m.link})): {_contain(m.text)}\n" for m in messages]
    return "\n".join([f"---\ntitle: {title or '-'}\n---\n", *paragraphs]).encode(errors="replace")


def _contain(text: str) -> str:
    """The text without what would begin a block of its own; fenced code that closes is left as it is."""
    parts = re.split(r"(```.*?```)", text.strip(), flags=re.DOTALL)
    return "".join(
        f"\n\n```\n{part[3:-3].strip(chr(10))}\n```\n" if number % 2 else _BLOCK_START.sub(r"\1\\\2", part)
        for number, part in enumerate(parts)
    ).strip()


def _plain(name: str) -> str:
    return re.sub(r"[\[\]*_`<>]|\s+", " ", name).strip() or "someone"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
