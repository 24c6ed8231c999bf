"""From logits to a token, with the log-probabilities that the model gave it and its rivals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LIKELY = 1024
"""Candidates sorted first for top-p; nearly always enough, and forty times cheaper than sorting a vocabulary."""


@dataclass(frozen=True)
class Sampling:
    """OpenAI's parameters; temperature 0 takes the likeliest token. `top_logprobs` rivals are reported."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True)
class Choice:
    """Natural logs of the model's own distribution, before temperature and top-p. `logprob` is NaN unless asked for."""

    token: int
    logprob: float
    rivals: tuple[tuple[int, float], ...] = ()


class Sampler:
    """One request's choices; the same seed makes the same ones."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(None if sampling.seed is None else sampling.seed & (2**64 - 1))

    def choose(self, logits: NDArray[np.float32]) -> Choice:
        token = int(logits.argmax())
        highest = logits[token]
        if self._sampling.temperature > 0:
            token = self._draw(logits, highest)
        if not self._sampling.logprobs:
            return Choice(token, float("nan"))
        total = float(highest) + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))
        rivals = _highest(logits, self._sampling.top_logprobs)
        return Choice(token, float(logits[token]) - total, tuple((int(i), float(logits[i]) - total) for i in rivals))

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
        return min(int(np.searchsorted(reached, self._random.random() * reached[-1], side="right")), len(weights) - 1)


def _highest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Indices of the highest values, highest first."""
    if count == 0:
        return np.empty(0, np.intp)
    count = min(count, len(values))
    some = np.argpartition(values, len(values) - count)[-count:]
    return some[np.argsort(-values[some], kind="stable")]
