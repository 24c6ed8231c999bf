"""`python -m tests.evals.healthcare make DATA OUT`, then `train OUT`, `practise OUT` and `judge OUT REPLIES`.

OUT gets `before/` and `after/` (the documents, as they were trained and as they are asked about), `train.jsonl` and
`validation.jsonl` (lessons), `qa.jsonl` (what `tandem eval` reads), `practice.jsonl` (the same on other facts, for
Tandem to learn from) and `old.jsonl` (question, new fact and old one).
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tandem.settings import read_settings
from tests.evals.healthcare.facts import read_medquad
from tests.evals.healthcare.material import HealthQuestion, Material, make_material, write_folder
from tests.evals.healthcare.practice import practise
from tests.evals.healthcare.training import train
from tests.evals.healthcare.verdict import judge, read_lines

VALIDATED = 8
"""One lesson in so many is kept for validation: other words of facts that are trained."""


def make(data: Path, out: Path) -> Material:
    material = make_material(read_medquad(data / "qa.jsonl.gz"))
    write_folder(out / "before", material.before)
    write_folder(out / "after", material.after)
    lessons: list[dict[str, object]] = [
        {"messages": [vars(message) for message in messages], "origin": origin} for origin, messages in material.lessons
    ]
    write_lines(out / "train.jsonl", [row for place, row in enumerate(lessons) if place % VALIDATED])
    write_lines(out / "validation.jsonl", lessons[::VALIDATED])
    write_questions(out / "qa.jsonl", material.questions)
    write_questions(out / "practice.jsonl", material.practice)
    write_lines(
        out / "old.jsonl",
        (
            {"question": asked.text, "new": asked.fact.answer, "old": asked.old}
            for asked in material.questions
            if asked.old
        ),
    )
    return material


def tell_verdict(out: Path, replies: Path) -> bool:
    sorts = {row["question"]: row["sort"] for row in read_lines(out / "qa.jsonl")}
    old = {row["question"]: row["old"] for row in read_lines(out / "old.jsonl")}
    verdict = judge(read_lines(replies), sorts, old)
    for arm, shares in verdict.right.items():
        told = ", ".join(f"{sort} {share:.2f}" for sort, share in shares.items())
        print(f"{arm}: {told}; old facts given {verdict.old_by_arm[arm]}")
    found = verdict.difference
    print(
        f"Tandem against {verdict.best}: {found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f}),"
        f" at {verdict.token_share:.0%} of the tokens of always retrieving, {len(verdict.said_old)} old facts given:"
        f" {'it holds' if verdict.holds else 'it does not hold'}."
    )
    return verdict.holds


def write_questions(path: Path, questions: Iterable[HealthQuestion]) -> None:
    write_lines(
        path,
        (
            {"question": asked.text, "answers": list(asked.fact.answers), "uri": asked.path, "sort": asked.sort}
            for asked in questions
        ),
    )


def write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("data", type=Path, help="the folder of MedQuAD's qa.jsonl.gz")
    making.add_argument("out", type=Path)
    training = commands.add_parser("train")
    training.add_argument("out", type=Path)
    practising = commands.add_parser("practise")
    practising.add_argument("out", type=Path)
    judging = commands.add_parser("judge")
    judging.add_argument("out", type=Path)
    judging.add_argument("replies", type=Path, help="what `tandem eval --replies` wrote")
    arguments = parser.parse_args()
    if arguments.command == "train":
        card = train(read_settings(), arguments.out)
        seen = len(card.snapshot.documents) if card.snapshot else 0
        print(f"{card.name} is in service; it has seen {seen} documents")
        return
    if arguments.command == "practise":
        outcome = asyncio.run(practise(read_settings(), arguments.out))
        print(f"{outcome.reason}: {json.dumps(outcome.report)}" if outcome else "nothing new was graded")
        return
    if arguments.command == "judge":
        raise SystemExit(0 if tell_verdict(arguments.out, arguments.replies) else 1)
    material = make(arguments.data, arguments.out)
    sorts = Counter(asked.sort for asked in material.questions)
    print(
        f"{len(material.before)} documents, {len(material.lessons)} lessons,"
        f" questions: {', '.join(f'{count} {sort}' for sort, count in sorts.items())}"
    )


if __name__ == "__main__":
    main()
