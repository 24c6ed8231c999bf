"""The Web API client, and what its failures mean for somebody who must not post twice."""

import asyncio
from dataclasses import dataclass

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tandem.errors import TokenError
from tandem.settings import Settings

RATE_LIMIT_TRIES = 10
LOST = (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError)
"""The answer never came: the call may have had its effect."""

_WRONG_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
}
_NO_PLACE = {
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "no_permission",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
    "restricted_action_non_threadable_channel",
    "messages_tab_disabled",
    "ekm_access_denied",
    "missing_scope",
}
_UNCERTAIN = {"", "fatal_error", "internal_error", "service_unavailable", "request_timeout", "update_failed"}


@dataclass(frozen=True)
class Identity:
    """Who the bot is: the workspace it is installed in, its user and its bot id."""

    team: str
    user: str
    bot: str
    scopes: frozenset[str]


def make_client(settings: Settings) -> AsyncWebClient:
    """Raises TokenError when no usable token is set.

    429 is waited for. A lost connection is not retried here: the SDK's default would post a second message.
    """
    token = settings.slack_bot_token.get_secret_value().strip() if settings.slack_bot_token else ""
    if not token.startswith("xoxb-"):
        wrong = "does not begin with xoxb-" if token else "is not set"
        raise TokenError(
            f"SLACK_BOT_TOKEN {wrong}.",
            remedy="Copy the Bot User OAuth Token from your app's page on api.slack.com, under OAuth & Permissions."
            " docs/slack.md shows each step.",
        )
    retries = [AsyncRateLimitErrorRetryHandler(max_retry_count=RATE_LIMIT_TRIES)]
    return AsyncWebClient(token=token, base_url=settings.slack_api_url, retry_handlers=list(retries))


async def identify(client: AsyncWebClient) -> Identity:
    """Asks Slack who the token belongs to. Raises TokenError if it refuses it, and if Slack cannot be reached."""
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        raise token_error("SLACK_BOT_TOKEN", error) from error
    except LOST as error:
        raise unreachable(error) from error
    granted = str(answer.headers.get("x-oauth-scopes", "")).split(",")
    scopes = frozenset(scope.strip() for scope in granted if scope.strip())
    return Identity(answer["team_id"], answer["user_id"], answer["bot_id"], scopes)


def token_error(setting: str, error: SlackApiError) -> TokenError:
    """What a refused token means to the person who set it."""
    code = error_code(error)
    if code == "missing_scope":
        needed = error.response.get("needed")
        return TokenError(
            f"Slack says that {setting} lacks the scope {needed}.",
            remedy="Paste bots/slack/manifest.json into the app's manifest on api.slack.com and install the app again.",
        )
    if code in _WRONG_TOKEN:
        return TokenError(
            f"Slack refuses {setting} ({code}).",
            remedy="Copy the token again from your app's page on api.slack.com; docs/slack.md shows where it is.",
        )
    if is_uncertain(error):
        return unreachable(error)
    return TokenError(f"Slack does not accept {setting} ({code}).")


def unreachable(error: Exception) -> TokenError:
    return TokenError(
        f"Slack cannot be reached, so the tokens cannot be checked ({type(error).__name__}).",
        remedy="Check this machine's network and proxy, and SLACK_API_URL; status.slack.com tells if it is Slack.",
    )


def error_code(error: SlackApiError) -> str:
    """Slack's own word for the error; empty where the answer was none of Slack's."""
    data = getattr(error.response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def is_uncertain(error: SlackApiError) -> bool:
    """Whether the call may have had its effect all the same, as Slack's documentation says of these codes."""
    return error_code(error) in _UNCERTAIN


def is_hopeless(error: SlackApiError) -> bool:
    """Whether no later try can succeed: the place is gone, or closed to the bot."""
    return error_code(error) in _NO_PLACE
