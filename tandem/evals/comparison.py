"""The comparison: every arm answers the same questions, and what it reached is told with how sure that is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np

from index.audience import Viewer
from index.search import search
from tandem.db.pool import Database
from tandem.errors import SourceError
from tandem.evals.arms import ARMS, GROUNDED, ArmName, Reply, open_arms
from tandem.evals.bootstrap import Estimate, estimate_mean
from tandem.evals.costs import price_reply
from tandem.evals.finding import Finding, count_by_uri, find_place, is_right_citation
from tandem.evals.grading import Grade, grade_reply
from tandem.evals.qa import Asked
from tandem.evals.workbench import OnProgress
from tandem.models.client import ModelClient
from tandem.settings import Settings

NOT_SOUGHT = {"recall@1": None, "recall@5": None, "mrr": None}
ROUTES: tuple[tuple[ArmName, ...], ...] = (("tuned", "prompt"), ("tuned+retrieval", "retrieval"))
"""From memory and from the documents: of each the arm that Tandem's own choice falls back on, if it was asked."""


@dataclass(frozen=True)
class Outcome:
    """One arm's reply to one question. `cost` in the currency of the prices."""

    asked: Asked
    reply: Reply
    grade: Grade
    cost: float

    @property
    def tokens(self) -> int:
        return self.reply.prompt_tokens + self.reply.answer_tokens

    def describe(self) -> dict[str, Any]:
        """The rest of a line of `tandem eval --replies`."""
        return {
            "question": self.asked.question,
            "reply": self.reply.text,
            "route": self.reply.route,
            "cited": [citation.uri for citation in self.reply.citations],
            "right": bool(self.grade.right),
            "f1": round(self.grade.f1, 4),
            "tokens": self.tokens,
            "milliseconds": round(self.reply.milliseconds, 1),
            "model_calls": self.reply.model_calls,
        }

    @property
    def right_citations(self) -> int:
        return sum(is_right_citation(self.asked, citation) for citation in self.reply.citations)


@dataclass(frozen=True)
class ArmRun:
    """What one arm reached: at least one outcome, in the order of the questions."""

    outcomes: tuple[Outcome, ...]

    @cached_property
    def right(self) -> Estimate:
        return self.estimate("right")

    @cached_property
    def answerable(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.asked.answerable)

    @cached_property
    def unanswerable(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.asked.answerable)

    @property
    def tokens(self) -> float:
        return fmean(outcome.tokens for outcome in self.outcomes)

    @property
    def model_calls(self) -> float:
        return fmean(outcome.reply.model_calls for outcome in self.outcomes)

    @property
    def cost_per_1000(self) -> float:
        return 1000 * fmean(outcome.cost for outcome in self.outcomes)

    @property
    def latency_ms(self) -> tuple[float, float]:
        p50, p95 = np.percentile([outcome.reply.milliseconds for outcome in self.outcomes], [50, 95]).tolist()
        return p50, p95

    @property
    def citation_precision(self) -> float | None:
        """Of what is cited in replies to answerable questions, the share that answers them."""
        cited = sum(len(outcome.reply.citations) for outcome in self.answerable)
        return sum(outcome.right_citations for outcome in self.answerable) / cited if cited else None

    @property
    def citation_recall(self) -> float | None:
        """The share of the answerable questions whose reply cites what answers them."""
        return fmean(outcome.right_citations > 0 for outcome in self.answerable) if self.answerable else None

    def estimate(self, measure: str, *, answerable: bool | None = None) -> Estimate:
        """Of a field of Grade, over all questions or those that are (not) answerable, at least one."""
        chosen = {None: self.outcomes, True: self.answerable, False: self.unanswerable}[answerable]
        return estimate_mean([getattr(o.grade, measure) for o in chosen], group_by_document([o.asked for o in chosen]))


@dataclass(frozen=True)
class Oracle:
    """What whoever knew beforehand which route is right would reach: the share right, and the tokens of a question."""

    right: float
    tokens: float


