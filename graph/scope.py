"""The scope of a question: words such as `in:handbook lang:de since:2024-05` narrow what is searched for it."""

import re
from collections import defaultdict

from index.audience import Viewer
from index.filters import FilterError, Filters, read_filters
from tandem.db.pool import Database

_WORD = re.compile(
    r'(?<!\S)(in|lang|since):(?:["“]([^"“”]+)["”]|(\S*[^\s.,;:!?]))(?=[.,;:!?]*(?:\s|\Z))', re.IGNORECASE
)


def find_scope(text: str) -> str:
    """Those words, as they were written; empty where there are none."""
    return " ".join(match[0] for match in _WORD.finditer(text))


async def split_scope(database: Database, viewer: Viewer, text: str) -> tuple[str, Filters]:
    """The question without those words, and what they mean. `in` and `lang` may be there several times: one of them.

    Raises SourceError for a source that the viewer cannot see, FilterError for what cannot be read.
    """
    written: defaultdict[str, list[str]] = defaultdict(list)
    for key, quoted, plain in _WORD.findall(text):
        written[key.casefold()].append(quoted or plain)
    if not written:
        return text, Filters()
    if len(written["since"]) > 1:
        raise FilterError("There are two dates; one is enough.")
    since = next(iter(written["since"]), None)
    filters = await read_filters(database, viewer, sources=written["in"], languages=written["lang"], since=since)
    return " ".join(_WORD.sub("", text).split()), filters
