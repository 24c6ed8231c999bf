"""Which of the found passages are read. Each costs prompt time, so only those near the best one."""

from collections.abc import Sequence

from index.search import Hit

READ = 3
NEAR = 0.88  # of the best score


def choose_passages(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """The best passage and up to two that score nearly as well, best first."""
    return tuple(hit for hit in hits[:READ] if hit.score >= NEAR * hits[0].score)
