"""From logits to a token, with the log-probabilities that the model gave it and its rivals."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.models.constraint import Constraint

LIKELY = 1024
"""Candidates sorted first for top-p; nearly always enough, and forty times cheaper than sorting a vocabulary."""
COLDEST = 1e-4
"""Temperatures up to here take the likeliest token, as 0 does: dividing by them would overflow."""
LOWEST_LOGPROB = -9999.0
"""What OpenAI reports for a token that the model holds for impossible; JSON knows no infinity."""


@dataclass(frozen=True)
class Sampling:
    """OpenAI's parameters; temperature 0 takes the likeliest token. `top_logprobs` rivals are reported. A penalty is
    taken from the logit of each token of the answer so far, once (`presence`) or as often as it came (`frequency`);
    `logit_bias` holds (token, what is added)."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Choice:
    """Natural logs of the model's own distribution, before temperature and top-p. `logprob` is NaN unless asked for."""

    token: int
    logprob: float
    rivals: tuple[tuple[int, float], ...] = ()


class Sampler:
    """One request's choices; the same seed makes the same ones."""

    def __init__(self, sampling: Sampling, constraint: Constraint | None = None) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(None if sampling.seed is None else sampling.seed & (2**64 - 1))
        self._constraint = constraint
        self._chosen: Counter[int] = Counter()

    @property
    def complete(self) -> bool:
        """Whether the constraint lets nothing follow."""
        return self._constraint is not None and self._constraint.complete

    @property
    def fault(self) -> str | None:
        """Why the constraint had to end the answer before it was complete."""
        return self._constraint.fault if self._constraint is not None else None

    def choose(self, logits: NDArray[np.float32]) -> Choice:
        """Ends the answer when the constraint has a `fault`."""
        scores = self._scores(logits)
        token = int(scores.argmax())
        if self._sampling.temperature > COLDEST:
            token = self._draw(scores, scores[token])
        self._chosen[token] += 1
        if self._constraint is not None:
            self._constraint.take(token)
        if not self._sampling.logprobs:
            return Choice(token, float("nan"))
        total = _total(logits)
        rivals = _highest(logits, self._sampling.top_logprobs)
        return Choice(
            token, _logprob(logits[token], total), tuple((int(i), _logprob(logits[i], total)) for i in rivals)
        )

    def _scores(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The logits that are drawn from."""
        sampling = self._sampling
        if not (sampling.logit_bias or sampling.presence_penalty or sampling.frequency_penalty or self._constraint):
            return logits
        scores = logits.copy()
        for token, bias in sampling.logit_bias:
            scores[token] += bias
        for token, count in self._chosen.items():
            scores[token] -= sampling.presence_penalty + count * sampling.frequency_penalty
        if self._constraint is not None:
            scores[~self._constraint.allowed()] = -np.inf
        return scores

    def _draw(self, logits: NDArray[np.float32], highest: np.float32) -> int:
        """Holtzman et al. 2020: the smallest set of likeliest tokens whose probabilities reach top-p."""
        weights = np.exp((logits - highest).astype(np.float64) / self._sampling.temperature)
        total = float(weights.sum())
        if self._sampling.top_p >= 1:
            return self._pick(weights)
        candidates = _highest(weights, LIKELY)
        if weights[candidates].sum() < self._sampling.top_p * total:
            candidates = _highest(weights, len(weights))
        reached = np.cumsum(weights[candidates])
        kept = candidates[: int(np.searchsorted(reached, self._sampling.top_p * total)) + 1]
        return int(kept[self._pick(weights[kept])])

    def _pick(self, weights: NDArray[np.float64]) -> int:
        reached = np.cumsum(weights)
        last = int(np.searchsorted(reached, reached[-1]))  # with any weight
        return min(int(np.searchsorted(reached, self._random.random() * reached[-1], side="right")), last)


def score_token(token: int, logits: NDArray[np.float32]) -> Choice:
    """A token that was not chosen but given, as a prompt's are."""
    return Choice(token, _logprob(logits[token], _total(logits)))


def _total(logits: NDArray[np.float32]) -> float:
    """The log of the sum of their exponentials."""
    highest = logits.max()
    return float(highest) + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))


def _logprob(logit: np.float32, total: float) -> float:
    return max(LOWEST_LOGPROB, float(logit) - total)


def _highest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Indices of the highest values, highest first; among equals the lower index, as argmax has it."""
    if count == 0:
        return np.empty(0, np.intp)
    count = min(count, len(values))
    least = np.partition(values, len(values) - count)[len(values) - count]
    some = np.flatnonzero(values >= least)
    return some[np.argsort(-values[some], kind="stable")][:count]
