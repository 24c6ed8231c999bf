"""Collections in BEIR form: `corpus.jsonl`, `queries.jsonl` and `qrels.tsv` in a folder, plain or compressed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from tandem.evals.rows import DataError, bad_line, find_file, read_lines, read_rows

CORPUS = 'Each line of corpus.jsonl is a JSON object with "_id", "text" and, where there is one, "title".'
QUERIES = 'Each line of queries.jsonl is a JSON object with "_id" and "text".'
QRELS = (
    "Each line of qrels.tsv is a query's id, a document's id and a whole number, with tabs between; the first line may"
    " name them."
)


class Document(BaseModel):
    """One line of the corpus; what else stands in it is left alone."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(alias="_id", min_length=1)
    title: str = ""
    text: str


class Query(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str = Field(alias="_id", min_length=1)
    text: str


@dataclass(frozen=True)
class Collection:
    """`grades`: of each query that has a relevant document, the judged documents; both by id."""

    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    grades: Mapping[str, Mapping[str, int]]


def read_collection(folder: Path) -> Collection:
    """At least one document and one judged query.

    Raises DataError, which names a missing file, or a bad line by its number: no such JSON, an id twice, a judgement of
    a query or document that is not there.
    """
    paths = {name: find_file(folder, name) for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")}
    documents: dict[str, Document] = {}
    for number, document in read_rows(paths["corpus.jsonl"], Document, remedy=CORPUS):
        if document.id in documents:
            raise bad_line(paths["corpus.jsonl"], number, f"the document {document.id} was there before", CORPUS)
        documents[document.id] = document
    queries: dict[str, str] = {}
    for number, query in read_rows(paths["queries.jsonl"], Query, remedy=QUERIES):
        if query.id in queries:
            raise bad_line(paths["queries.jsonl"], number, f"the query {query.id} was there before", QUERIES)
        queries[query.id] = query.text
    grades = _read_judgements(paths["qrels.tsv"], documents, queries)
    if not grades:
        raise DataError(f"{paths['qrels.tsv']} names no relevant document.", remedy=QRELS)
    return Collection(tuple(documents.values()), queries, grades)


def _read_judgements(
    path: Path, documents: Mapping[str, Document], queries: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in read_lines(path, remedy=QRELS):
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 3:
            raise bad_line(path, number, f"it has {len(fields)} fields, not 3", QRELS)
        query, document, grade = fields
        try:
            value = int(grade)
        except ValueError:
            if number == 1:
                continue  # the names of the columns
            raise bad_line(path, number, "its grade is no whole number", QRELS) from None
        if query not in queries:
            raise bad_line(path, number, f"queries.jsonl has no query {query}", QRELS)
        if document not in documents:
            raise bad_line(path, number, f"corpus.jsonl has no document {document}", QRELS)
        grades[query][document] = value
    return {query: judged for query, judged in grades.items() if max(judged.values()) > 0}
