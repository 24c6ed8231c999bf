"""The gate: an adapter goes into service when its verdict lets it, or when somebody answers for it by name."""

from collections.abc import Sequence

from tandem.db.pool import Database
from tandem.models.adapters import Adapters, Card
from tandem.models.client import ModelClient
from tandem.models.promotions import Promotion
from tandem.models.weights import describe_weights
from tandem.settings import Settings
from tandem.tuning.examples import TuningError
from tandem.tuning.judging import OnProgress, judge
from tandem.tuning.sets import JudgedSet
from tandem.tuning.verdict import Verdict, keep_verdict

FEWEST_HELD_OUT, FEWEST_HELD_OUT_ORIGINS = 8, 2
"""Examples, and origins of theirs; fewer show nothing."""


async def pass_gate(
    database: Database,
    model: ModelClient,
    settings: Settings,
    card: Card,
    sets: Sequence[JudgedSet],
    *,
    judged_by: str,
    overridden_by: str | None,
    on_progress: OnProgress,
) -> Verdict:
    """Compares the adapter with what is in service, keeps the verdict, and promotes it if it passed or is overridden.

    Raises TuningError when there is nothing to compare, and what the model client raises.
    """
    registry, base = Adapters(settings), describe_weights(settings)["digest"]
    before = registry.in_service(base)
    if before == card:
        raise TuningError(f"{card.name} is in service already.", remedy="`tandem model rollback` takes it out.")
    held_out = [group for one in sets if one.is_own for group in one.groups]
    if len(held_out) < FEWEST_HELD_OUT or len(set(held_out)) < FEWEST_HELD_OUT_ORIGINS:
        raise TuningError(
            f"{card.name} is judged by {len(held_out)} held-out examples of {len(set(held_out))} origins;"
            f" {FEWEST_HELD_OUT} of {FEWEST_HELD_OUT_ORIGINS} are the least.",
            remedy="Add examples of more origins and run again.",
        )
    against = before.name if before else None
    comparisons = await judge(model, card.name, against, sets, on_progress)
    verdict = Verdict(
        adapter=card.name,
        digest=card.digest,
        against=against,
        comparisons=comparisons,
        judged_by=judged_by,
        overridden_by=overridden_by if not all(one.passes for one in comparisons) else None,
    )
    await keep_verdict(database, verdict)
    if verdict.is_promoted:
        reason = "it passed the gate" if verdict.passed else f"{verdict.overridden_by} answers for it"
        registry.promotions.add(Promotion(adapter=card.name, digest=card.digest, by=judged_by, reason=reason))
    return verdict
