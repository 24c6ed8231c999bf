"""The buttons below an answer. They carry its id, so they work whichever process shows or receives them."""

import asyncio
import re
from typing import TYPE_CHECKING, Any, Self

import discord
from discord.ui import Button, DynamicItem, View

from bots.discord.corrections import CorrectionButton
from bots.discord.interactions import IN_TIME_S, first_wins
from bots.discord.naming import name_of
from bots.inbox import DATABASE_TROUBLE
from graph.answers import Verdict

if TYPE_CHECKING:
    from bots.discord.client import TandemClient

VERDICTS: dict[str, tuple[Verdict, str]] = {"up": ("up", "👍"), "down": ("down", "👎")}
THANKS = "Thank you, noted."
FORGOTTEN = "I no longer have that answer, so I cannot note this."
TROUBLE = "I could not note this, my database does not answer. Try again in a minute."


class FeedbackButton(DynamicItem[Button[View]], template=r"tandem:(?P<verdict>up|down):(?P<answer>.+)"):
    def __init__(self, verdict: Verdict, answer_id: str) -> None:
        super().__init__(Button(emoji=VERDICTS[verdict][1], custom_id=f"tandem:{verdict}:{answer_id}"))
        self._verdict = verdict
        self._answer_id = answer_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(VERDICTS[match["verdict"]][0], match["answer"])

    async def callback(self, interaction: discord.Interaction["TandemClient"]) -> None:  # type: ignore[override]
        try:
            async with asyncio.timeout(IN_TIME_S):
                known = await interaction.client.agent.record_feedback(
                    self._answer_id, user=name_of(interaction.user.id), verdict=self._verdict
                )
        except (TimeoutError, *DATABASE_TROUBLE):
            said = TROUBLE
        else:
            said = THANKS if known else FORGOTTEN
        with first_wins():
            await interaction.response.send_message(said, ephemeral=True)


def make_feedback_view(answer_id: str) -> View:
    """Stopped from the start: discord.py need not remember it, as its buttons are registered once and for all."""
    view = View(timeout=None)
    view.add_item(FeedbackButton("up", answer_id))
    view.add_item(FeedbackButton("down", answer_id))
    view.add_item(CorrectionButton(answer_id))
    view.stop()
    return view
