"""Front matter: the `key: value` lines between two `---` lines at the head of a Markdown file."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_BLOCK = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^([A-Za-z][\w-]*)[ \t]*:[ \t]+([^\s#].*)$", re.MULTILINE)
MAX_CHARACTERS = 16_384


def split_front_matter(text: str) -> tuple[Mapping[str, str], str]:
    """Returns the front matter's plain fields, keys in lower case, and the text after it.

    Only single-line values are read; nested ones are passed over. A head that never closes is text.
    """
    block = _BLOCK.match(text, 0, MAX_CHARACTERS)
    if block is None or not _FIELD.search(block[1]):
        return {}, text
    fields = {key.lower(): _unquote(value.rstrip()) for key, value in _FIELD.findall(block[1])}
    return fields, text[block.end() :]


def read_time(value: str | None) -> datetime | None:
    """Reads an ISO date or time, in UTC unless it says otherwise. What is neither is None."""
    try:
        time = datetime.fromisoformat((value or "").strip())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.sub(r"(?<!\s)\s+#.*$", "", value)
