"""The training snapshot: which versions of which documents an adapter has seen. It knows nothing of later ones."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.errors import WeightsError


class SeenDocument(BaseModel):
    """`source` and `path` name it, in whichever database it is indexed; `id` is its number in the one that its examples
    were made in. `revision` is the hash of the content that they were made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    source: str
    path: str
    revision: str
    indexed_at: datetime | None = None


class Snapshot(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    taken_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    documents: tuple[SeenDocument, ...] = ()
    """Every revision that was seen."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises WeightsError when the file is no snapshot."""
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValidationError) as error:
            raise WeightsError(
                f"{path} is no training snapshot.", remedy="Name the snapshot.json of a run, or leave --snapshot out."
            ) from error

    @property
    def revisions(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """The revisions that were seen, by source and path."""
        seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for document in self.documents:
            seen[document.source, document.path].add(document.revision)
        return {name: frozenset(revisions) for name, revisions in seen.items()}
