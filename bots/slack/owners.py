"""Slack's people as owners of documents: the direct message that a notice goes to."""

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.reviews import OwnerUnreachable
from bots.slack.client import LOST, error_code
from bots.slack.incoming import Incoming
from bots.surface import Event
from index.audience import ANYWHERE
from index.reviews import Untold

_NOBODY = {"user_not_found", "user_not_visible", "user_disabled", "users_not_found", "cannot_dm_bot", "invalid_users"}


class SlackOwners:
    prefix = "slack:"

    def __init__(self, client: AsyncWebClient, incoming: Incoming) -> None:
        self._client = client
        self._incoming = incoming

    def list_workspaces(self) -> list[str]:
        return [ANYWHERE, f"slack:{self._incoming.identity.team}"]

    async def address(self, untold: Untold) -> Event | None:
        user = untold.owner.removeprefix(self.prefix)
        try:
            answer = await self._client.conversations_open(users=user)
        except SlackApiError as error:
            if error_code(error) in _NOBODY:
                return None
            raise OwnerUnreachable(f"Slack opens no direct message ({error_code(error)}).") from error
        except LOST as error:
            raise OwnerUnreachable(f"Slack does not answer ({type(error).__name__}).") from error
        return self._incoming.make_notice(untold.id, answer["channel"]["id"], user, untold.made_at.timestamp())
