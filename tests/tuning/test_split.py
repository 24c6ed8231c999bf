"""No origin is parted, every side gets its share of every label, and who was on a side stays there."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tandem.db.pool import Database
from tandem.tuning.split import SHARES, Side, assign_sides, split_examples
from tests.tuning.made import make_example, read_tickets


async def test_an_origin_stays_where_it_was_when_more_come(database: Database) -> None:
    tickets = read_tickets()
    first = await split_examples(database, "house", tickets[:70])
    second = await split_examples(database, "house", tickets)
    again = await split_examples(database, "house", tickets)
    assert second == again
    for side, examples in first.items():
        assert {one.origin for one in examples} <= {one.origin for one in second[side]}
    origins = [{one.origin for one in examples} for examples in second.values()]
    assert sum(map(len, origins)) == len(set().union(*origins)) == 13
    labels = {one.answer for one in tickets}
    assert {one.answer for one in second["train"]} == labels
    assert {one.answer for one in second["held-out"]} == labels


@given(st.lists(st.integers(1, 9), min_size=10, max_size=60))
def test_the_sides_get_their_shares_as_far_as_whole_origins_allow(sizes: list[int]) -> None:
    examples = [
        make_example(number, "Why?", "So.", origin=f"o{origin}")
        for number, origin in enumerate((at for at, size in enumerate(sizes) for _ in range(size)), 1)
    ]
    sides = assign_sides(examples, {})
    held: Counter[Side] = Counter(sides[one.origin] for one in examples)
    for side, share in SHARES.items():
        assert held[side] > 0
        assert abs(held[side] - share * len(examples)) <= max(sizes) + 1
    assert assign_sides(examples[::-1], {}) == sides
