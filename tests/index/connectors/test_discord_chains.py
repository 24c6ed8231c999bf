"""A chain is the same whether the whole channel was read or what follows its root; little is kept of a channel."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.connectors import discord_chains
from index.connectors.discord_chains import (
    CHANNELS,
    KEPT,
    REPLY,
    find_run,
    follow_chain,
    group_chains,
    keep_run,
)


def say(number: int, reply_to: int | None = None) -> dict[str, Any]:
    if reply_to is None:
        return {"id": str(number), "type": 0}
    return {"id": str(number), "type": REPLY, "message_reference": {"message_id": str(reply_to)}}


@given(st.lists(st.integers(0, 30), max_size=40))
def test_a_chain_is_followed_as_it_was_grouped(back: list[int]) -> None:
    messages = [say(n, n - steps if 0 < steps <= n else None) for n, steps in enumerate(back)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discord_chains, "REACH", 7)
        for root, chain in group_chains(messages).items():
            assert follow_chain(root, messages) == chain
            assert follow_chain(root, messages[int(root) :]) == chain


def test_what_is_not_there_began_nothing() -> None:
    assert follow_chain("2", [say(1), say(3, 2)]) == []
    assert follow_chain("4", [say(1)]) == []
    assert follow_chain("4", []) == []


def test_of_few_channels_a_little_is_kept() -> None:
    for number in range(CHANNELS + 1):
        keep_run(("url", str(number)), [say(n) for n in range(KEPT + 10)])
    assert find_run(("url", "0"), str(KEPT)) == []
    run = find_run(("url", "1"), "10")
    assert (len(run), run[0]["id"]) == (KEPT, "10")
    for outside in ("9", str(KEPT + 10)):
        assert find_run(("url", "1"), outside) == []
    keep_run(("url", "1"), [])
    assert find_run(("url", "1"), "10") == []
