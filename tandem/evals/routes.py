"""The choice between memory and a retrieved passage, on published outcomes: cross-validated by question.

Nothing of a question, nor of its answers, is known to the models that are judged on it: history, places' rates, ridges,
calibration and thresholds come from the other folds.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.routing.linear import LinearModel, area_under_roc, calibration_error, fit_linear, split_folds
from graph.routing.traits import read_traits
from tandem.evals.outcomes import Outcome
from tandem.models.client import ModelClient

Floats = NDArray[np.float64]
FOLDS = 10
NEAREST = (10, 40)
SHARE = 0.4
"""The largest share of questions that may be answered from a passage."""
LEAST_DRAFTS = 100
DRAFT_WEIGHT = 0.5
DRAWS, SEED = 2_000, 0
SHAPE = ("words", "empty", "long", "repeats", "digits", "is_number", "capitals", "echoes", "commas", "dashes")
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the"))


@dataclass(frozen=True)
class Vectors:
    """Unit vectors (n, 384) of the questions and the drafts; zero where there is no second draft."""

    question: Floats
    direct: Floats
    retrieved: Floats
    second: Floats


@dataclass(frozen=True)
class Fold:
    """Row numbers, and (n, 8) how the nearest questions of `train` went."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    history: Floats


@dataclass(frozen=True)
class Estimates:
    """Of rows that the models have not seen. `read`: where the passage promises most, in SHARE of the rows.

    `direct_after` and `grounded_after` are the chances that either answer is right, once both are known.
    """

    direct: Floats
    grounded: Floats
    read: NDArray[np.bool_]
    direct_after: Floats
    grounded_after: Floats


async def embed_outcomes(model: ModelClient, outcomes: Sequence[Outcome]) -> Vectors:
    """Raises what the model client raises."""

    async def embed(texts: Sequence[str]) -> Floats:
        vectors = await model.embed([text.strip() or "-" for text in texts], bulk=True)
        return vectors.astype(np.float64)

    second = await embed([row.second_draft or "" for row in outcomes])
    second[[row.second_draft is None for row in outcomes]] = 0
    return Vectors(
        await embed([row.question for row in outcomes]),
        await embed([row.direct for row in outcomes]),
        await embed([row.retrieved[:400] for row in outcomes]),
        second,
    )


def bench_routes(outcomes: Sequence[Outcome], vectors: Vectors) -> dict[str, Any]:
    """The contract of `tandem bench routes --json`. Shares and chances are 0 to 1."""
    direct, retrieved = _read_grades(outcomes)
    drafts = np.array([row.has_drafts for row in outcomes])
    folds = _split(vectors, direct, retrieved)
    report: dict[str, Any] = {"questions": len(outcomes), "with_drafts": int(drafts.sum())}
    for name, knows_place in (("with_place", True), ("without_place", False)):
        seen = estimate(outcomes, vectors, folds, knows_place=knows_place)
        report[name] = {
            part: _describe(outcomes, seen, rows)
            for part, rows in (("all", np.ones(len(outcomes), bool)), ("drafts", drafts))
            if rows.sum() >= LEAST_DRAFTS
        }
    return report


def estimate(outcomes: Sequence[Outcome], vectors: Vectors, folds: Sequence[Fold], *, knows_place: bool) -> Estimates:
    """Chances for each question from models of the other folds. With its place, the rates of the questions that were
    asked there count too."""
    count = len(outcomes)
    direct, retrieved = _read_grades(outcomes)
    drafts = np.array([row.has_drafts for row in outcomes])
    known, certain = describe_questions(outcomes, vectors), describe_drafts(outcomes, vectors)
    agreeing = describe_agreement(outcomes, vectors)
    places = [row.dataset for row in outcomes]
    found = Estimates(*(np.zeros(count, kind) for kind in (float, float, bool, float, float)))
    for fold in folds:
        train, test = fold.train, fold.test
        rates = _rate_places(places, direct, retrieved, train) if knows_place else np.zeros((count, 0))
        rows = np.column_stack([known, fold.history, rates])
        says_direct = _fit(rows[train], direct[train]).chances(rows)
        says_grounded = _fit(rows[train], retrieved[train]).chances(rows)
        own = train[drafts[train]]
        if len(own) >= LEAST_DRAFTS:
            # Few rows have drafts: what the models of all rows say is one column beside what the drafts say.
            sharper = np.column_stack([_logits(says_direct), _logits(says_grounded), certain, rates])
            says_direct = np.where(drafts, _fit(sharper[own], direct[own]).chances(sharper), says_direct)
            says_grounded = np.where(drafts, _fit(sharper[own], retrieved[own]).chances(sharper), says_grounded)
        gain = says_grounded - says_direct
        for part in (drafts, ~drafts):
            if part[train].any():
                found.read[test] |= part[test] & (gain[test] > np.quantile(gain[train][part[train]], 1 - SHARE))
        everything = np.column_stack([rows, certain, agreeing])
        found.direct_after[test] = _fit(everything[train], direct[train]).chances(everything[test])
        found.grounded_after[test] = _fit(everything[train], retrieved[train]).chances(everything[test])
        found.direct[test], found.grounded[test] = says_direct[test], says_grounded[test]
    return found


