"""In a pack every sample sees itself alone, at its own positions, and exactly its answer is predicted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.tuning.packing import IGNORED, Pack, Sample, fill_packs, group_samples

CAPACITY = 64
tokens = st.lists(st.integers(1, 4), min_size=1, max_size=12)


@st.composite
def samples(draw: st.DrawFn) -> list[Sample]:
    """Some begin alike, as questions on the same passages do."""
    contexts = draw(st.lists(tokens, min_size=1, max_size=3))
    made = []
    for _ in range(draw(st.integers(1, 12))):
        prompt = [0, *draw(st.sampled_from(contexts)), *draw(tokens)]
        made.append(Sample((*prompt, *draw(tokens)), len(prompt)))
    return made


def read_predictions(pack: Pack) -> list[tuple[tuple[int, ...], int]]:
    """What is seen, in order of position, and what is to follow, for each token that is predicted."""
    found = []
    for at in np.flatnonzero(pack.labels != IGNORED):
        seen = np.flatnonzero(pack.sees[at])
        assert pack.positions[seen].tolist() == list(range(len(seen)))
        found.append((tuple(pack.tokens[seen].tolist()), int(pack.labels[at])))
    return found


@given(samples(), st.integers(0, 3))
def test_every_answer_is_predicted_from_its_own_sample_alone(given_samples: list[Sample], seed: int) -> None:
    packs = list(fill_packs(group_samples(given_samples, CAPACITY), CAPACITY, seed))
    wanted = [
        (sample.tokens[:at], sample.tokens[at])
        for sample in given_samples
        for at in range(sample.prompt, len(sample.tokens))
    ]
    assert sorted(found for pack in packs for found in read_predictions(pack)) == sorted(wanted)
    assert sum(pack.samples for pack in packs) == len(given_samples)
    assert all(len(pack.tokens) <= CAPACITY for pack in packs)


def test_what_is_shared_is_computed_once() -> None:
    context = tuple(range(100, 140))
    [group] = group_samples([Sample((*context, n, n + 1), 41) for n in range(5)], CAPACITY)
    assert (group.shared, group.size) == (40, 40 + 5 * 2)


def test_a_sample_that_fits_in_no_pack_is_refused() -> None:
    with pytest.raises(ValueError, match="65 tokens"):
        group_samples([Sample((1,) * 65, 1)], CAPACITY)
