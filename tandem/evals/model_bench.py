"""Model servers side by side: the same unseen questions to each, in turn, and what a reader would notice.

Servers alternate within each round, so that other work on the machine slows all of them alike; only one is under load
at a time. Each question is marked with the run and its number ahead of the passage: no server can have seen a prompt
beyond the system's part, whatever it was asked before.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graph.prompts import GROUNDED
from tandem.errors import ModelRejected
from tandem.evals.load import Load, Messages, Target, find_target, open_http, put_load
from tandem.evals.memory import Memory, measure_memory
from tandem.evals.questions import Question

IN_DETAIL = "Explain in detail."
"""Asked for with every question: small models then use up their answer tokens, and no server needs an option that
others do not know (`ignore_eos`)."""
COMPARED_BY_ROUND = ("answer_tokens_per_s", "first_token_p50", "first_token_p95")


@dataclass(frozen=True)
class Plan:
    """`requests`: how many for each server, concurrency and round, but at least two for each that asks at once.
    `seen`: each round's prompts are sent once before they are measured."""

    urls: tuple[str, ...]
    concurrency: tuple[int, ...]
    requests: int = 16
    rounds: int = 3
    answer_tokens: int = 48
    seen: bool = False
    seed: int = 0

    def size(self, concurrency: int) -> int:
        return max(self.requests, 2 * concurrency)

    @property
    def total(self) -> int:
        """Requests of the whole run."""
        passes = 2 if self.seen else 1
        return len(self.urls) * (1 + passes * self.rounds * sum(map(self.size, self.concurrency)))


@dataclass(frozen=True)
class Run:
    """One server at one concurrency, over all rounds."""

    url: str
    concurrency: int
    loads: tuple[Load, ...] = ()
    memory: Memory | None = None

    def describe(self, first: "Run") -> dict[str, Any]:
        """The contract of `tandem bench model --json`. `ratios` are to `first`, the first server's run: the median over
        the rounds, which a burst of other work in one of them leaves alone.

        A figure that nothing was measured for is None.
        """
        own, others = self._figures(self.loads), first._figures(first.loads)
        return {
            "url": self.url,
            "concurrency": self.concurrency,
            "answer_tokens_per_s": own["answer_tokens_per_s"],
            "requests_per_s": own["requests_per_s"],
            "first_token_s": {"p50": own["first_token_p50"], "p95": own["first_token_p95"]},
            "token_gap_ms": {"p50": own["gap_p50"], "p99": own["gap_p99"]},
            "memory_mb": own["memory_mb"],
            "memory_pss_mb": _rounded(self.memory.pss_mb) if self.memory else None,
            "requests": sum(len(load.timings) for load in self.loads),
            "failures": len(self._failures),
            "failure": next(iter(self._failures), None),
            "tokens_per_answer": own["tokens_per_answer"],
            "rounds": [self._figures([load])["answer_tokens_per_s"] for load in self.loads],
            "ratios": {
                **{name: self._round_ratio(first, name) for name in COMPARED_BY_ROUND},
                "memory_mb": _ratio(own["memory_mb"], others["memory_mb"]),
            },
        }

    @property
    def _failures(self) -> list[str]:
        return [timing.failure for load in self.loads for timing in load.timings if timing.failure]

    def _round_ratio(self, first: "Run", name: str) -> float | None:
        pairs = zip(self.loads, first.loads, strict=True)
        ratios = [_ratio(self._figures([own])[name], first._figures([other])[name]) for own, other in pairs]
        known = [ratio for ratio in ratios if ratio is not None]
        return _rounded(float(np.median(known))) if known else None

    def _figures(self, loads: Sequence[Load]) -> dict[str, float | None]:
        answered = [timing for load in loads for timing in load.timings if not timing.failure]
        tokens = sum(timing.tokens for timing in answered)
        seconds = sum(load.seconds for load in loads)
        firsts = [timing.arrivals[0] - timing.began for timing in answered if timing.arrivals]
        gaps = [gap * 1000 for timing in answered for gap in np.diff(timing.arrivals).tolist()]
        figures = {
            "answer_tokens_per_s": tokens / seconds,
            "requests_per_s": len(answered) / seconds,
            "first_token_p50": _percentile(firsts, 50),
            "first_token_p95": _percentile(firsts, 95),
            "gap_p50": _percentile(gaps, 50),
            "gap_p99": _percentile(gaps, 99),
            "memory_mb": self.memory.rss_mb if self.memory else None,
            "tokens_per_answer": tokens / len(answered) if answered else None,
        }
        return {name: _rounded(value) for name, value in figures.items()}


async def bench_models(
    plan: Plan, questions: Sequence[Question], on_answer: Callable[[str], None] = lambda _: None
) -> list[Run]:
    """By concurrency, then in the order of the plan's URLs. `on_answer` is told what is being measured.

    Raises ModelUnavailable when a server is not there at the start, ModelRejected when it refuses the first question;
    what fails later is counted.
    """
    prompts = make_prompts(questions, plan.seed)
    runs = {(level, place): Run(url, level) for level in plan.concurrency for place, url in enumerate(plan.urls)}
    async with open_http() as http:
        targets = [await find_target(http, url) for url in plan.urls]

        async def put(target: Target, part: list[Messages], concurrency: int, text: str) -> Load:
            return await put_load(
                http,
                target,
                part,
                concurrency=concurrency,
                answer_tokens=plan.answer_tokens,
                on_answer=lambda: on_answer(text),
            )

        first = next(prompts)
        for target in targets:
            [timing] = (await put(target, [first], 1, f"warming up {target.url}")).timings
            if timing.failure:
                raise ModelRejected(
                    f"{target.url} does not answer: {timing.failure}", remedy="Try the same question with curl."
                )
        for number in range(plan.rounds):
            for level in plan.concurrency:
                part = [next(prompts) for _ in range(plan.size(level))]
                turn = number % len(targets)  # who goes first changes, so that nobody always follows the same one
                for place in [*range(turn, len(targets)), *range(turn)]:
                    target, run = targets[place], runs[level, place]
                    text = f"round {number + 1}, {level} at once, {target.url}"
                    if plan.seen:
                        await put(target, part, level, text)
                    load = await put(target, part, level, text)
                    runs[level, place] = replace(run, loads=(*run.loads, load), memory=measure_memory(target.url))
    return list(runs.values())


def make_prompts(questions: Sequence[Question], seed: int) -> Iterator[Messages]:
    """Endless: all questions in an order of the seed's, then again. No two prompts are alike from the passage on, nor
    those of two calls."""
    shuffled = [questions[place] for place in np.random.default_rng(seed).permutation(len(questions))]
    run, number = secrets.token_hex(3), 0
    while True:
        for question in shuffled:
            number += 1
            text = f"Text {run}-{number}: {question.passage}\n\nQuestion: {question.question} {IN_DETAIL}"
            yield [{"role": "system", "content": GROUNDED}, {"role": "user", "content": text}]


def _percentile(values: list[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None


def _ratio(own: float | None, other: float | None) -> float | None:
    return round(own / other, 3) if own is not None and other else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
