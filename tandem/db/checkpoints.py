"""LangGraph's memory of conversations, kept in the same Postgres."""

import psycopg
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg.rows import dict_row

from tandem.db.pool import Database


def make_checkpointer(database: Database) -> BaseCheckpointSaver[str]:
    """The checkpointer on the database's own pool. Must be called inside a running event loop."""
    return AsyncPostgresSaver(database.pool)


def migrate_checkpoints(conninfo: str) -> None:
    """Creates or updates LangGraph's own tables."""
    with psycopg.connect(conninfo, autocommit=True, prepare_threshold=0, row_factory=dict_row) as connection:
        PostgresSaver(connection).setup()
