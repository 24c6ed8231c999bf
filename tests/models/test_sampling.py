"""Choices follow the model's distribution, and the log-probabilities are those of a softmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tandem.models.sampling import Sampler, Sampling


def logits(seed: int = 0, size: int = 5000) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 4, size).astype(np.float32)


def log_softmax(values: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    shifted: NDArray[np.float64] = wide - wide.max()
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def test_temperature_0_takes_the_likeliest() -> None:
    values = logits()
    assert Sampler(Sampling(0.0)).choose(values).token == int(values.argmax())


@given(st.integers(0, 10**6), st.integers(1, 20), st.sampled_from([0.0, 0.7, 1.5]))
def test_logprobs_are_those_of_a_softmax(seed: int, rivals: int, temperature: float) -> None:
    values = logits(seed, 200)
    choice = Sampler(Sampling(temperature, seed=1, logprobs=True, top_logprobs=rivals)).choose(values)
    expected = log_softmax(values)
    assert choice.logprob == pytest.approx(expected[choice.token], abs=1e-4)
    assert [token for token, _ in choice.rivals] == np.argsort(-expected)[:rivals].tolist()
    assert [logprob for _, logprob in choice.rivals] == pytest.approx(np.sort(expected)[::-1][:rivals], abs=1e-4)
    assert sum(np.exp(logprob) for _, logprob in choice.rivals) <= 1 + 1e-4


def test_all_probabilities_sum_to_one() -> None:
    values = logits(size=300)
    choice = Sampler(Sampling(0.0, logprobs=True, top_logprobs=300)).choose(values)
    assert sum(np.exp(logprob) for _, logprob in choice.rivals) == pytest.approx(1, abs=1e-4)


def test_the_same_seed_draws_the_same() -> None:
    one, two, other = (Sampler(Sampling(1.0, seed=seed)) for seed in (7, 7, 8))
    draws = [[sampler.choose(logits(n)).token for n in range(20)] for sampler in (one, two, other)]
    assert draws[0] == draws[1] != draws[2]


def test_draws_follow_the_distribution() -> None:
    values = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(Sampling(1.0, seed=3))
    counts = np.bincount([sampler.choose(values).token for _ in range(4000)], minlength=4) / 4000
    assert counts == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_temperature_sharpens() -> None:
    values = np.log(np.array([0.6, 0.4], np.float32))
    sampler = Sampler(Sampling(0.5, seed=3))
    share = np.mean([sampler.choose(values).token == 0 for _ in range(4000)])
    assert share == pytest.approx(0.36 / 0.52, abs=0.03)


@pytest.mark.parametrize(("top_p", "allowed"), [(0.4, {0}), (0.7, {0, 1}), (0.9, {0, 1, 2})])
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, allowed: set[int]) -> None:
    values = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(Sampling(1.0, top_p, seed=3))
    assert {sampler.choose(values).token for _ in range(500)} == allowed


def test_top_p_reaches_beyond_the_likely_in_a_flat_distribution() -> None:
    sampler = Sampler(Sampling(1.0, 0.95, seed=3))
    flat = np.zeros(5000, np.float32)
    assert len({sampler.choose(flat).token for _ in range(3000)}) > 1500


def test_among_equals_the_chosen_token_leads_the_rivals() -> None:
    values = np.full(300, 1, np.float32)
    values[[7, 20, 250]] = 4
    for rivals in (1, 2, 3):
        choice = Sampler(Sampling(0.0, logprobs=True, top_logprobs=rivals)).choose(values)
        assert [token for token, _ in choice.rivals] == [7, 20, 250][:rivals]
        assert (choice.token, choice.logprob) == choice.rivals[0]


def test_an_impossible_token_has_a_finite_logprob() -> None:
    values = np.array([0, -np.inf], np.float32)
    choice = Sampler(Sampling(0.0, logprobs=True, top_logprobs=2)).choose(values)
    assert [token for token, _ in choice.rivals] == [0, 1]
    assert [logprob for _, logprob in choice.rivals] == pytest.approx([0, -9999.0])


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-4])
def test_the_coldest_temperatures_are_greedy(temperature: float) -> None:
    assert Sampler(Sampling(temperature, 5e-324)).choose(logits()).token == int(logits().argmax())


def test_penalties_count_what_the_answer_holds() -> None:
    values = np.log(np.array([0.6, 0.4], np.float32))
    present = Sampler(Sampling(0.0, presence_penalty=1))
    assert [present.choose(values).token for _ in range(4)] == [0, 1, 0, 0]
    often = Sampler(Sampling(0.0, frequency_penalty=1))
    assert [often.choose(values).token for _ in range(4)] == [0, 1, 0, 1]


def test_a_bias_bans_or_forces_and_leaves_the_logprob_alone() -> None:
    values = logits(size=50)
    best = int(values.argmax())
    banned = Sampler(Sampling(0.0, logprobs=True, logit_bias=((best, -100.0),))).choose(values)
    assert banned.token != best
    assert banned.logprob == pytest.approx(log_softmax(values)[banned.token], abs=1e-4)
    assert Sampler(Sampling(1.0, logit_bias=((3, 100.0),))).choose(values).token == 3
