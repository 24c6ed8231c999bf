"""The button "Correct" below an answer, and the form that it opens. Both carry the answer's id and nothing else.

discord.py remembers a form in the process that showed it. A form may be open for an hour, and that process be gone when
it is sent; so whichever process receives it takes it, from what Discord tells of it alone.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any, Self

import discord
from discord.ui import Button, DynamicItem, Label, Modal, TextInput, View

from bots.corrections import (
    FORM_HINT,
    FORM_LABEL,
    FORM_TITLE,
    LONGEST_CORRECTION,
    CorrectionRefused,
    find_correctable,
    keep_correction,
    prefill,
)
from bots.discord.interactions import CARRY_OUT_WITHIN_S, IN_TIME_S, acknowledge_first, first_wins
from bots.discord.naming import name_of
from bots.inbox import DATABASE_TROUBLE

if TYPE_CHECKING:
    from bots.discord.client import TandemClient

TROUBLE = "I could not do this, my database does not answer. Try again in a minute."
FORM = re.compile(r"tandem:corrected:(?P<answer>.+)")
FIELD = "corrected"


class CorrectionForm(Modal):
    """Stopped from the start: `take_correction` takes it, not discord.py."""

    def __init__(self, answer_id: str, text: str) -> None:
        super().__init__(title=FORM_TITLE, custom_id=f"tandem:corrected:{answer_id}")
        field: TextInput[Self] = TextInput(
            custom_id=FIELD,
            style=discord.TextStyle.paragraph,
            default=text or None,
            placeholder=None if text else FORM_HINT,
            max_length=LONGEST_CORRECTION,
        )
        self.add_item(Label(text=FORM_LABEL, component=field))
        self.stop()


class CorrectionButton(DynamicItem[Button[View]], template=r"tandem:correct:(?P<answer>.+)"):
    def __init__(self, answer_id: str) -> None:
        super().__init__(Button(label="Correct", custom_id=f"tandem:correct:{answer_id}"))
        self._answer_id = answer_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(match["answer"])

    async def callback(self, interaction: discord.Interaction["TandemClient"]) -> None:  # type: ignore[override]
        """A form can be shown only at once, as the very acknowledgement of the press."""
        client = interaction.client
        try:
            async with asyncio.timeout(IN_TIME_S):
                viewer = client.incoming.viewer_of(interaction)
                answer = await find_correctable(client.agent, self._answer_id, viewer)
        except CorrectionRefused as refused:
            await _say(interaction, str(refused))
        except (TimeoutError, *DATABASE_TROUBLE):
            await _say(interaction, TROUBLE)
        else:
            with first_wins():
                await interaction.response.send_modal(CorrectionForm(self._answer_id, prefill(answer)))


async def take_correction(interaction: discord.Interaction["TandemClient"]) -> None:
    """Keeps what a form says that was sent. One replica alone does: another, late, would undo a person's later word."""
    data: Any = interaction.data
    form = FORM.fullmatch(data["custom_id"])
    if form is None or not await acknowledge_first(interaction, thinking=True):
        return
    client = interaction.client
    [text] = [part["component"]["value"] for part in data["components"] if part["component"]["custom_id"] == FIELD]
    try:
        async with asyncio.timeout(CARRY_OUT_WITHIN_S):
            said = await keep_correction(
                client.agent,
                form["answer"],
                client.incoming.viewer_of(interaction),
                user=name_of(interaction.user.id),
                text=text,
            )
    except CorrectionRefused as refused:
        said = str(refused)
    except (TimeoutError, *DATABASE_TROUBLE):
        said = TROUBLE
    await interaction.edit_original_response(content=said)


async def _say(interaction: discord.Interaction["TandemClient"], line: str) -> None:
    with first_wins():
        await interaction.response.send_message(line, ephemeral=True)
