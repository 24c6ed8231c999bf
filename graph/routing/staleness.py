"""Stale weights: did the best documents change after the adapter in service had been trained on them? And was it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from index.standing import Standing
from tandem.models.snapshot import Snapshot


@dataclass(frozen=True)
class Staleness:
    """`document_id` is the first of the best documents that changed, at `changed_at`; None where none did.

    `trained_at` is when the snapshot was taken; None where the adapter has none. `due`: somebody should have looked
    whether the best document still holds. `expires_in_days` is unknown for what does not expire. `taught`: the adapter
    was trained on the best document as it is now.
    """

    trained_at: datetime | None = None
    document_id: int | None = None
    title: str = ""
    changed_at: datetime | None = None
    due: bool = False
    expires_in_days: float | None = None
    taught: bool = False

    @property
    def stale(self) -> bool:
        return self.document_id is not None


def find_staleness(best: Sequence[Standing], snapshot: Snapshot | None, now: datetime) -> Staleness:
    """Of the best documents, the best first. One that the adapter has seen is stale if that was, or was also, another
    revision. One that it has not is stale if it changed since, as the weights may know its subject from elsewhere; but
    not if its very content was seen under another name, which another database or a source added anew gives it."""
    due = bool(best) and best[0].is_due
    expires = best[0].expires_at if best else None
    left = (expires - now).total_seconds() / 86400 if expires else None
    if snapshot is None:
        return Staleness(due=due, expires_in_days=left)
    revisions = snapshot.revisions
    for document in best:
        seen = revisions.get((document.source, document.path))
        if seen is None:
            later = document.changed_at is not None and document.changed_at > snapshot.taken_at
            stale = later and {document.revision} not in revisions.values()
        else:
            stale = seen != {document.revision}
        if stale:
            return Staleness(snapshot.taken_at, document.id, document.title, document.changed_at, due, left)
    taught = bool(best) and {best[0].revision} in revisions.values()
    return Staleness(snapshot.taken_at, due=due, expires_in_days=left, taught=taught)
