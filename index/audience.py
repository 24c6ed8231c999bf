"""Who asks: the workspace and the audiences that decide which passages may be seen."""

from dataclasses import dataclass

EVERYONE = "everyone"
ANYWHERE = "*"


@dataclass(frozen=True)
class Viewer:
    """One place that a question comes from.

    A document is visible when its workspace is `*` or the viewer's, and its audience `everyone` or one of theirs.
    """

    workspace: str
    audiences: frozenset[str] = frozenset()
