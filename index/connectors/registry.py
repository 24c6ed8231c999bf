"""From a source to its connector."""

from index.connectors.channels import open_channel, parse_channel
from index.connectors.connector import Connector
from index.connectors.folder import Folder
from index.connectors.git import GitRepository
from index.connectors.history import ChannelHistory
from index.connectors.store import Store
from index.connectors.uploads import Uploads
from index.connectors.web import Website
from index.sources import Source
from tandem.db.pool import Database
from tandem.errors import SourceError
from tandem.settings import Settings


def open_connector(source: Source, settings: Settings, database: Database) -> Connector:
    """Returns the source's connector; nothing is asked yet. Raises SourceError for a kind that nobody knows."""
    match source.kind:
        case "folder":
            return Folder(source.location)
        case "git":
            return GitRepository(source.location, source.options.get("branch"), settings.home)
        case "web":
            private, pages = source.options.get("allow_private", False), source.options.get("pages")
            return Website(source.location, allow_private=private, pages=pages, home=settings.home)
        case "slack" | "discord" if address := parse_channel(source.location):
            return ChannelHistory(open_channel(address, settings))
        case "store":
            return Store(source.location)
        case "uploads":
            return Uploads(source.id, source.name, database)
    raise SourceError(
        f"{source.name} is a source of the kind {source.kind}, which this version does not know.",
        remedy="Update Tandem on this machine.",
    )
