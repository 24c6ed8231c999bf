"""How well a score tells two kinds apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def auroc(scores: Sequence[float] | NDArray[np.float64], positive: Sequence[bool] | NDArray[np.bool_]) -> float | None:
    """The chance that a positive one scores higher than another, ties counting half (Mann and Whitney, 1947).

    None unless there are both kinds.
    """
    values, kinds = np.asarray(scores, np.float64), np.asarray(positive, bool)
    count, others = int(kinds.sum()), int((~kinds).sum())
    if not count or not others:
        return None
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[places]
    return float((ranks[kinds].sum() - count * (count + 1) / 2) / (count * others))
