"""AUROC is the chance that a positive one scores higher; ties count half."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.evals.separation import auroc


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=30))
def test_it_counts_pairs(rows: list[tuple[int, bool]]) -> None:
    found = auroc([float(score) for score, _ in rows], [kind for _, kind in rows])
    pairs = [(a > b) + (a == b) / 2 for a, kind in rows if kind for b, other in rows if not other]
    if pairs:
        assert found == pytest.approx(sum(pairs) / len(pairs))
    else:
        assert found is None
