"""Where a citation comes from: what is said of its document when it is cited, and whether it may be shown again."""

from collections.abc import Sequence
from dataclasses import replace

from graph.answers import Answer, Citation, cited_documents
from index.audience import Viewer
from index.standing import Standing, find_standings
from tandem.db.pool import Database


async def trace_citations(database: Database, viewer: Viewer, citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """The citations with their documents' source, terms, revision and ages, as those stand now."""
    standings = await find_standings(database, viewer, cited_documents(citations))
    return tuple(
        _trace(citation, standings[citation.document_id]) if citation.document_id in standings else citation
        for citation in citations
    )


async def is_withdrawn(database: Database, viewer: Viewer, documents: Sequence[int]) -> bool:
    """Whether one of the documents has expired, is gone, was retired or may not be read here any more."""
    return len(await find_standings(database, viewer, documents)) < len(set(documents))


async def withhold_citations(database: Database, viewer: Viewer, answer: Answer) -> Answer:
    """The answer, of whose documents nothing is told that the viewer could not find now."""
    standings = await find_standings(database, viewer, cited_documents(answer.citations))
    shown = (
        citation
        if citation.document_id is None or citation.document_id in standings
        else Citation(citation.n, "", "", "", citation.score, is_withheld=True)
        for citation in answer.citations
    )
    return replace(answer, citations=tuple(shown))


def _trace(citation: Citation, standing: Standing) -> Citation:
    same = citation.indexed_at == standing.indexed_at  # else it was swapped while the answer was written
    return replace(
        citation,
        source=standing.source,
        owner=standing.owner,
        licence=standing.licence,
        revision=standing.revision if same else None,
        changed_at=standing.changed_at if same else None,
        lag_s=standing.lag_s if same else None,
        review_by=standing.review_by,
    )
