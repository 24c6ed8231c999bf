"""The buttons under a review notice: still valid, re-index, retire, restore."""

import logging
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.reviews import RulingRefused, decide
from bots.slack.blocks import CHOICE_ACTION, lay_out
from bots.slack.client import LOST
from bots.slack.listeners import Desk
from bots.slack.listeners.reindex import may_reindex
from bots.surface import ReplyImpossible
from index.reviews import RULINGS, Ruling

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    @app.action(re.compile(f"^{CHOICE_ACTION}"))
    async def take_ruling(
        ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], client: AsyncWebClient, respond: AsyncRespond
    ) -> None:
        ruling, _, number = action["value"].partition(":")
        if ruling not in RULINGS or not number.isdecimal():
            await ack()
            return
        user, channel = body["user"]["id"], body["container"]["channel_id"]
        try:
            message = await decide(
                cast(Ruling, ruling),
                int(number),
                desk.database,
                desk.settings,
                user=f"slack:{user}",
                may_reindex=partial(may_reindex, client, desk.settings, user),
            )
        except RulingRefused as refused:
            await ack()
            await respond(f"{refused.message} {refused.remedy}", response_type="ephemeral", replace_original=False)
            return
        await ack()
        notice = desk.incoming.make_notice(int(number), channel, user, 0.0)
        try:
            await desk.posts.edit(notice, body["container"]["message_ts"], 0, lay_out(message)[0])
        except (SlackApiError, ReplyImpossible, *LOST) as error:
            # what was decided holds; to press again is safe, and shows it
            log.warning("review notice %s was not updated (%s)", number, type(error).__name__)
