"""What a person means by a source's location: its kind, the form it is kept in, and a name for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index.audience import ANYWHERE, EVERYONE
from index.connectors.channels import parse_channel
from index.connectors.folder import resolve_folder
from index.connectors.forge import check_branch, is_repository, name_repository, resolve_repository
from index.connectors.site import resolve_site
from index.connectors.store import resolve_store
from tandem.errors import SourceError

WEB_INTERVAL_S = 3600.0
CHAT_INTERVAL_S = 900.0
OPTIONS: Mapping[str, frozenset[str]] = {
    "folder": frozenset(),
    "git": frozenset({"branch"}),
    "slack": frozenset(),
    "discord": frozenset(),
    "web": frozenset({"allow_private", "pages"}),
    "store": frozenset(),
    "uploads": frozenset(),
}
"""The options that each kind of source takes."""


@dataclass(frozen=True)
class Place:
    """`name` is what the source is called unless somebody names it. `look_interval_s`: None is the setting's.
    `audience` and `workspace` are who sees it unless somebody says otherwise."""

    kind: str
    location: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    look_interval_s: float | None = None
    audience: str = EVERYONE
    workspace: str = ANYWHERE


def resolve_place(location: str, kind: str | None, options: Mapping[str, Any]) -> Place:
    """Raises SourceError when there is nothing at the location, as far as that can be told without asking it."""
    kind = kind or guess_kind(location)
    if kind not in OPTIONS:
        raise SourceError(f"There is no kind of source {kind}.", remedy=f"The kinds are {', '.join(OPTIONS)}.")
    given = {name: value for name, value in options.items() if value}
    if unknown := sorted(given.keys() - OPTIONS[kind]):
        raise SourceError(f"A source of the kind {kind} takes no {unknown[0]}.", remedy="Leave it out, or add --kind.")
    match kind:
        case "git":
            if "branch" in given:
                check_branch(given["branch"])
            address = resolve_repository(location)
            return Place(kind, address, name_repository(address), given)
        case "slack" | "discord":
            channel = parse_channel(location)
            if channel is None or channel.platform != kind or not channel.team:
                raise SourceError(
                    f"{location} names no channel of {kind.capitalize()}.",
                    remedy="Write slack:C123 or discord:123, with the channel's id, on the command line.",
                )
            return Place(
                kind,
                str(channel),
                f"{kind}/{channel.channel}",
                look_interval_s=CHAT_INTERVAL_S,
                audience=channel.audience,
                workspace=channel.workspace,
            )
        case "web":
            site = resolve_site(location)
            return Place(kind, site, _name_site(site), given, WEB_INTERVAL_S)
        case "store":
            address = resolve_store(location)
            return Place(kind, address, address.rpartition("/")[2])
        case "uploads":
            return Place(kind, "uploaded files", "uploads")
        case _:
            folder = resolve_folder(Path(location))
            return Place("folder", str(folder), folder.name)


def guess_kind(location: str) -> str:
    """A path is a folder, also where it is a working copy: what stands in the files is what was asked for."""
    if channel := parse_channel(location):
        return channel.platform
    if is_repository(location):
        return "git"
    if location.lower().startswith(("http://", "https://")):
        return "web"
    return "store" if "://" in location else "folder"


def _name_site(site: str) -> str:
    url = urlsplit(site)
    return f"{url.hostname}{url.path}".strip("/")
