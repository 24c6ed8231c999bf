"""The reader, measured by itself: is it right with the passage given, does it know when it may answer, and what does it
lose when the passage has to be found first?"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graph.nodes.retrieve import PASSAGES
from graph.reading import Reading, read_passages
from graph.routing.evidence import weigh_evidence
from graph.routing.linear import area_under_roc
from index.search import Hit, search
from tandem.errors import SourceError
from tandem.evals.bootstrap import Estimate, estimate_mean
from tandem.evals.grading import best_em, best_f1, contains
from tandem.evals.qa import OnPassage
from tandem.evals.workbench import VIEWER, OnProgress, Workbench
from tandem.models.client import ModelClient

RIGHT = 0.5
"""The F1 from which on an answer counts as right."""
WIDE = 60
"""Passages that are found; so many that some are of another title."""
ReadPassages = Callable[[ModelClient, str, Sequence[Hit]], Awaitable[Reading | None]]


@dataclass(frozen=True)
class Read:
    """One question, read with its own passage and, if it is answerable, with what search found in its place; None where
    the reader made nothing of it. `declined_elsewhere`: whether Tandem would have declined, had there been passages of
    other titles alone; None where that was not tried."""

    asked: OnPassage
    given: Reading | None
    found: Reading | None
    declined_elsewhere: bool | None = None


@dataclass(frozen=True)
class ReaderRun:
    """At least one question."""

    reads: tuple[Read, ...]

    def describe(self) -> dict[str, Any]:
        """The contract of `tandem eval --reader --json`: means with intervals; None: not measured."""
        return {
            "questions": len(self.reads),
            "forced": {
                "em": _described(self._answerable, lambda r: best_em(_answer(r.given), r.asked.answers)),
                "f1": _described(self._answerable, _forced_f1),
            },
            "auroc": _rounded(
                area_under_roc([_chance(r.given) for r in self.reads], [r.asked.answerable for r in self.reads])
            ),
            "auroc_right": _rounded(
                area_under_roc([_chance(r.given) for r in self.reads], [_forced_f1(r) >= RIGHT for r in self.reads])
            ),
            "as_sent": {
                "f1": _described(self._answerable, lambda r: 0.0 if _is_declined(r.given) else _forced_f1(r)),
                "declined_rightly": _described(self._unanswerable, lambda r: float(_is_declined(r.given))),
                "declined_wrongly": _described(self._answerable, lambda r: float(_is_declined(r.given))),
            },
            "retrieved": self._describe_retrieved(),
            "uncovered": {
                "declined": _described(
                    [r for r in self.reads if r.declined_elsewhere is not None],
                    lambda r: float(bool(r.declined_elsewhere)),
                )
            },
        }

    @property
    def _answerable(self) -> list[Read]:
        return [read for read in self.reads if read.asked.answerable]

    @property
    def _unanswerable(self) -> list[Read]:
        return [read for read in self.reads if not read.asked.answerable]

    def _describe_retrieved(self) -> dict[str, Any] | None:
        """Forced to answer; the citations of what is sent."""
        sent = [read for read in self._answerable if not _is_declined(read.found)]
        return {
            "f1": _described(self._answerable, _found_f1),
            "f1_lost": _described(self._answerable, lambda r: _forced_f1(r) - _found_f1(r), bounds=(-1.0, 1.0)),
            "declined_wrongly": _described(self._answerable, lambda r: float(_is_declined(r.found))),
            "citation_precision": _described(sent, _cites_rightly),
        }


async def measure_reader(
    bench: Workbench,
    questions: Sequence[OnPassage],
    on_progress: OnProgress = lambda *_: None,
    read: ReadPassages = read_passages,
) -> ReaderRun:
    """Indexes all passages into the empty workbench, then reads each question with its own and, if it is answerable,
    with those found among all of them, and among those of other titles.

    Raises SourceError, ModelUnavailable, ModelBusy or DatabaseUnavailable.
    """
    passages = list(dict.fromkeys((asked.title, asked.passage) for asked in questions))
    await asyncio.to_thread(_write_passages, bench.folder, passages)
    look = await bench.look(on_progress)
    if look.documents.failed == len(passages):
        raise SourceError(f"No passage could be indexed: {look.failures[0]}", remedy="Give the passages some text.")
    reads = []
    for done, asked in enumerate(questions):
        on_progress("Reading", done, len(questions))
        given = await read(bench.model, asked.question, [as_hit(asked.title, asked.passage)])
        if not asked.answerable:
            reads.append(Read(asked, given, None))
            continue
        found = await search(bench.database, bench.model, asked.question, VIEWER, k=WIDE)
        reading = await read(bench.model, asked.question, found.hits[:PASSAGES])
        others = tuple(hit for hit in found.hits if _squeeze(hit.title) != _squeeze(asked.title))[:PASSAGES]
        declined = None
        if others and _tidy(asked.title):
            readable = weigh_evidence(replace(found, hits=others)).is_readable
            declined = not readable or _is_declined(await read(bench.model, asked.question, others))
        reads.append(Read(asked, given, reading, declined))
    return ReaderRun(tuple(reads))


def _write_passages(folder: Path, passages: Sequence[tuple[str, str]]) -> None:
    for number, (title, text) in enumerate(passages):
        heading = f"# {_tidy(title)}\n\n" if title.strip() else ""
        (folder / f"{number}.md").write_bytes(f"{heading}{text}\n".encode(errors="replace"))


def _tidy(title: str) -> str:
    return " ".join(title.split())


def as_hit(title: str, text: str) -> Hit:
    """The given passage as if it had been found beyond doubt."""
    now = datetime.now(UTC)
    return Hit(0, 0, "given", title, "", "given:", text, 0, 1.0, 1.0, 0.0, 1.0, now, now)


def _answer(reading: Reading | None) -> str:
    return reading.answer if reading else ""


def _chance(reading: Reading | None) -> float:
    return reading.p_answer if reading else 0.0


def _is_declined(reading: Reading | None) -> bool:
    return not (reading and reading.is_sent)


def _forced_f1(read: Read) -> float:
    return best_f1(_answer(read.given), read.asked.answers)


def _found_f1(read: Read) -> float:
    return best_f1(_answer(read.found), read.asked.answers)


def _cites_rightly(read: Read) -> float:
    """Whether what is cited is of the given passage, or holds an answer too."""
    if read.found is None:
        return 0.0
    cited = read.found.passage
    own = _squeeze(cited.text) in _squeeze(read.asked.title + read.asked.passage)
    return float(own or contains(cited.in_context, read.asked.answers))


def _squeeze(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _described(
    reads: Sequence[Read], measure: Callable[[Read], float], *, bounds: tuple[float, float] = (0.0, 1.0)
) -> Mapping[str, float] | None:
    """Questions on one passage stand or fall together."""
    if not reads:
        return None
    found: Estimate = estimate_mean([measure(r) for r in reads], [r.asked.passage for r in reads], bounds=bounds)
    return found.describe()


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
