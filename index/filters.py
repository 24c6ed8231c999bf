"""Filters: what a search is narrowed to, besides what its viewer may see."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from index.audience import Viewer
from index.front_matter import read_time
from index.languages import LANGUAGES
from index.sources import list_sources
from tandem.db.pool import Database
from tandem.errors import SourceError, TandemError

_SINCE = re.compile(r"\d{4}(-\d\d(-\d\d(T.+)?)?)?")


class FilterError(TandemError):
    """The filter cannot be read."""

    remedy = "Write it as in `in:handbook lang:de since:2024-05`, or in `backticks` if it is no filter."


@dataclass(frozen=True)
class Filters:
    """All of them hold at once; an empty one lets everything through.

    `sources` by name; `languages` as ISO 639-1 codes; `since`: documents that changed then or later. A document whose
    language or time of change is unknown passes no filter of that kind.
    """

    sources: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    since: datetime | None = None

    def __bool__(self) -> bool:
        return self != Filters()


async def read_filters(
    database: Database, viewer: Viewer, *, sources: Iterable[str], languages: Iterable[str], since: str | None
) -> Filters:
    """What a person wrote, as filters; names in whatever case, a year or month for its first day.

    Raises SourceError for a source that this viewer cannot see, whether there is one or not; FilterError.
    """
    return Filters(
        frozenset(await _find_names(database, viewer, list(sources))),
        frozenset(map(_read_language, languages)),
        None if since is None else _read_since(since),
    )


async def _find_names(database: Database, viewer: Viewer, wanted: list[str]) -> list[str]:
    visible = {source.name.casefold(): source.name for source in await list_sources(database, viewer)} if wanted else {}
    for name in wanted:
        if name.casefold() not in visible:
            raise SourceError(
                f"There is no source `{name[:80].replace('`', '')}` here.",
                remedy=f"The ones I know are {', '.join(f'`{known}`' for known in visible.values())}."
                if visible
                else "There are no documents that can be searched here.",
            )
    return [visible[name.casefold()] for name in wanted]


def _read_language(code: str) -> str:
    language = code.casefold()
    if language not in LANGUAGES.values():
        raise FilterError(f"I know no language `{code[:80].replace('`', '')}`; one is two letters, such as `de`.")
    return language


def _read_since(written: str) -> datetime:
    day = f"{written}-01-01"[:10] if len(written) == 4 else f"{written}-01" if len(written) == 7 else written
    time = read_time(day) if _SINCE.fullmatch(written) else None
    if time is None:
        raise FilterError(f"`{written[:80].replace('`', '')}` is no date; one is `2024`, `2024-05` or `2024-05-17`.")
    return time
