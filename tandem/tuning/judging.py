"""The gate's question: is the new adapter better where it should be, and nowhere worse beyond noise?"""

import asyncio
from collections.abc import Callable, Sequence

from tandem.cancelling import end_tasks
from tandem.errors import ModelBusy
from tandem.models.client import ModelClient
from tandem.tuning.sets import Asked, JudgedSet
from tandem.tuning.verdict import Comparison, compare

AT_ONCE = 8
OnProgress = Callable[[int, int], None]
"""How many answers there are, of how many."""


async def judge(
    model: ModelClient, adapter: str, against: str | None, sets: Sequence[JudgedSet], on_progress: OnProgress
) -> tuple[Comparison, ...]:
    """Both answer every question of every set, at temperature 0; `against` None is the base alone.

    The server has to know both. Raises what the model client raises; ModelBusy is waited out.
    """
    before = against or (await model.describe()).model
    total = 2 * sum(len(judged.questions) for judged in sets)
    done = 0
    free = asyncio.Semaphore(AT_ONCE)

    async def mark(name: str, asked: Asked) -> float:
        nonlocal done
        async with free:
            worth = await _ask(model, name, asked)
        done += 1
        on_progress(done, total)
        return worth

    marks: list[tuple[JudgedSet, list[float], list[float]]] = []
    for judged in sets:
        tasks = [asyncio.create_task(mark(name, asked)) for name in (before, adapter) for asked in judged.questions]
        try:
            worth = await asyncio.gather(*tasks)
        finally:
            await end_tasks(*tasks)
        count = len(judged.questions)
        marks.append((judged, worth[:count], worth[count:]))
    return _compare(marks)


def _compare(marks: Sequence[tuple[JudgedSet, list[float], list[float]]]) -> tuple[Comparison, ...]:
    """The held-out examples together must gain; each task of them must not lose."""
    held = [one for one in marks if one[0].is_own]
    comparisons = [
        compare(judged.name, old, new, groups=judged.groups, must_gain=judged.is_own and len(held) == 1)
        for judged, old, new in marks
    ]
    if len(held) > 1:
        groups = [group for judged, _, _ in held for group in judged.groups]
        before, after = [value for _, old, _ in held for value in old], [value for _, _, new in held for value in new]
        comparisons.insert(0, compare("all tasks", before, after, groups=groups, must_gain=True))
    return tuple(comparisons)


async def _ask(model: ModelClient, name: str, asked: Asked) -> float:
    while True:
        try:
            return await asked(model, name)
        except ModelBusy as busy:
            await asyncio.sleep(busy.retry_after_s)
