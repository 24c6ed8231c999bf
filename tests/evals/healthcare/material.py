"""The material: documents before and after they changed, lessons on common conditions, questions of three sorts."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from graph.prompts import DECLINE, ask_directly, ask_numbered, write_reply
from tandem.models.client import ChatMessage
from tests.evals.healthcare.facts import (
    EVERYDAY,
    GENETIC,
    RARE,
    Fact,
    Kind,
    Row,
    find_facts,
    gather_conditions,
    is_common,
)

Sort = Literal["common", "changed", "rare"]
COUNTS: Mapping[Sort, int] = {"common": 120, "changed": 30, "rare": 50}
"""Questions of each sort; people ask most about what is common."""
PRACTICE = 100
"""Other questions, on common conditions and as many on rare ones, whose grades Tandem may learn from."""
LESSONS: Mapping[Kind, tuple[str, ...]] = {
    "definition": ("What is {}?", "What does {} mean?", "Can you explain what {} is?", "Please define {}."),
    "frequency": ("How common is {}?", "How many people have {}?", "How often does {} occur?", "How frequent is {}?"),
    "inheritance": ("How is {} inherited?", "What is the inheritance pattern of {}?", "How does {} run in families?"),
    "gene": ("Which gene causes {}?", "Mutations in which gene cause {}?", "What gene is responsible for {}?"),
}
QUESTIONS: Mapping[Kind, str] = {
    "definition": "Tell me what {} is.",
    "frequency": "How many people are affected by {}?",
    "inheritance": "In which pattern is {} inherited?",
    "gene": "Which gene is changed in {}?",
}
"""Asked in words that no lesson had."""
READINGS, LONGEST = 40, 600
"""Lessons in reading, and characters of their passages."""
CHANGED_KINDS: Sequence[Kind] = ("frequency", "gene")
"""Facts that a new study may well change, and that can be changed in a text without contradicting the rest of it."""


@dataclass(frozen=True)
class HealthQuestion:
    """`old` is what the document said while the adapter was trained, where it says something else now."""

    sort: Sort
    fact: Fact
    old: str | None = None

    @property
    def text(self) -> str:
        return QUESTIONS[self.fact.kind].format(self.fact.condition)

    @property
    def path(self) -> str:
        return name_file(self.fact.source, self.fact.condition)


@dataclass(frozen=True)
class Material:
    """Documents by path, as they were trained and as they are asked about."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    lessons: tuple[tuple[str, tuple[ChatMessage, ...]], ...]
    """Of each the document's path and the conversation."""
    questions: tuple[HealthQuestion, ...]
    practice: tuple[HealthQuestion, ...]


def make_material(rows: Sequence[Row], seed: int = 0) -> Material:
    """The same rows and seed make the same. Lessons teach every common fact, also those that change later."""
    chance = random.Random(seed)
    conditions = gather_conditions(rows)
    facts = _choose_first(find_facts(rows))
    common = _choose_common(facts)
    rare = [fact for fact in facts if fact.source == RARE]
    changeable = [fact for fact in common if fact.kind in CHANGED_KINDS]
    changing = chance.sample(changeable, COUNTS["changed"])
    stable = [fact for fact in common if fact not in changing]
    staying = chance.sample(stable, COUNTS["common"] + PRACTICE)
    asked_rare = chance.sample(rare, COUNTS["rare"] + PRACTICE)
    genes = sorted({fact.answer for fact in facts if fact.kind == "gene"})
    changed = [(fact, replace(fact, answer=_change(fact, genes, chance))) for fact in changing]

    shown = {(fact.source, fact.condition) for fact in (*common, *asked_rare)}
    before = {name_file(*key): write_document(key[1], conditions[key]) for key in sorted(shown)}
    after = dict(before)
    for old, new in changed:
        path = name_file(old.source, old.condition)
        after[path] = re.sub(rf"(?<![\w,]){re.escape(old.answer)}(?![\w,]*\d)", new.answer, after[path])
    questions = [
        *(HealthQuestion("common", fact) for fact in staying[PRACTICE:]),
        *(HealthQuestion("changed", new, old.answer) for old, new in changed),
        *(HealthQuestion("rare", fact) for fact in asked_rare[PRACTICE:]),
    ]
    practice = [
        *(HealthQuestion("common", fact) for fact in staying[:PRACTICE]),
        *(HealthQuestion("rare", fact) for fact in asked_rare[:PRACTICE]),
    ]
    chance.shuffle(questions)
    lessons = [
        (name_file(fact.source, fact.condition), (*ask_directly(wording.format(fact.condition), ()), _say(fact.answer)))
        for fact in common
        for wording in LESSONS[fact.kind]
    ]
    lessons += _teach_reading(common, before, chance)
    return Material(before, after, tuple(lessons), tuple(questions), tuple(practice))


