"""What all interactions have in common: three seconds to acknowledge them, and replicas that all receive them."""

from collections.abc import Iterator
from contextlib import contextmanager

import discord

IN_TIME_S = 2.0
"""How long an interaction may wait for the database; Discord waits three seconds for the acknowledgement."""
ALREADY_ACKNOWLEDGED, UNKNOWN_INTERACTION = 40060, 10062


@contextmanager
def first_wins() -> Iterator[None]:
    """Lets an acknowledgement fail that another replica made before, or that comes too late for Discord."""
    try:
        yield
    except discord.HTTPException as error:
        if error.code not in (ALREADY_ACKNOWLEDGED, UNKNOWN_INTERACTION):
            raise
