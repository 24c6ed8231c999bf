"""The checks before any training: each says in a line what it found, and whether that forbids it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tandem.settings import Settings
from tandem.tuning.examples import Example, Task, TuningError
from tandem.tuning.injections import find_injections
from tandem.tuning.personal_data import find_personal_data
from tandem.tuning.similarity import find_matches, find_pairs, normalise

FEWEST: dict[Task, int] = {"answers": 100, "labels": 40, "format": 40, "tone": 40, "language": 40}
"""Approved examples of a task, if there are any."""
FEWEST_OF_LABEL = 5
FEWEST_ORIGINS = 10
"""Of which two or more are held out."""
LONGEST = 3_500
"""Characters; a lesson of more than 1,024 tokens is not trained on."""
NAMED = 5
"""Examples that a line names."""


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
    return (
        _check_number(examples),
        _check_duplicates(examples),
        _check_contradictions(examples),
        _check_each("personal data", examples, find_personal_data),
        _check_licences(examples, settings),
        _check_each("instructions to the model", examples, find_injections),
        _check_leaks(examples, tests),
        _check_each("texts too long", examples, _find_excess),
    )


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
    asked: defaultdict[tuple[str, ...], list[Example]] = defaultdict(list)
    for example in examples:
        asked[tuple(normalise(turn.content) for turn in example.messages[:-1])].append(example)
    torn = [
        same for same in asked.values() if len({normalise(example.answer) or example.answer for example in same}) > 1
    ]
    named = [" and ".join(str(example.id) for example in same[:3]) for same in torn[:NAMED]]
    ids = tuple(sorted(example.id for same in torn for example in same))
    return _finding("contradictions", ids, f"{len(torn)} questions have different answers", named)


def _check_each(check: str, examples: Sequence[Example], find: Callable[[str], tuple[str, ...]]) -> Finding:
    found = {example.id: kinds for example in examples if (kinds := find(example.text))}
    named = [f"{', '.join(kinds)} in {identity}" for identity, kinds in list(found.items())[:NAMED]]
    return _finding(check, tuple(found), f"{len(found)} examples hold {check}", named)


def _check_licences(examples: Sequence[Example], settings: Settings) -> Finding:
    allowed = {licence.casefold() for licence in settings.training_licences}
    forbidden: defaultdict[str, list[int]] = defaultdict(list)
    for example in examples:
        if example.licence.casefold() not in allowed:
            forbidden[example.licence].append(example.id)
    ids = tuple(sorted(identity for ids in forbidden.values() for identity in ids))
    named = [f"{licence} of {len(ids)}" for licence, ids in forbidden.items()]
    return _finding("licences", ids, f"{len(ids)} examples have a licence that TANDEM_TRAINING_LICENCES lacks", named)


def _check_leaks(examples: Sequence[Example], tests: Sequence[str]) -> Finding:
    asked = {normalise(test) for test in tests}
    leaked = {at for at, example in enumerate(examples) if normalise(example.question) in asked}
    leaked |= {pair.left for pair in find_matches([example.question for example in examples], tests)}
    leaked |= {at for at, example in enumerate(examples) if _quotes_any(example, asked)}
    ids = tuple(examples[at].id for at in sorted(leaked))
    return _finding(
        "test questions", ids, f"{len(ids)} examples hold a question that adapters are judged by", map(str, ids[:NAMED])
    )


def _quotes_any(example: Example, asked: set[str]) -> bool:
    """Whether a line of it is such a question: in a prompt with passages the question stands under them."""
    lines = (line for turn in example.messages[:-1] if turn.role == "user" for line in turn.content.splitlines())
    return any(normalise(line.removeprefix("Question:")) in asked for line in lines)


def _find_excess(text: str) -> tuple[str, ...]:
    return (f"{len(text):,} characters of {LONGEST:,}",) if len(text) > LONGEST else ()


def _said(example: Example) -> str:
    return "\n".join(turn.content for turn in example.messages if turn.role != "system")


def _finding(check: str, ids: tuple[int, ...], fault: str, named: "Iterator[str] | Sequence[str]") -> Finding:
    if not ids:
        return Finding(check, True, f"No {check}." if check != "licences" else "Every licence allows it.")
    return Finding(check, False, f"{fault}: {'; '.join(named)}{', …' if len(ids) > NAMED else ''}.", ids)