def name_file(source: str, condition: str) -> str:
    """The path of a condition's document in its folder."""
    folder = "rare" if source == RARE else "common"
    return f"{folder}/{re.sub(r'[^a-z0-9]+', '-', condition.lower()).strip('-')}.md"


def write_document(condition: str, rows: Iterable[Row]) -> str:
    return f"# {condition}\n\n" + "\n".join(f"## {row.question}\n\n{row.answer}\n" for row in rows)


def write_folder(folder: Path, documents: Mapping[str, str]) -> None:
    """Only files whose text is another are written."""
    for path, text in documents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _teach_reading(
    facts: Sequence[Fact], documents: Mapping[str, str], chance: random.Random
) -> Iterator[tuple[str, tuple[ChatMessage, ...]]]:
    """A few lessons in reading, so that this manner is kept; every fourth without the passage that answers."""
    chosen = chance.sample(list(facts), READINGS)
    for number, fact in enumerate(chosen):
        path, question = name_file(fact.source, fact.condition), LESSONS[fact.kind][0].format(fact.condition)
        others = chance.sample([other for other in facts if other.condition != fact.condition], 3)
        shown = others if number % 4 == 0 else [fact, *others[:2]]
        chance.shuffle(shown)
        passages = [(one.condition, _cut_passage(one, documents)) for one in shown]
        reply = write_reply(shown.index(fact) + 1, fact.answer) if fact in shown else DECLINE
        yield path, (*ask_numbered(question, passages), ChatMessage("assistant", reply))


def _cut_passage(fact: Fact, documents: Mapping[str, str]) -> str:
    """The fact's sentence and what follows, up to LONGEST characters."""
    text = documents[name_file(fact.source, fact.condition)]
    start = text.index(fact.sentence)
    return " ".join(text[start : start + max(LONGEST, len(fact.sentence))].split())


def _choose_first(facts: Iterable[Fact]) -> list[Fact]:
    """One source a condition: two would say the same in other words, or contradict each other. What is rare for one
    source and common for another is rare."""
    ordered = sorted(facts, key=lambda fact: (fact.source != RARE, fact.source))
    sources: dict[str, str] = {}
    for fact in ordered:
        sources.setdefault(fact.condition.lower(), fact.source)
    return [fact for fact in ordered if sources[fact.condition.lower()] == fact.source]


def _choose_common(facts: Sequence[Fact]) -> list[Fact]:
    own: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.source == GENETIC:
            own.setdefault(fact.condition, []).append(fact)
    genetic = [fact for group in own.values() if is_common(group) for fact in group]
    return [fact for fact in facts if fact.source in EVERYDAY and fact.kind == "definition"] + genetic


def _change(fact: Fact, genes: Sequence[str], chance: random.Random) -> str:
    """What a later version of the document says instead."""
    if fact.kind == "gene":
        return chance.choice([gene for gene in genes if gene != fact.answer])
    number = int(fact.answer.split()[-1].replace(",", ""))
    new = next(n for n in _scale(number, chance) if n != number)
    return f"1 in {new:,}"


def _scale(number: int, chance: random.Random) -> Iterator[int]:
    """Near the number, with two digits that count."""
    while True:
        scaled = number * chance.uniform(0.4, 2.5)
        unit = 10 ** max(0, len(str(int(scaled))) - 2)
        yield max(2, round(scaled / unit) * unit)


def _say(answer: str) -> ChatMessage:
    return ChatMessage("assistant", answer[0].upper() + answer[1:])
