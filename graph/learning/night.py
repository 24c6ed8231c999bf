"""A night's work, in turns that may be cut off anywhere: grade a question, and another; then refit, judge, keep."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graph.learning.gate import judge
from graph.learning.graded import keep_grade, keep_untried, list_graded
from graph.learning.grading import grade_trial, say_the_same
from graph.learning.judging import estimate_liked, list_judged
from graph.learning.refit import refit
from graph.learning.sample import QUERIES, Logged, count_tonight, draw_next
from graph.learning.trial import Trial, answer_both
from graph.refusals import is_refusal
from graph.routing.fits import find_serving, keep_fit
from graph.routing.policy import Policy
from tandem.db.pool import Database
from tandem.errors import ModelRejected, QuestionRejected, SourceError
from tandem.models.client import ModelClient
from tandem.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Of a refit: `fit_id` is None where there was none, and `reason` tells why; else what the gate saw."""

    fit_id: int | None
    passed: bool
    reason: str
    report: dict[str, Any]


async def grade_next(database: Database, model: ModelClient, settings: Settings) -> bool:
    """Grades one question, unless the night's quota is used up or none is left; says whether it did."""
    if await count_tonight(database) >= settings.learn_questions:
        return False
    adapter = (await model.describe()).adapter
    logged = await draw_next(database, adapter)
    if logged is None:
        return False
    await grade_one(database, model, adapter, logged)
    return True


async def grade_one(database: Database, model: ModelClient, adapter: str | None, logged: Logged) -> None:
    """Answers it on both routes and keeps the grade, and the clash where weights and newer documents disagree.

    One that cannot be answered again, such as a follow-up that is too long together with what it follows, or one in a
    source that is gone, is left out.
    """
    try:
        trial = await answer_both(database, model, logged.question, logged.viewer)
    except (QuestionRejected, ModelRejected, SourceError) as error:
        log.warning("Answer %s cannot be tried on both routes (%s).", logged.id, type(error).__name__)
        await keep_untried(database, logged.id, adapter)
        return
    await keep_grade(database, logged.id, trial, adapter, grade_trial(logged, trial))
    if clashes(trial):
        await keep_clash(database, logged.id, trial, adapter)


def clashes(trial: Trial) -> bool:
    """Whether the weights say something else than a document that changed after their training and is cited now.

    A model that says that it does not know says nothing else.
    """
    documents = trial.from_documents
    if documents is None or trial.inputs.staleness.document_id not in trial.cited or is_refusal(trial.from_memory):
        return False
    return not say_the_same(trial.from_memory, documents)


async def keep_clash(database: Database, answer_id: str, trial: Trial, adapter: str | None) -> None:
    """For whoever trains next; `list_clashes` tells it."""
    parameters = {
        "answer_id": answer_id,
        "document_id": trial.inputs.staleness.document_id,
        "adapter": adapter,
        "from_memory": trial.from_memory,
        "from_documents": trial.from_documents,
    }
    await database.execute(QUERIES["keep_clash"], parameters)


async def refit_if_due(database: Database, model: ModelClient, settings: Settings) -> Outcome | None:
    """A new fit from all that is graded, through the gate; None when nothing new was graded since the last."""
    row = await database.fetch_one(QUERIES["is_fit_due"])
    if not row or not row["is_due"]:
        return None
    adapter = (await model.describe()).adapter
    graded = await list_graded(database, adapter)
    made = refit(graded)
    if isinstance(made, str):
        return Outcome(None, False, made, {})
    policy, serving = Policy(settings.policy, settings.wrong_costs), await find_serving(database, adapter)
    verdict = judge(graded, made, serving, policy)
    judged = await list_judged(database)
    liked = {
        name: estimate and dict(zip(("mean", "low", "high"), (round(value, 4) for value in estimate), strict=True))
        for name, estimate in (
            ("new", estimate_liked(judged, made.fit, policy)),
            ("in_service", estimate_liked(judged, serving, policy)),
        )
    }
    report = verdict.report | {"against": f"fit {serving.id}" if serving else "prior", "liked": liked}
    identity = await keep_fit(database, made.fit, report, adapter=adapter, passed=verdict.passed)
    mean, low, _ = verdict.difference
    reason = f"an answer is worth {mean:+.3f} more ({low:+.3f} at least) than under {report['against']}"
    return Outcome(identity, verdict.passed, reason, report)


async def learn(
    database: Database, model: ModelClient, settings: Settings, may_go_on: Callable[[], bool]
) -> Outcome | bool:
    """One turn: True when there is more to do, False when nothing was left, else what came of the refit."""
    while may_go_on():
        if not await grade_next(database, model, settings):
            return await refit_if_due(database, model, settings) or False
    return True


async def list_clashes(database: Database) -> list[dict[str, object]]:
    """For whoever trains, of all audiences: question, from_memory, from_documents, adapter, uri, noticed_at."""
    return [dict(row) for row in await database.fetch_all(QUERIES["list_clashes"])]