@dataclass(frozen=True)
class Comparison:
    """`finding` is None when no arm searches, `fit` where Tandem chose by the prior."""

    questions: tuple[Asked, ...]
    arms: Mapping[ArmName, ArmRun]
    left_out: Mapping[ArmName, str]
    adapter: str | None
    finding: Finding | None
    fit: int | None = None

    def difference(self, arm: ArmName, other: ArmName) -> Estimate:
        """How much more of the questions `arm` gets right than `other`, question by question."""
        pairs = zip(self.arms[arm].outcomes, self.arms[other].outcomes, strict=True)
        return estimate_mean(
            [a.grade.right - b.grade.right for a, b in pairs], group_by_document(self.questions), bounds=(-1.0, 1.0)
        )

    @cached_property
    def oracle(self) -> Oracle | None:
        """Chooses, of the routes that Tandem has (memory, documents, declining), the cheapest that is right, else the
        cheapest. None unless one arm of both was asked."""
        routes = [next((arm for arm in route if arm in self.arms), None) for route in ROUTES]
        if None in routes:
            return None
        right, tokens = [], []
        for number, asked in enumerate(self.questions):
            own = [self.arms[arm].outcomes[number] for arm in routes if arm]
            good = [outcome.tokens for outcome in own if outcome.grade.right]
            right.append(bool(good) or not asked.answerable)
            tokens.append(min(good or [outcome.tokens for outcome in own]) if asked.answerable else 0)
        return Oracle(fmean(right), fmean(tokens))

    def describe(self) -> dict[str, Any]:
        """Questions and arms of `tandem eval --json`; `details` holds what goes beyond them."""
        return {
            "questions": len(self.questions),
            "arms": {arm: self._describe_arm(arm) for arm in ARMS if arm in self.arms},
            "details": {
                "adapter": self.adapter,
                "fit": self.fit,
                "left_out": dict(self.left_out),
                "retrieval_judged_by": self.finding.judged_by if self.finding else None,
                "right": {arm: run.right.describe() for arm, run in self.arms.items()},
                "f1": self._describe_estimates("f1", answerable=True),
                "declined_wrongly": self._describe_estimates("declined", answerable=True),
                "declined_rightly": self._describe_estimates("declined", answerable=False),
                "differences": {
                    f"{arm} - {other}": self.difference(arm, other).describe()
                    for place, arm in enumerate(ARMS)
                    for other in ARMS[:place]
                    if arm in self.arms and other in self.arms
                },
                "oracle": {"right": round(self.oracle.right, 4), "tokens": round(self.oracle.tokens, 1)}
                if self.oracle
                else None,
                "model_calls": {arm: round(run.model_calls, 3) for arm, run in self.arms.items()},
                "routes": {arm: _count_routes(run) for arm, run in self.arms.items()},
            },
        }

    def describe_replies(self) -> list[dict[str, Any]]:
        """The lines of `tandem eval --replies`: what every arm said to each question."""
        return [
            {"arm": arm} | self.arms[arm].outcomes[number].describe()
            for number in range(len(self.questions))
            for arm in self.arms
        ]

    def _describe_estimates(self, measure: str, *, answerable: bool) -> dict[str, Any]:
        return {
            arm: run.estimate(measure, answerable=answerable).describe()
            for arm, run in self.arms.items()
            if (run.answerable if answerable else run.unanswerable)
        }

    def _describe_arm(self, arm: ArmName) -> dict[str, Any]:
        run = self.arms[arm]
        p50, p95 = run.latency_ms
        searches = arm in GROUNDED
        return {
            "answerable": {
                measure: round(fmean(getattr(o.grade, measure) for o in run.answerable), 4) if run.answerable else None
                for measure in ("em", "f1", "contained")
            },
            "unanswerable": {
                "declined": round(fmean(o.grade.declined for o in run.unanswerable), 4) if run.unanswerable else None
            },
            "retrieval": (self.finding.describe() if self.finding and searches else None) or NOT_SOUGHT,
            "citations": {
                "precision": _rounded(run.citation_precision) if searches else None,
                "recall": _rounded(run.citation_recall) if searches else None,
            },
            "tokens": round(run.tokens, 1),
            "latency_ms": {"p50": round(p50, 1), "p95": round(p95, 1)},
            "cost_per_1000": round(run.cost_per_1000, 6),
        }


async def compare_arms(
    settings: Settings,
    database: Database,
    model: ModelClient,
    viewer: Viewer,
    questions: Sequence[Asked],
    wanted: Collection[ArmName],
    on_progress: OnProgress = lambda *_: None,
    *,
    house: Database | None = None,
) -> Comparison:
    """Asks one question at a time, so that latencies are those of a quiet server. `house` as `open_arms` says.

    Raises SourceError when an arm searches and there is nothing to find, and what search and the model client raise.
    """
    async with open_arms(settings, database, viewer, wanted, house) as arms:
        if not arms.ask:
            raise SourceError(
                "None of these arms can answer: no adapter is in service.", remedy="Train one with `tandem tune`."
            )
        searches = any(arm in GROUNDED for arm in arms.ask)
        answerable = [asked for asked in questions if asked.answerable]
        total = len(questions) * len(arms.ask) + (len(answerable) if searches else 0)
        done = 0
        finding = None
        if searches:
            if not (await search(database, model, "anything", viewer, k=1)).hits:
                raise SourceError("Nothing is indexed that could be searched.", remedy="Give a folder with --docs.")
            places = []
            for asked in answerable:
                on_progress("Searching", done, total)
                places.append(await find_place(database, model, viewer, asked))
                done += 1
            finding = Finding(tuple(places), count_by_uri(questions))
        runs: dict[ArmName, ArmRun] = {}
        for arm, ask in arms.ask.items():
            outcomes = []
            for asked in questions:
                on_progress(f"Asking {arm}", done, total)
                reply = await ask(asked.question)
                grade = grade_reply(asked, reply.text, declined=reply.declined)
                outcomes.append(Outcome(asked, reply, grade, price_reply(reply, settings)))
                done += 1
            runs[arm] = ArmRun(tuple(outcomes))
        on_progress("Comparing", total, total)
        ordered = {arm: runs[arm] for arm in ARMS if arm in runs}
        return Comparison(tuple(questions), ordered, arms.left_out, arms.adapter, finding, arms.fit)


def group_by_document(questions: Sequence[Asked]) -> list[str]:
    """Questions on one document stand or fall together; one that names none stands alone."""
    return [asked.uri or f"question {number}" for number, asked in enumerate(questions)]


def _count_routes(run: ArmRun) -> dict[str, int]:
    routes = [outcome.reply.route for outcome in run.outcomes]
    return {route: routes.count(route) for route in sorted(set(routes))}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
