"""Facts with short answers, mined from MedQuAD's long ones: what a condition is, how common, how inherited, by which
gene. Each stands word for word in a sentence of its document."""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["definition", "frequency", "inheritance", "gene"]
RARE = "2_GARD_QA"
GENETIC = "3_GHR_QA"
EVERYDAY = (
    "4_MPlus_Health_Topics_QA", "5_NIDDK_QA", "7_SeniorHealth_QA", "8_NHLBI_QA_XML", "9_CDC_QA", "1_CancerGov_QA",
)  # fmt: skip
COMMON_UP_TO = 20_000
"""A genetic condition is common here if one in at most so many people has it."""
_STOP = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ONE_IN = re.compile(r"\b(?:1|one) in (?P<n>\d[\d,]*)(?! to| million|,\d)\b")
_GENE = re.compile(r"\b[Mm]utations in the (?P<gene>[A-Z][A-Z0-9]{2,}) gene (?:cause|are responsible for)\b")
_CAUSED = re.compile(
    r"\bcaused by (?:changes \(mutations\)|mutations|a change \(mutation\)) in the (?P<gene>[A-Z][A-Z0-9]{2,}) gene\b"
)
_INHERITED = re.compile(
    r"\binherited in an? (?P<manner>autosomal dominant|autosomal recessive|X-linked recessive|X-linked dominant)"
    r" (?:pattern|manner)\b"
)
_DIFFERENTIA = re.compile(
    r"\b(?:in which|that|which|where|when|characterized by|caused by|marked by|occurs when)\b\s+", re.IGNORECASE
)
_BRACKETS = re.compile(r"\([^)]*\)")
_DEFINES = (
    r"(?:An? |The )?{focus}s?(?: \([^)]*\))?(?:,? or [^,]*,| \([^)]*\))* (?:is|are) (?P<phrase>(?:an?|the) .+?)[.;]?$"
)
SHORTEST, LONGEST = 5, 22
"""Words of a definition."""


@dataclass(frozen=True)
class Row:
    """One line of MedQuAD."""

    source: str
    focus: str
    type: str
    question: str
    answer: str


@dataclass(frozen=True)
class Fact:
    """`answer` as it stands in `sentence`; `wordings` count as right too. `condition` is the document's title."""

    source: str
    condition: str
    kind: Kind
    answer: str
    sentence: str
    wordings: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[str, ...]:
        return (self.answer, *self.wordings)


def read_medquad(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Row(row["source"], _clean(row["focus"]), row["type"], row["question"], _clean(row["answer"])) for row in rows
    ]


def gather_conditions(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each condition of a source, which make one document."""
    conditions: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        conditions[row.source, row.focus].append(row)
    return dict(conditions)


def find_facts(rows: Iterable[Row]) -> Iterator[Fact]:
    """The first of each kind that a condition's rows hold."""
    found: set[tuple[str, str, Kind]] = set()
    for row in rows:
        for fact in _read_facts(row):
            place = (fact.source, fact.condition, fact.kind)
            if place not in found:
                found.add(place)
                yield fact


def is_common(facts: Iterable[Fact]) -> bool:
    """Of a genetic condition's facts: one in at most COMMON_UP_TO has it."""
    return any(
        fact.kind == "frequency" and int(fact.answer.split()[-1].replace(",", "")) <= COMMON_UP_TO for fact in facts
    )


def _read_facts(row: Row) -> Iterator[Fact]:
    sentences = _STOP.split(row.answer)
    if row.type == "information":
        for sentence in sentences[:3]:
            if phrase := _define(row.focus, sentence):
                yield Fact(row.source, row.focus, "definition", phrase, sentence, _shorten(phrase))
                break
    if row.type == "frequency":
        # Numbers of other people and other conditions stand beside: only a sentence with one number tells.
        for sentence in sentences[:2]:
            numbers = list(_ONE_IN.finditer(sentence))
            if len(numbers) == 1 and len(re.findall(r"\d[\d,]*", sentence.replace(row.focus, ""))) <= 2:
                yield Fact(row.source, row.focus, "frequency", numbers[0].group(), sentence)
                break
    if row.type in ("inheritance", "information"):
        for sentence in sentences[:3]:
            if match := _INHERITED.search(sentence):
                yield Fact(row.source, row.focus, "inheritance", match["manner"], sentence)
                break
    if row.type in ("genetic changes", "causes"):
        match = _GENE.search(sentences[0]) or _CAUSED.search(sentences[0])
        if match:
            yield Fact(row.source, row.focus, "gene", match["gene"], sentences[0])


def _define(focus: str, sentence: str) -> str | None:
    """What the sentence says that the condition is; None where an aside in brackets would cut it in two."""
    match = re.match(_DEFINES.format(focus=re.escape(focus)), sentence, re.IGNORECASE)
    if match is None:
        return None
    phrase = match["phrase"].split(";")[0]
    return phrase if SHORTEST <= len(phrase.split()) <= LONGEST and not _BRACKETS.search(phrase) else None


def _shorten(phrase: str) -> tuple[str, ...]:
    """What tells it from other conditions, up to the first comma; none where that is less than three words."""
    match = _DIFFERENTIA.search(phrase)
    if match is None:
        return ()
    key = re.split(r",| such as | usually ", phrase[match.end() :])[0].strip()
    return (key,) if len(key.split()) >= 3 else ()


def _clean(text: str) -> str:
    return " ".join(text.split())
