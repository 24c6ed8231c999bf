"""The checks before any training: each says in a line what it found, and whether that forbids it."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graph.support import find_numbers
from tandem.db.pool import Database
from tandem.settings import Settings
from tandem.tuning.examples import QUERIES, Example, Task, TuningError, list_examples
from tandem.tuning.gate import FEWEST_HELD_OUT, FEWEST_HELD_OUT_ORIGINS
from tandem.tuning.injections import UNREADABLE, find_injections
from tandem.tuning.personal_data import find_personal_data
from tandem.tuning.run import LONGEST_LESSON
from tandem.tuning.sets import list_tests
from tandem.tuning.similarity import find_matches, find_pairs, normalise
from tandem.tuning.split import Side, read_sides
from tandem.tuning.tokens import open_counter

FEWEST: dict[Task, int] = {"answers": 100, "labels": 40, "format": 40, "tone": 40, "language": 40}
"""Approved examples of a task, if there are any."""
FEWEST_OF_LABEL = 5
FEWEST_ORIGINS = 10
"""Of which two or more are held out."""
_USES: dict[Side, str] = {"train": "train on", "validation": "stop the training by"}
NAMED = 5
"""Examples that a line names."""
_QUESTION = re.compile(r"^Question:", re.MULTILINE)
_TURNS = frozenset({"who", "whom", "whose", "when", "where", "why", "how", "not", "no", "never"})
"""Words that make another question of the same terms."""


@dataclass(frozen=True)
class Finding:
    """`examples` are those to reject or to correct; the line names the first of them."""

    check: str
    passed: bool
    line: str
    examples: tuple[int, ...] = ()


class ExamplesRefused(TuningError):
    """The examples do not pass the checks."""

    remedy = (
        "Reject or correct them with `tandem tune review`; `tandem tune check --json` names each example that is meant."
    )

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(finding for finding in findings if not finding.passed)
        super().__init__("\n".join(["Nothing was trained.", *(finding.line for finding in self.findings)]))


def check_examples(examples: Sequence[Example], settings: Settings, tests: Sequence[str]) -> tuple[Finding, ...]:
    """`examples` are the approved ones of a project; `tests` the questions that adapters are judged by."""
    with open_counter(settings) as count_tokens:
        return (
            _check_number(examples),
            _check_duplicates(examples),
            _check_contradictions(examples),
            _check_each("personal data", examples, lambda one: find_personal_data(one.text)),
            _check_licences(examples, settings),
            _check_each("instructions to the model", examples, _find_uncleared),
            _check_leaks("test questions", examples, tests, "a question that adapters are judged by"),
            _check_each("texts too long", examples, lambda one: _find_excess(count_tokens(one))),
        )


async def check_project(
    database: Database, settings: Settings, project: str
) -> tuple[list[Example], tuple[Finding, ...]]:
    """The approved examples of a project, and what is found in them. Raises DataError for a file of held-out questions
    that cannot be read, and WeightsError."""
    examples = await list_examples(database, project, "approved")
    sides = await read_sides(database, project, examples)
    return examples, (
        *check_examples(examples, settings, list_tests(settings)),
        _check_sides(examples, sides),
        await _check_elsewhere(database, project, [one for one in examples if sides[one.origin] != "held-out"]),
        await _check_documents(database, project),
    )


def _check_sides(examples: Sequence[Example], sides: Mapping[str, Side]) -> Finding:
    """Whether the split leaves something on each side, and enough to judge by."""
    counts = Counter(sides[example.origin] for example in examples)
    origins = sum(side == "held-out" for side in sides.values())
    faults = [f"none is left to {use}" for side, use in _USES.items() if not counts[side]]
    if counts["held-out"] < FEWEST_HELD_OUT or origins < FEWEST_HELD_OUT_ORIGINS:
        faults.append(
            f"{counts['held-out']} of {origins} origins are held out to judge by, {FEWEST_HELD_OUT} of"
            f" {FEWEST_HELD_OUT_ORIGINS} are the least"
        )
    if faults:
        return Finding("enough to judge by", False, f"Too few: {'; '.join(faults)}. Bring examples of more origins.")
    return Finding("enough to judge by", True, f"Enough to judge by: {counts['held-out']}, from {origins} origins.")


async def _check_elsewhere(database: Database, project: str, examples: Sequence[Example]) -> Finding:
    """Whether one that is not held out here is held out of another project."""
    rows = await database.fetch_all(QUERIES["list_held_elsewhere"], {"project": project})
    asked = [_split_passages(row["messages"][-2]["content"])[1] for row in rows]
    return _check_leaks("held out elsewhere", examples, asked, "a question that another project holds out")


async def _check_documents(database: Database, project: str) -> Finding:
    outdated = [row["id"] for row in await database.fetch_all(QUERIES["list_outdated"], {"project": project})]
    fault = f"{len(outdated)} examples were made from documents that changed or went since"
    return _finding("outdated documents", tuple(outdated), fault, map(str, outdated[:NAMED]))


def _check_number(examples: Sequence[Example]) -> Finding:
    tasks = Counter(example.task for example in examples)
    labels = Counter(example.answer for example in examples if example.task == "labels")
    faults = [
        f"{tasks[task]} of {task}, {fewest} are the least"
        for task, fewest in FEWEST.items()
        if 0 < tasks[task] < fewest
    ]
    faults += [
        f"{count} of the label “{label[:40]}”, {FEWEST_OF_LABEL} are the least"
        for label, count in labels.items()
        if count < FEWEST_OF_LABEL
    ]
    origins = len({example.origin for example in examples})
    if not examples:
        faults = ["none is approved"]
    elif origins < FEWEST_ORIGINS:
        faults.append(f"they come from {origins} origins, {FEWEST_ORIGINS} are the least: origins are never split")
    if faults:
        return Finding("enough", False, f"Too few: {'; '.join(faults)}.")
    counted = ", ".join(f"{count} of {task}" for task, count in tasks.items())
    return Finding("enough", True, f"Enough: {counted}, from {origins} origins.")


def _check_duplicates(examples: Sequence[Example]) -> Finding:
    pairs = list(find_pairs([_said(example) for example in examples]))
    named = [f"{examples[pair.right].id} says what {examples[pair.left].id} says" for pair in pairs[:NAMED]]
    later = tuple(sorted({examples[pair.right].id for pair in pairs}))
    return _finding("duplicates", later, f"{len(pairs)} pairs say nearly the same", named)


def _check_contradictions(examples: Sequence[Example]) -> Finding:
    """The same is asked in nearly the same words, after the same turns and on the same passages."""
    asked = [_split_asked(example) for example in examples]
    torn = [
        (examples[pair.left], examples[pair.right])
        for pair in find_pairs([question for _, question in asked], fewest=1)
        if asked[pair.left][0] == asked[pair.right][0]
        and _turn(asked[pair.left][1]) == _turn(asked[pair.right][1])
        and _answer(examples[pair.left]) != _answer(examples[pair.right])
    ]
    named = [f"{one.id} and {other.id}" for one, other in torn[:NAMED]]
    ids = tuple(sorted({example.id for pair in torn for example in pair}))
    return _finding("contradictions", ids, f"{len(torn)} pairs ask the same and have different answers", named)


def _split_asked(example: Example) -> tuple[str, str]:
    """What comes before the question, earlier turns and passages, as words; and the question."""
    passages, question = _split_passages(example.question)
    return normalise(" ".join([*(turn.content for turn in example.messages[:-2]), passages])), question


def _split_passages(asked: str) -> tuple[str, str]:
    *passages, question = _QUESTION.split(asked)
    return " ".join(passages), question


def _turn(question: str) -> tuple[frozenset[str], frozenset[str]]:
    """What two questions of nearly the same words have to share to ask the same."""
    return frozenset(find_numbers(question)), _TURNS.intersection(normalise(question).split())


def _answer(example: Example) -> str:
    return normalise(example.answer) or example.answer


def _check_each(check: str, examples: Sequence[Example], find: Callable[[Example], tuple[str, ...]]) -> Finding:
    found = {example.id: kinds for example in examples if (kinds := find(example))}
    named = [f"{', '.join(kinds)} in {identity}" for identity, kinds in list(found.items())[:NAMED]]
    return _finding(check, tuple(found), f"{len(found)} examples hold {check}", named)


def _check_licences(examples: Sequence[Example], settings: Settings) -> Finding:
    allowed = {licence.casefold() for licence in settings.training_licences}
    forbidden: defaultdict[str, list[int]] = defaultdict(list)
    for example in examples:
        if not allowed.issuperset(licence.casefold() for licence in example.licences):
            forbidden[example.licence].append(example.id)
    ids = tuple(sorted(identity for ids in forbidden.values() for identity in ids))
    named = [f"{licence} of {len(ids)}" for licence, ids in forbidden.items()]
    return _finding("licences", ids, f"{len(ids)} examples have a licence that TANDEM_TRAINING_LICENCES lacks", named)


def _check_leaks(check: str, examples: Sequence[Example], tests: Sequence[str], kind: str) -> Finding:
    """Whether one is asked in nearly the same words, passages left out, or stands as a line in what is asked."""
    known = {normalise(test) for test in tests}
    said = [(at, turn.content) for at, one in enumerate(examples) for turn in one.messages[:-1] if turn.role == "user"]
    leaked = {said[pair.left][0] for pair in find_matches([_split_passages(text)[1] for _, text in said], tests)}
    leaked |= {
        at for at, text in said if any(normalise(line.removeprefix("Question:")) in known for line in text.splitlines())
    }
    ids = tuple(examples[at].id for at in sorted(leaked))
    return _finding(check, ids, f"{len(ids)} examples hold {kind}", map(str, ids[:NAMED]))


def _find_uncleared(example: Example) -> tuple[str, ...]:
    """A person's word counts, but for what no person can read."""
    return tuple(kind for kind in find_injections(example.text) if not example.cleared_by or kind in UNREADABLE)


def _find_excess(tokens: int) -> tuple[str, ...]:
    return (f"{tokens:,} tokens of {LONGEST_LESSON:,}",) if tokens > LONGEST_LESSON else ()


def _said(example: Example) -> str:
    return "\n".join(turn.content for turn in example.messages if turn.role != "system")


def _finding(check: str, ids: tuple[int, ...], fault: str, named: "Iterator[str] | Sequence[str]") -> Finding:
    if not ids:
        return Finding(check, True, f"No {check}." if check != "licences" else "Every licence allows it.")
    return Finding(check, False, f"{fault}: {'; '.join(named)}{', …' if len(ids) > NAMED else ''}.", ids)
