"""Measures of one ranking against graded judgements, as trec_eval, and so BEIR, defines them.

`ranked` holds each document once, best first; `grades` those that were judged, relevant above 0.
All are 0 to 1, and 0 where nothing is relevant.
"""

import math
from collections.abc import Mapping, Sequence


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """Discounted gain of the first k over the best possible (Järvelin and Kekäläinen, 2002); the gain is the grade."""
    ideal = _discounted(sorted(grades.values(), reverse=True)[:k])
    return _discounted([grades.get(document, 0) for document in ranked[:k]]) / ideal if ideal else 0.0


def recall(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """The share of the relevant documents that are among the first k."""
    relevant = _relevant(grades)
    return len(relevant.intersection(ranked[:k])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """One over the place of the first relevant document; 0 when it is not among the first k."""
    relevant = _relevant(grades)
    return next((1 / place for place, document in enumerate(ranked[:k], 1) if document in relevant), 0.0)


def _discounted(gains: Sequence[int]) -> float:
    return math.fsum(max(0, gain) / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def _relevant(grades: Mapping[str, int]) -> set[str]:
    return {document for document, grade in grades.items() if grade > 0}
