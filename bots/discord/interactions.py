"""What all interactions have in common: three seconds to acknowledge them, and replicas that all receive them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import discord

IN_TIME_S = 2.0
"""How long an interaction may wait for the database; Discord waits three seconds for the acknowledgement."""
CARRY_OUT_WITHIN_S = 10.0
"""How long it may take once it is acknowledged; a broker that is down takes two seconds of it."""
ALREADY_ACKNOWLEDGED, UNKNOWN_INTERACTION = 40060, 10062


@contextmanager
def first_wins() -> Iterator[None]:
    """Lets an acknowledgement fail that another replica made before, or that comes too late for Discord."""
    try:
        yield
    except discord.HTTPException as error:
        if error.code not in (ALREADY_ACKNOWLEDGED, UNKNOWN_INTERACTION):
            raise


async def acknowledge_first(interaction: discord.Interaction[Any], *, thinking: bool = False) -> bool:
    """Acknowledges, and tells whether no replica did before: only the first one then carries out what was asked.

    With `thinking` the person alone sees that an answer is on its way, and `edit_original_response` gives it.
    """
    with first_wins():
        await interaction.response.defer(ephemeral=True, thinking=thinking)
        return True
    return False
