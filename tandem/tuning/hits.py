"""A passage that no search found, in the form in which passages are read."""

from datetime import UTC, datetime

from index.search import Hit


def make_hit(number: int, title: str, text: str, heading: str = "") -> Hit:
    """`number` tells it from the others that are read with it. Nothing is known of how it fits a question."""
    return Hit(
        chunk_id=number,
        document_id=number,
        source="",
        title=title,
        heading=heading,
        uri="",
        text=text,
        position=0,
        score=0.0,
        dense=0.0,
        lexical=0.0,
        coverage=0.0,
        changed_at=None,
        indexed_at=datetime.now(UTC),
    )
