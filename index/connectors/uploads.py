"""Uploaded files: documents whose bytes lie in Postgres. `index.uploads` puts them there."""

from urllib.parse import quote

from index.connectors.connector import Cursor, Listing
from index.documents import DocumentError, ListedDocument, RawDocument
from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index.connectors", "uploads.sql")


class Uploads:
    """A connector without a cursor: the table is at hand."""

    met = 0

    def __init__(self, source_id: int, source_name: str, database: Database) -> None:
        self._source_id = source_id
        self._source_name = source_name
        self._database = database

    async def list(self, cursor: Cursor | None) -> Listing:
        rows = await self._database.fetch_all(QUERIES["list_uploads"], {"source_id": self._source_id})
        return Listing(
            [
                ListedDocument(
                    row["name"],
                    f"upload:{quote(self._source_name)}/{quote(row['name'])}",
                    row["hash"],
                    row["uploaded_at"],
                )
                for row in rows
            ]
        )

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        parameters = {"source_id": self._source_id, "name": path}
        row = await self._database.fetch_one(QUERIES["read_upload"], parameters)
        if row is None:
            raise DocumentError("The upload was removed before it was read.")
        return RawDocument(bytes(row["content"]), row["hash"], row["uploaded_at"])
