"""The interface that every kind of source stands behind: it lists its documents, and reads one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from index.documents import ListedDocument, RawDocument
from tandem.errors import SourceError

Cursor = Mapping[str, Any]
"""How far a connector has looked, as JSON that only it understands: a commit, or the ETags of a site's pages."""


class SourceUnavailable(SourceError):
    """The source does not answer."""

    remedy = "It is asked again at the next look; check that it is there if this goes on."


@dataclass(frozen=True)
class Listing:
    """What a source holds: all of it, or what changed since the cursor that was handed in.

    `documents` are all there are, unless `is_difference`: then those that are new or changed, `removed` names the paths
    that are gone, and everything else is as it was. `unseen` are paths that could not be looked into, `unseen_under`
    beginnings of such paths: what is known of them is kept. `notes` are lines for the report. `cursor` is handed to the
    next listing.
    """

    documents: Sequence[ListedDocument]
    is_difference: bool = False
    removed: Sequence[str] = ()
    unseen: Sequence[str] = ()
    unseen_under: Sequence[str] = ()
    notes: Sequence[str] = ()
    cursor: Cursor | None = None


class Connector(Protocol):
    """One source. It keeps nothing between two calls but what it could fetch again."""

    @property
    def met(self) -> int:
        """How many documents the listing that is under way has met so far; 0 where nobody has to wait for it."""

    async def list(self, cursor: Cursor | None) -> Listing:
        """Lists the source. Without a cursor it believes nothing that it said before.

        The cursor is that of the last listing whose documents all reached the index, or are jobs.
        Raises SourceError when the source cannot be used as it stands, SourceUnavailable when it may answer later.
        """

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        """Reads a document that was listed with this stamp; it may have changed since, and its stamp then says so.

        Raises DocumentError when it cannot be read as it stands, SourceUnavailable when it may be later.
        """
