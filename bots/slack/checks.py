"""What `tandem doctor` asks of Slack."""

import json
from importlib import resources

from slack_sdk.errors import SlackApiError

from bots.slack.client import LOST, identify, make_client, token_error, unreachable
from bots.slack.receiving import app_token, check_receiving
from tandem.settings import Settings


async def check_slack(settings: Settings) -> tuple[bool, str]:
    """Whether the tokens work and have every scope of the manifest, and what was found. Raises TokenError if not."""
    check_receiving(settings)
    client = make_client(settings)
    identity = await identify(client)
    if missing := read_scopes() - identity.scopes:
        return False, (
            f"the bot token lacks the scopes {', '.join(sorted(missing))}: paste bots/slack/manifest.json into the"
            " app's manifest on api.slack.com, and install the app again"
        )
    if settings.slack_http_port is None:
        try:
            await client.apps_connections_open(app_token=app_token(settings))
        except SlackApiError as error:
            raise token_error("SLACK_APP_TOKEN", error) from error
        except LOST as error:
            raise unreachable(error) from error
        way = "Socket Mode"
    else:
        way = f"signed HTTP on port {settings.slack_http_port}"
    return True, f"workspace {identity.team}, bot user {identity.user}, all {len(read_scopes())} scopes, {way}"


def read_scopes() -> frozenset[str]:
    """The scopes that the manifest asks for."""
    text = resources.files("bots.slack").joinpath("manifest.json").read_text(encoding="utf-8")
    return frozenset(json.loads(text)["oauth_config"]["scopes"]["bot"])
