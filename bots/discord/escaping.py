"""Text of models and documents, made inert for Discord: it pings nobody, hides no address, and unfolds no preview."""

import re
from urllib.parse import quote, unquote, urlsplit

import discord

from bots.rendering import split_markdown
from bots.surface import Message
from graph.answers import Citation

LIMIT = 2000
"""Characters that Discord takes in one message."""

_CODE = re.compile(r"(?<!\\)(```.+?```|``[^`\n]+``|`[^`\n]+`)", re.DOTALL)
_MENTION = re.compile(r"@(?=everyone|here)|(?<=<)(?=@[!&]?\d)")
_ADDRESS = re.compile(r"(?<!<)https?://[^\s<>\\`]+")
_ADDRESS_SAFE = "%/:=&?~#+!$,;'@()*[]"
_AFTER_ADDRESS = re.compile(r"[.,;:!?'\"*_~|]+$")


def make_inert(text: str) -> str:
    """Outside of code: a zero-width space breaks mentions, links show where they lead, addresses unfold nothing."""
    parts = _CODE.split(text)
    parts[::2] = [_disarm(part) for part in parts[::2]]
    return "".join(parts)


def lay_out(message: Message) -> list[str]:
    """The message as Discord takes it: one or more parts, with the sources and the receipt at the end."""
    notes = [_name_source(citation) for citation in message.citations]
    if message.receipt:
        notes.append(make_inert(message.receipt))
    parts = split_markdown(make_inert(message.markdown), LIMIT) or ["-# (no text)"]
    if not notes:
        return parts
    footer = "\n".join(f"-# {note}" for note in notes)
    together = f"{parts[-1]}\n\n{footer}"
    return [*parts[:-1], together] if len(together) <= LIMIT else [*parts, *split_markdown(footer, LIMIT)]


def preview(text: str) -> str:
    """The beginning of an answer that is still being written."""
    parts = split_markdown(make_inert(text), LIMIT - 2)
    return f"{parts[0]} …" if len(parts) > 1 else "".join(parts) or "…"


def _disarm(text: str) -> str:
    text = _MENTION.sub(lambda found: f"{found[0]}\u200b", text)
    return _ADDRESS.sub(
        _wrap_address, text.replace("](", "] (")
    )  # a masked link could say one thing and lead to another


def _wrap_address(found: re.Match[str]) -> str:
    address = found[0]
    while cut := _AFTER_ADDRESS.search(address) or _unopened_bracket(address):
        address = address[: cut.start()]
    return f"<{address}>{found[0][len(address) :]}"


def _unopened_bracket(address: str) -> re.Match[str] | None:
    unbalanced = address.count(")") > address.count("(") or address.count("]") > address.count("[")
    return re.search(r"[)\]]$", address) if unbalanced else None


def _name_source(citation: Citation) -> str:
    title = make_inert(discord.utils.escape_markdown(" ".join(citation.title.split())))
    return f"[{citation.n}] {title} · {_name_place(citation.uri)}"


def _name_place(uri: str) -> str:
    """A web address as a link without a preview; a file as its path, which is no link that anybody could open."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return f"<{quote(uri, safe=_ADDRESS_SAFE)}>"
    path = unquote(parts.path) if parts.scheme == "file" else uri
    return f"`{' '.join(path.replace('`', '').split())}`"
