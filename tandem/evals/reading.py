"""The reader, measured by itself: is it right with the passage given, does it know when it may answer, and what does it
lose when the passage has to be found first?"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from graph.nodes.retrieve import PASSAGES as FOUND
from index.search import Hit, search
from tandem.errors import SourceError
from tandem.evals.bootstrap import Estimate, estimate_mean
from tandem.evals.grading import best_em, best_f1, contains
from tandem.evals.qa import OnPassage
from tandem.evals.separation import auroc
from tandem.evals.workbench import VIEWER, OnProgress, Workbench
from tandem.models.client import ModelClient


class Reading(Protocol):
    """What the reader makes of passages. `answer` is its draft, whatever `p_answer` says: the chance, 0 to 1, that the
    passages answer the question. `cited` are those that the draft stands on."""

    @property
    def answer(self) -> str: ...

    @property
    def cited(self) -> Sequence[Hit]: ...

    @property
    def p_answer(self) -> float: ...

    @property
    def is_sent(self) -> bool: ...


ReadPassages = Callable[[ModelClient, str, Sequence[Hit]], Awaitable[Reading]]


@dataclass(frozen=True)
class Read:
    """One question, read with its own passage and, where that was tried, with what search found in its place."""

    asked: OnPassage
    given: Reading
    found: Reading | None = None


@dataclass(frozen=True)
class ReaderRun:
    """At least one reading."""

    reads: tuple[Read, ...]

    def describe(self) -> dict[str, Any]:
        """The contract of `tandem eval --reader --json`: means with intervals; None: not measured."""
        return {
            "questions": len(self.reads),
            "forced": {
                "em": _described(self._answerable, lambda r: best_em(r.given.answer, r.asked.answers)),
                "f1": _described(self._answerable, _forced_f1),
            },
            "auroc": _rounded(auroc([r.given.p_answer for r in self.reads], [r.asked.answerable for r in self.reads])),
            "as_sent": {
                "f1": _described(self._answerable, _sent_f1),
                "declined_rightly": _described(self._unanswerable, lambda r: float(not r.given.is_sent)),
                "declined_wrongly": _described(self._answerable, lambda r: float(not r.given.is_sent)),
            },
            "retrieved": self._describe_retrieved(),
        }

    @property
    def _answerable(self) -> list[Read]:
        return [read for read in self.reads if read.asked.answerable]

    @property
    def _unanswerable(self) -> list[Read]:
        return [read for read in self.reads if not read.asked.answerable]

    def _describe_retrieved(self) -> dict[str, Any] | None:
        tried = [read for read in self._answerable if read.found is not None]
        if not tried:
            return None
        sent = [read for read in tried if read.found and read.found.is_sent and read.found.cited]
        return {
            "f1": _described(tried, _found_f1),
            "f1_lost": _described(tried, lambda read: _forced_f1(read) - _found_f1(read), bounds=(-1.0, 1.0)),
            "citation_precision": _described(sent, _cited_rightly),
        }


async def measure_reader(
    bench: Workbench,
    questions: Sequence[OnPassage],
    read_passages: ReadPassages,
    on_progress: OnProgress = lambda *_: None,
) -> ReaderRun:
    """Indexes all passages into the empty workbench, then reads each question with its own and, if it is answerable,
    with those found among all of them. Raises SourceError, ModelUnavailable, ModelBusy or DatabaseUnavailable."""
    passages = list(dict.fromkeys((asked.title, asked.passage) for asked in questions))
    await asyncio.to_thread(_write_passages, bench.folder, passages)
    look = await bench.look(on_progress)
    if look.documents.failed == len(passages):
        raise SourceError(f"No passage could be indexed: {look.failures[0]}", remedy="Give the passages some text.")
    reads = []
    for done, asked in enumerate(questions):
        on_progress("Reading", done, len(questions))
        given = await read_passages(bench.model, asked.question, [_as_hit(asked)])
        found = None
        if asked.answerable:
            hits = (await search(bench.database, bench.model, asked.question, VIEWER, k=FOUND)).hits
            found = await read_passages(bench.model, asked.question, hits) if hits else None
        reads.append(Read(asked, given, found))
    return ReaderRun(tuple(reads))


def _write_passages(folder: Path, passages: Sequence[tuple[str, str]]) -> None:
    for number, (title, text) in enumerate(passages):
        heading = f"# {' '.join(title.split())}\n\n" if title.strip() else ""
        (folder / f"{number}.md").write_bytes(f"{heading}{text}\n".encode(errors="replace"))


def _as_hit(asked: OnPassage) -> Hit:
    """The given passage as if it had been found beyond doubt."""
    now = datetime.now(UTC)
    return Hit(0, 0, "given", asked.title, "", "given:", asked.passage, 0, 1.0, 1.0, 0.0, 1.0, now, now)


def _forced_f1(read: Read) -> float:
    return best_f1(read.given.answer, read.asked.answers)


def _sent_f1(read: Read) -> float:
    return _forced_f1(read) if read.given.is_sent else 0.0


def _found_f1(read: Read) -> float:
    return best_f1(read.found.answer, read.asked.answers) if read.found else 0.0


def _cited_rightly(read: Read) -> float:
    """The share of what is cited that is of the given passage, or holds an answer too."""
    cited = read.found.cited if read.found else ()
    own = _squeeze(read.asked.passage)
    return sum(_squeeze(hit.text) in own or contains(hit.text, read.asked.answers) for hit in cited) / len(cited)


def _squeeze(text: str) -> str:
    return re.sub(r"\W+", "", text)


def _described(
    reads: Sequence[Read], measure: Callable[[Read], float], *, bounds: tuple[float, float] = (0.0, 1.0)
) -> Mapping[str, float] | None:
    """Questions on one passage stand or fall together."""
    if not reads:
        return None
    found: Estimate = estimate_mean([measure(r) for r in reads], [r.asked.passage for r in reads], bounds=bounds)
    return found.describe()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
