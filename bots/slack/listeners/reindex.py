"""`/reindex [source]`: for workspace admins and those named in the settings."""

from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.client import LOST, error_code
from bots.slack.listeners import Desk
from tandem.settings import Settings


def register(app: AsyncApp, desk: Desk) -> None:
    @app.command("/reindex")
    async def take_request(ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        named = desk.settings.slack_reindexers
        user = body["user_id"]
        try:
            allowed = await may_reindex(client, desk.settings, user)
        except (SlackApiError, *LOST) as error:
            code = error_code(error) if isinstance(error, SlackApiError) else type(error).__name__
            await ack(f"Slack did not tell me whether you are an admin ({code}). Try again in a minute.")
            return
        if not allowed:
            also = f" and {', '.join(f'<@{name}>' for name in named)}" if named else ""
            await ack(f"Only admins of this workspace{also} may re-index. Ask one of them to enter `/reindex`.")
            return
        await desk.accept_command(desk.incoming.read_command("reindex", body), ack)


async def may_reindex(client: AsyncWebClient, settings: Settings, user: str) -> bool:
    """Raises SlackApiError or LOST when Slack does not tell."""
    if user in settings.slack_reindexers:
        return True
    found = (await client.users_info(user=user))["user"]
    return bool(found.get("is_admin") or found.get("is_owner"))
