"""The verdict on the healthcare question, from what `tandem eval --replies` wrote."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.evals.bootstrap import Estimate, estimate_mean
from tandem.evals.grading import contains

ALWAYS = "tuned+retrieval"
SAVED = 0.6
"""Of the tokens of always retrieving, the most that Tandem may take."""


@dataclass(frozen=True)
class Verdict:
    """`right`: of each arm, the share right by the sort of question and of all. `said_old`: Tandem's replies that give
    what a document said before it changed."""

    right: Mapping[str, Mapping[str, float]]
    best: str
    difference: Estimate
    token_share: float
    said_old: tuple[str, ...]
    old_by_arm: Mapping[str, int]

    @property
    def holds(self) -> bool:
        return not self.difference.is_negative and self.token_share <= SAVED and not self.said_old


def judge(replies: Sequence[Mapping[str, Any]], sorts: Mapping[str, str], old: Mapping[str, str]) -> Verdict:
    """`sorts` and `old` by question. The best arm is the one that gets most right, Tandem aside."""
    by_arm: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in replies:
        by_arm[row["arm"]][row["question"]] = row
    right = {
        arm: {"all": _share(list(rows.values()))}
        | {
            sort: _share([row for question, row in rows.items() if sorts[question] == sort])
            for sort in sorted(set(sorts.values()))
        }
        for arm, rows in by_arm.items()
    }
    best = max((arm for arm in by_arm if arm != "tandem"), key=lambda arm: right[arm]["all"])
    own, other = by_arm["tandem"], by_arm[best]
    difference = estimate_mean(
        [float(own[question]["right"]) - float(other[question]["right"]) for question in own], bounds=(-1.0, 1.0)
    )
    outdated = {
        arm: [row["reply"] for question, row in rows.items() if question in old and _gives(row, old[question])]
        for arm, rows in by_arm.items()
    }
    return Verdict(
        right=right,
        best=best,
        difference=difference,
        token_share=_tokens(own) / _tokens(by_arm[ALWAYS]),
        said_old=tuple(outdated["tandem"]),
        old_by_arm={arm: len(said) for arm, said in outdated.items()},
    )


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _gives(row: Mapping[str, Any], fact: str) -> bool:
    return row["route"] != "declined" and contains(row["reply"], [fact])


def _share(rows: Sequence[Mapping[str, Any]]) -> float:
    return sum(bool(row["right"]) for row in rows) / len(rows)


def _tokens(rows: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(row["tokens"] for row in rows.values())
