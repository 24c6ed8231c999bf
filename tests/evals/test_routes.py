"""The bench sees what is in the outcomes, and nothing where there is nothing: no fold knows its own answers."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tandem.evals.outcomes import Outcome, read_outcomes
from tandem.evals.routes import Vectors, agreement, bench_routes
from tandem.evals.rows import DataError

COUNT = 240


def draw(signal: bool) -> tuple[list[Outcome], Vectors]:
    """Right from memory, with signal, where the perplexity is low; else by a coin."""
    random = np.random.default_rng(11)
    rows = []
    for number in range(COUNT):
        sure = random.random() < 0.5
        right = (random.random() < (0.9 if sure else 0.1)) if signal else random.random() < 0.5
        perplexity = 1.1 + (0 if sure else 0.6) + 0.1 * random.random()
        rows.append(
            Outcome(
                question=f"Who built bridge {number}?",
                dataset="a" if number % 2 else "b",
                direct=f"Person {number}",
                retrieved=f"Person {number + (number % 3)}",
                direct_right=right,
                retrieved_right=bool(random.random() < 0.5),
                second_draft=f"Person {number}",
                perplexity=perplexity,
                entropy=perplexity,
            )
        )
    vectors = random.normal(size=(4, COUNT, 16))
    return rows, Vectors(*(vectors / np.linalg.norm(vectors, axis=2, keepdims=True)))


def test_what_the_drafts_tell_is_found_and_the_choice_profits() -> None:
    report = json.loads(json.dumps(bench_routes(*draw(signal=True))))
    assert (report["questions"], report["with_drafts"]) == (COUNT, COUNT)
    figures = report["without_place"]["drafts"]
    assert figures["p_direct"]["auroc"] > 0.8
    chosen = figures["before_reading"]
    assert chosen["grounded"] < 0.55
    assert chosen["right"] > figures["right"]["always_retrieve"]
    assert chosen["difference"]["low"] <= chosen["difference"]["mean"] <= chosen["difference"]["high"]


def test_nothing_is_found_where_there_is_nothing() -> None:
    report = bench_routes(*draw(signal=False))
    for kind in ("with_place", "without_place"):
        for name in ("p_direct", "p_grounded", "p_direct_after_reading"):
            assert 0.35 < report[kind]["drafts"][name]["auroc"] < 0.65


def test_a_folder_is_read_and_a_bad_line_named(tmp_path: Path) -> None:
    rows, _ = draw(signal=True)
    lines = [row.model_dump_json() for row in rows]
    with gzip.open(tmp_path / "outcomes.jsonl.gz", "wt") as file:
        file.write("\n".join(lines))
    assert read_outcomes(tmp_path) == rows
    (tmp_path / "outcomes.jsonl").write_text("\n".join([*lines, '{"question": "x"}']))
    with pytest.raises(DataError, match=f"line {COUNT + 1}: dataset"):
        read_outcomes(tmp_path)
    (tmp_path / "outcomes.jsonl").write_text(lines[0])
    with pytest.raises(DataError, match="holds 1 questions"):
        read_outcomes(tmp_path)


def test_agreement_is_the_share_of_common_words_without_articles() -> None:
    assert agreement("The Octane rating", "octane rating!") == 1.0
    assert agreement("octane", "octane rating") == pytest.approx(2 / 3)
    assert agreement("", "octane") == 0.0
