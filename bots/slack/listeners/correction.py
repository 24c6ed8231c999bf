"""The button "Correct" under an answer, and the form that it opens. Only the person who pressed it sees any of it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.corrections import CorrectionRefused, find_correctable, keep_correction, prefill
from bots.inbox import DATABASE_TROUBLE
from bots.slack.blocks import CORRECT_ACTION
from bots.slack.client import LOST
from bots.slack.forms import CORRECTION_FORM, FIELD, Corrected, make_form, make_receipt, read_form
from bots.slack.listeners import ACCEPT_WITHIN_S, Desk

NOT_OPENED = "I could not open the form in time. Press the button again in a minute."
NOT_KEPT = "I could not keep this, my database does not answer. Send it again in a minute."

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    agent, incoming = desk.conversation.agent, desk.incoming

    @app.action(CORRECT_ACTION)
    async def open_form(
        ack: AsyncAck, body: Mapping[str, Any], action: Mapping[str, Any], client: AsyncWebClient, respond: AsyncRespond
    ) -> None:
        about = Corrected(action["value"], body["container"]["channel_id"])
        trouble = ""
        try:
            async with asyncio.timeout(ACCEPT_WITHIN_S):  # the trigger lives for 3 seconds
                answer = await find_correctable(agent, about.answer_id, incoming.viewer_in(about.channel))
                await client.views_open(trigger_id=body["trigger_id"], view=make_form(about, prefill(answer)))
        except CorrectionRefused as refused:
            trouble = str(refused)
        except (SlackApiError, *LOST, *DATABASE_TROUBLE) as error:
            log.warning("answer %s: its form was not opened (%s)", about.answer_id, type(error).__name__)
            trouble = NOT_OPENED
        await ack()
        if trouble:
            await respond(trouble, response_type="ephemeral", replace_original=False)

    @app.view(CORRECTION_FORM)
    async def take_correction(ack: AsyncAck, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        """What is refused stays in the form, with the reason."""
        about, text = read_form(view)
        viewer = incoming.viewer_in(about.channel)
        try:
            async with asyncio.timeout(ACCEPT_WITHIN_S):
                told = await keep_correction(
                    agent, about.answer_id, viewer, user=f"slack:{body['user']['id']}", text=text
                )
        except CorrectionRefused as refused:
            await ack(response_action="errors", errors={FIELD: str(refused)})
        except (TimeoutError, *DATABASE_TROUBLE):
            await ack(response_action="errors", errors={FIELD: NOT_KEPT})
        else:
            await ack(response_action="update", view=make_receipt(told))
