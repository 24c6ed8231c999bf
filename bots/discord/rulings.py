"""The buttons under a review notice. They carry the notice's number, so they work whichever process receives them."""

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, cast

import discord
from discord.ui import Button, DynamicItem, View

from bots.discord.escaping import lay_out
from bots.discord.feedback import TROUBLE
from bots.discord.interactions import CARRY_OUT_WITHIN_S, acknowledge_first
from bots.discord.messages import SILENT
from bots.discord.naming import name_notice, name_of
from bots.inbox import DATABASE_TROUBLE
from bots.reviews import RulingRefused, decide
from bots.surface import Choice
from index.reviews import Ruling

if TYPE_CHECKING:
    from bots.discord.client import TandemClient


class RulingButton(
    DynamicItem[Button[View]], template=r"tandem:(?P<ruling>confirm|reindex|retire|restore):(?P<notice>\d+)"
):
    def __init__(self, ruling: Ruling, notice_id: int, label: str = "") -> None:
        super().__init__(Button(label=label or ruling, custom_id=f"tandem:{ruling}:{notice_id}"))
        self._ruling = ruling
        self._notice_id = notice_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(cast(Ruling, match["ruling"]), int(match["notice"]))

    async def callback(self, interaction: discord.Interaction["TandemClient"]) -> None:  # type: ignore[override]
        if not await acknowledge_first(interaction):
            return
        client = interaction.client

        async def may_reindex() -> bool:
            return interaction.guild_id is not None and interaction.permissions.manage_guild

        try:
            async with asyncio.timeout(CARRY_OUT_WITHIN_S):
                message = await decide(
                    self._ruling,
                    self._notice_id,
                    client.database,
                    client.settings,
                    user=name_of(interaction.user.id),
                    may_reindex=may_reindex,
                )
        except RulingRefused as refused:
            await interaction.followup.send(f"{refused.message} {refused.remedy}", ephemeral=True)
        except (TimeoutError, *DATABASE_TROUBLE):
            await interaction.followup.send(TROUBLE, ephemeral=True)
        else:
            content = lay_out(replace(message, markdown=name_notice(self._notice_id) + message.markdown))[0]
            view = make_choice_view(message.choices)
            await interaction.edit_original_response(content=content, view=view, allowed_mentions=SILENT)


def make_choice_view(choices: tuple[Choice, ...]) -> View | None:
    """Stopped from the start, as discord.py need not remember it; None without choices."""
    if not choices:
        return None
    view = View(timeout=None)
    for choice in choices:
        ruling, _, notice = choice.value.partition(":")
        view.add_item(RulingButton(cast(Ruling, ruling), int(notice), choice.label))
    view.stop()
    return view