def describe_questions(outcomes: Sequence[Outcome], vectors: Vectors) -> Floats:
    """(n, d): what the question's words and the shape of the draft tell."""
    rows = []
    for row in outcomes:
        traits = read_traits(row.question)
        asked = row.question.split()
        rows.append(
            [
                np.log1p(len(asked)),
                *(traits.has_number, traits.has_date, traits.has_name, traits.quantity, traits.person),
                *(traits.explanation, traits.wants_fresh),
                row.question.rstrip().endswith("?"),
                sum(word[:1].isupper() for word in asked) / max(1, len(asked)),
                np.mean([len(word) for word in asked]) if asked else 0.0,
                '"' in row.question,
                " or " in row.question.lower(),
                *describe_shape(row.question, row.direct),
            ]
        )
    near = (vectors.question * vectors.direct).sum(axis=1)
    return np.column_stack([np.array(rows, np.float64), near])


def describe_shape(question: str, draft: str) -> list[float]:
    """One number for each of SHAPE."""
    words, asked = split_answer(draft), set(split_answer(question))
    plain = draft.split()
    return [
        float(np.log1p(len(words))),
        float(not words),
        float(len(words) > 12),
        1 - len(set(words)) / max(1, len(words)),
        float(any(character.isdigit() for character in draft)),
        float(bool(words) and all(word.isdigit() for word in words)),
        sum(word[:1].isupper() for word in plain) / max(1, len(plain)),
        len(asked & set(words)) / max(1, len(set(words))),
        float("," in draft or " and " in draft),
        float("-" in draft or "'" in draft),
    ]


def describe_drafts(outcomes: Sequence[Outcome], vectors: Vectors) -> Floats:
    """(n, 5): how sure the drafts from memory were, and whether they agree; NaN where there were none."""
    rows = [
        [
            np.log(row.perplexity or 1),
            np.log(max(row.entropy or 0, 1e-3)),
            agreement(row.direct, row.second_draft or ""),
            float(split_answer(row.direct) == split_answer(row.second_draft or "")),
        ]
        if row.has_drafts
        else [np.nan] * 4
        for row in outcomes
    ]
    near = (vectors.direct * vectors.second).sum(axis=1)
    near[[not row.has_drafts for row in outcomes]] = np.nan
    return np.column_stack([np.array(rows, np.float64), near])


def describe_agreement(outcomes: Sequence[Outcome], vectors: Vectors) -> Floats:
    """What is known once the passage was read: the shape of its answer, and how far it agrees with the draft."""
    rows = [
        [
            *describe_shape(row.question, row.retrieved),
            agreement(row.direct, row.retrieved),
            np.nan if row.second_draft is None else agreement(row.second_draft, row.retrieved),
        ]
        for row in outcomes
    ]
    near = (vectors.direct * vectors.retrieved).sum(axis=1), (vectors.question * vectors.retrieved).sum(axis=1)
    return np.column_stack([np.array(rows, np.float64), *near])


def split_answer(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in _ARTICLES]


def agreement(one: str, other: str) -> float:
    """The harmonic mean of the shares of words that are the other's (SQuAD's F1), 0 to 1."""
    first, second = Counter(split_answer(one)), Counter(split_answer(other))
    shared = (first & second).total()
    return 2 * shared / (first.total() + second.total()) if shared else 0.0


def _read_grades(outcomes: Sequence[Outcome]) -> tuple[Floats, Floats]:
    direct = np.array([row.direct_right for row in outcomes], np.float64)
    return direct, np.array([row.retrieved_right for row in outcomes], np.float64)


def _split(vectors: Vectors, direct: Floats, retrieved: Floats) -> list[Fold]:
    drawn = split_folds(len(direct), None, SEED, FOLDS)
    trains = [np.flatnonzero(drawn != fold) for fold in range(FOLDS)]
    return [
        Fold(train, np.flatnonzero(drawn == fold), _recall_history(vectors, direct, retrieved, train))
        for fold, train in enumerate(trains)
    ]


