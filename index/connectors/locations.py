"""What a person means by a source's location: its kind, the form it is kept in, and a name for it."""

from dataclasses import dataclass
from pathlib import Path

from index.connectors.folder import resolve_folder


@dataclass(frozen=True)
class Place:
    """`name` is what the source is called unless somebody names it. `look_interval_s`: None is the setting's."""

    kind: str
    location: str
    name: str
    look_interval_s: float | None = None


def resolve_place(location: str, kind: str | None) -> Place:
    """Raises SourceError when there is nothing at the location, as far as that can be told without asking it."""
    folder = resolve_folder(Path(location))
    return Place("folder", str(folder), folder.name)
