"""Messages of a Discord channel and the replies to them: which belong together, and what was fetched of them last."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
REACH = 1_000
"""How many messages later a reply still belongs to what it replies to; after that it is a document of its own."""
REPLY = 19
KEPT = REACH + 200
"""Of each channel so many messages stay in memory: the longest chain that can be, and a page on both sides."""
CHANNELS = 4
_runs: dict[tuple[str, str], list[Message]] = {}
"""Of the channels that were read last, some messages in order, without a gap."""


def group_chains(messages: Sequence[Message]) -> dict[str, list[Message]]:
    """Messages, oldest first, by the one that began it. Replies to what was not read are left for a full listing."""
    roots: dict[str, str] = {}
    at: dict[str, int] = {}
    chains: dict[str, list[Message]] = {}
    for place, message in enumerate(messages):
        reference = _refer(message)
        root = roots.get(reference or "")
        if root is None or place - at[root] > REACH:
            if reference and root is None and message.get("referenced_message"):
                continue
            root = message["id"]
            at[root] = place
        roots[message["id"]] = root
        chains.setdefault(root, []).append(message)
    return chains


def follow_chain(root: str, messages: Sequence[Message]) -> list[Message]:
    """The same for one that is known to have begun something; empty when it is not there."""
    begin = bisect_left(messages, int(root), key=number)
    if begin == len(messages) or messages[begin]["id"] != root:
        return []
    chain, ids = [messages[begin]], {root}
    for message in messages[begin + 1 : begin + REACH + 1]:
        if _refer(message) in ids:
            chain.append(message)
            ids.add(message["id"])
    return chain


def find_run(channel: tuple[str, str], message: str) -> list[Message]:
    """What was kept of the channel; empty when the message is not within it."""
    run = _runs.get(channel) or []
    return run if run and number(run[0]) <= int(message) <= number(run[-1]) else []


def keep_run(channel: tuple[str, str], run: Sequence[Message]) -> None:
    _runs.pop(channel, None)
    _runs[channel] = list(run[-KEPT:])
    while len(_runs) > CHANNELS:
        del _runs[next(iter(_runs))]


def number(message: Message) -> int:
    return int(message["id"])


def _refer(message: Message) -> str | None:
    """The message that this one replies to."""
    return (message.get("message_reference") or {}).get("message_id") if message["type"] == REPLY else None