def _recall_history(vectors: Vectors, direct: Floats, retrieved: Floats, train: NDArray[np.intp]) -> Floats:
    """(n, 8): how the nearest questions of the training rows went; a row is no neighbour of its own."""
    columns = []
    joint = vectors.question + DRAFT_WEIGHT * vectors.direct
    for space in (vectors.question, joint / np.linalg.norm(joint, axis=1, keepdims=True)):
        nearness = space @ space[train].T
        nearness[train, np.arange(len(train))] = -1
        most = max(NEAREST)
        near = np.argpartition(-nearness, most, axis=1)[:, :most]
        near = np.take_along_axis(near, np.argsort(-np.take_along_axis(nearness, near, axis=1), axis=1), axis=1)
        weights = np.maximum(np.take_along_axis(nearness, near, axis=1), 1e-9) ** 2
        for outcome in (direct, retrieved):
            right = outcome[train][near]
            columns += [np.average(right[:, :k], axis=1, weights=weights[:, :k]) for k in NEAREST]
    return np.column_stack(columns)


def _rate_places(places: Sequence[str], direct: Floats, retrieved: Floats, train: NDArray[np.intp]) -> Floats:
    """(n, 2): the logit of each route's rate over the training rows that were asked in the same place."""
    in_train = np.zeros(len(places), bool)
    in_train[train] = True
    named = np.array(places)
    rates = np.zeros((len(places), 2))
    for place in set(places):
        here = named == place
        for column, outcome in enumerate((direct, retrieved)):
            own = outcome[here & in_train]
            rates[here, column] = _logits(np.array([(own.sum() + 1) / (len(own) + 2)]))[0]
    return rates


def _fit(rows: Floats, right: Floats) -> LinearModel:
    return fit_linear([str(column) for column in range(rows.shape[1])], rows, right)


def _logits(chances: Floats) -> Floats:
    bounded = np.clip(chances, 1e-4, 1 - 1e-4)
    result: Floats = np.log(bounded / (1 - bounded))
    return result


def _describe(outcomes: Sequence[Outcome], seen: Estimates, rows: NDArray[np.bool_]) -> dict[str, Any]:
    direct, retrieved = (grades[rows] for grades in _read_grades(outcomes))
    same = np.array([split_answer(row.direct) == split_answer(row.retrieved) for row in outcomes])[rows]
    read, gain = seen.read[rows], (seen.grounded_after - seen.direct_after)[rows]
    least = np.quantile(np.where(same, -1, gain), 1 - SHARE)
    return {
        "questions": int(rows.sum()),
        "p_direct": _describe_chances(seen.direct[rows], direct),
        "p_grounded": _describe_chances(seen.grounded[rows], retrieved),
        "p_direct_after_reading": _describe_chances(seen.direct_after[rows], direct),
        "right": {
            "always_direct": round(float(direct.mean()), 4),
            "always_retrieve": round(float(retrieved.mean()), 4),
            "oracle": round(float(np.maximum(direct, retrieved).mean()), 4),
        },
        "before_reading": _describe_choice(read, read, direct, retrieved),
        "after_reading": _describe_choice(read, read & (gain > 0), direct, retrieved),
        "both_written": _describe_choice(
            np.ones_like(read), ~same & (gain > max(0.0, float(least))), direct, retrieved
        ),
    }


def _describe_chances(said: Floats, was: Floats) -> dict[str, float]:
    return {"auroc": round(area_under_roc(said, was), 4), "ece": round(calibration_error(said, was), 4)}


def _describe_choice(
    read: NDArray[np.bool_], grounded: NDArray[np.bool_], direct: Floats, retrieved: Floats
) -> Mapping[str, Any]:
    """`read`: the share whose passage was read; `grounded`: the share whose answer comes from it. `difference` is to
    always retrieving, with its 95% interval (bootstrap over questions)."""
    right = np.where(grounded, retrieved, direct)
    difference = right - retrieved
    drawn = np.random.default_rng(SEED).integers(0, len(difference), (DRAWS, len(difference)))
    low, high = np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975]).tolist()
    return {
        "read": round(float(read.mean()), 4),
        "grounded": round(float(grounded.mean()), 4),
        "right": round(float(right.mean()), 4),
        "difference": {"mean": round(float(difference.mean()), 4), "low": round(low, 4), "high": round(high, 4)},
    }
