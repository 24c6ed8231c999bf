"""The material: question sets and texts as files, read into passages and questions on them."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_ANSWER = 160
"""Characters. Longer gold answers teach to copy a paragraph."""
LONGEST_PASSAGE = 900
"""Characters; a longer one is cut to the sentences around the answer, as the index cuts documents to passages."""
_SPACED = (
    (re.compile(r"\s+([,.;:!?%)\]’'])"), r"\1"),
    (re.compile(r"([(\[$£])\s+"), r"\1"),
    (re.compile(r"\s+"), " "),
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])")


@dataclass(frozen=True)
class Passage:
    """`origin` is what a split must not cut through: an article, a site, a page."""

    origin: str
    title: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A question on one passage; None is the answer where the passage holds none."""

    passage: Passage
    question: str
    answer: str | None


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def read_questions(folder: Path, name: str) -> list[Asked]:
    """Questions with their passage, from `NAME/qa.jsonl.gz` in the form of SQuAD 2.0, PolicyQA and CovidQA."""
    asked = []
    for row in read_rows(folder / name / "qa.jsonl.gz"):
        answer = choose_answer(row["answers"], row["passage"]) if row["answerable"] else None
        if row["answerable"] and answer is None:
            continue
        title = row["title"].replace("_", " ")
        passage = Passage(name_origin(name, row), title, around(row["passage"], answer))
        asked.append(Asked(passage, tidy(row["question"]), answer))
    return asked


def name_origin(name: str, row: Mapping[str, Any]) -> str:
    return f"{name}/{row['title'] or row['passage_id'].rsplit('-', 1)[0]}"


def read_dated(folder: Path) -> list[Asked]:
    """TimeQA: the paragraphs of a page, of which one may hold the answer."""
    asked = []
    for row in read_rows(folder / "timeqa" / "qa.jsonl.gz"):
        if not row["answerable"]:
            continue
        for paragraph in map(tidy, row["paragraphs"]):
            answer = choose_answer(row["answers"], paragraph)
            if answer is not None:
                passage = Passage(f"timeqa/{row['title']}", row["title"], around(paragraph, answer))
                asked.append(Asked(passage, tidy(row["question"]), answer))
                break
    return asked


def read_pages(folder: Path) -> list[Passage]:
    """TimeQA's pages, paragraph by paragraph: encyclopaedic text without questions."""
    pages = {row["title"]: row["paragraphs"] for row in read_rows(folder / "timeqa" / "qa.jsonl.gz")}
    return [
        Passage(f"timeqa/{title}", title, text)
        for title, paragraphs in pages.items()
        for paragraph in paragraphs
        for text in cut(tidy(paragraph))
    ]


def read_handbook(folder: Path, *, pages: int) -> list[Passage]:
    """The newest versions of a handbook's pages, cut to passages."""
    latest: dict[str, str] = {}
    for event in read_rows(folder / "handbook" / "events.jsonl.gz"):
        if event["status"] == "D":
            latest.pop(event["path"], None)
        elif event["path"].endswith(".md"):
            latest[event["path"]] = event["blob"]
    import lzma

    with lzma.open(folder / "handbook" / "blobs.jsonl.xz", "rt", encoding="utf-8") as file:
        wanted = {blob: path for path, blob in sorted(latest.items())[:pages]}
        found = {wanted[row["blob"]]: row["text"] for row in map(json.loads, file) if row["blob"] in wanted}
    passages = []
    for path, text in sorted(found.items()):
        title = Path(path).stem.replace("-", " ").capitalize()
        plain = re.sub(r"\]\([^)]*\)|[#*`>_|]|\[|\{[^}]*\}|<[^>]+>", " ", re.sub(r"\A---.*?---", "", text, flags=re.S))
        passages += [Passage(f"handbook/{path}", title, piece) for piece in cut(tidy(plain))]
    return passages


def choose_answer(answers: list[str], text: str) -> str | None:
    """The shortest gold answer that stands in the text, without its full stop."""
    fitting = [answer.strip().rstrip(".") for answer in answers]
    fitting = [answer for answer in fitting if answer and len(answer) <= LONGEST_ANSWER and answer in text]
    return min(fitting, key=len, default=None)


def around(text: str, answer: str | None) -> str:
    """At most LONGEST_PASSAGE characters of whole sentences that hold the answer."""
    pieces = list(cut(tidy(text)))
    return next((piece for piece in pieces if answer and answer in piece), pieces[0] if answer is None else tidy(text))


def cut(text: str) -> Iterator[str]:
    """Whole sentences in pieces of at most LONGEST_PASSAGE characters (a longer sentence is a piece)."""
    piece = ""
    for sentence in _SENTENCE_END.split(text):
        if piece and len(piece) + len(sentence) > LONGEST_PASSAGE:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    yield piece


def split_sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def tidy(text: str) -> str:
    """One line, without the blanks that tokenisers leave before punctuation."""
    for pattern, instead in _SPACED:
        text = pattern.sub(instead, text)
    return text.strip()
