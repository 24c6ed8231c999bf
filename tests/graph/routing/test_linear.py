"""The fitted chances are calibrated, tell what moved them, and know no more of a row than its fold lets them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.routing.linear import LinearModel, area_under_roc, calibration_error, fit_linear, split_folds, squash


def draw(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 3)) * (1, 10, 1)
    right = random.random(rows) < squash(1.5 * features[:, 0] - 0.1 * features[:, 1])
    return features, right.astype(float)


def test_the_chances_of_unseen_rows_are_what_comes_true() -> None:
    model = fit_linear(("a", "b", "c"), *draw(4_000, 1))
    features, right = draw(4_000, 2)
    assert calibration_error(model.chances(features), right) < 0.03
    assert area_under_roc(model.chances(features), right) > 0.8
    assert abs(model.weights[2]) < 0.1 < abs(model.weights[1])


def test_noise_is_not_believed() -> None:
    random = np.random.default_rng(3)
    model = fit_linear(
        [str(n) for n in range(30)], random.normal(size=(80, 30)), (random.random(80) < 0.3).astype(float)
    )
    assert np.ptp(model.chances(random.normal(size=(500, 30)))) < 0.5


def test_what_is_unknown_moves_nothing_and_the_contributions_add_up() -> None:
    features, right = draw(400, 4)
    features[::3, 1] = np.nan
    model = fit_linear(("a", "b", "c"), features, right)
    moved = model.contributions({"a": 1.0, "b": None})
    assert moved["b"] == moved["c"] == 0.0
    assert model.chance({"a": 1.0}) == pytest.approx(float(squash(model.bias + moved["a"])))
    assert model.chances([[1.0, np.nan, np.nan]])[0] == pytest.approx(model.chance({"a": 1.0}))


def test_a_feature_that_never_varies_gets_no_weight() -> None:
    features, right = draw(200, 5)
    features[:, 2] = 7.0
    assert fit_linear(("a", "b", "c"), features, right).weights[2] == 0.0


def test_what_lies_beyond_the_rows_that_were_seen_counts_as_the_nearest_of_them() -> None:
    features, right = draw(200, 6)
    features[:, 1] = 0.1 + features[:, 0] / 1_000  # hardly varies, and goes with what is right
    model = fit_linear(("a", "age", "c"), features, right)
    assert model.chance({"age": 50.0}) == model.chance({"age": features[:, 1].max()}) < 0.999
    assert model.chances([[np.nan, -50.0, np.nan]])[0] == pytest.approx(model.chance({"age": features[:, 1].min()}))


def test_rows_of_a_group_are_in_one_fold() -> None:
    groups = np.repeat(np.arange(20), 7)
    folds = split_folds(140, groups, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in range(20))
    assert len(set(folds)) == 5


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_linear(("a",), [[1.0]] * 9, [1.0] * 9)


def test_the_area_counts_pairs_in_the_right_order_and_ties_by_half() -> None:
    assert area_under_roc([0.9, 0.4, 0.4, 0.1], [1, 1, 0, 0]) == 0.875
    assert np.isnan(area_under_roc([0.5], [1]))


def test_a_model_is_read_back_as_it_was() -> None:
    from graph.routing.fit import Fit, read_fit

    model = LinearModel(("a",), (1.0,), (2.0,), (0.0,), (5.0,), (3.0,), 4.0)
    fit = Fit(model, model, 7)
    assert read_fit(fit.describe(), 7) == fit


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_the_area_counts_pairs(rows: list[tuple[int, bool]]) -> None:
    found = area_under_roc([float(score) for score, _ in rows], [kind for _, kind in rows])
    pairs = [(a > b) + (a == b) / 2 for a, kind in rows if kind for b, other in rows if not other]
    assert found == pytest.approx(sum(pairs) / len(pairs) if pairs else math.nan, nan_ok=True)
