"""Passages for tests."""

from datetime import UTC, datetime
from typing import Any

from index.search import Hit


def make_hit(text: str, **changes: Any) -> Hit:
    values: dict[str, Any] = {
        "chunk_id": 1,
        "document_id": 1,
        "source": "docs",
        "title": "Leave",
        "heading": "",
        "uri": "file:///docs/leave.md",
        "text": text,
        "position": 0,
        "score": 0.8,
        "dense": 0.6,
        "lexical": 5.0,
        "coverage": 0.7,
        "changed_at": datetime(2026, 1, 1, tzinfo=UTC),
        "indexed_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return Hit(**(values | changes))
