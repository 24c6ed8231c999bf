"""Before anything starts: what is missing or wrong is named, with where to get it."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bots.slack.app import run_slack
from bots.slack.checks import check_slack, read_scopes
from tandem.errors import TokenError
from tandem.settings import Settings
from tests.doubles.slack import SCOPES, Fault, SlackDouble


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open() as double:
        yield double


@pytest.fixture
def connected(slack: SlackDouble, settings: Settings) -> Settings:
    return slack.connect(settings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"slack_bot_token": None}, "SLACK_BOT_TOKEN is not set"),
        ({"slack_bot_token": SecretStr("xoxp-a-persons")}, "SLACK_BOT_TOKEN does not begin with xoxb-"),
        ({"slack_bot_token": SecretStr("xoxb-wrong")}, "Slack refuses SLACK_BOT_TOKEN (invalid_auth)"),
        ({"slack_app_token": None}, "SLACK_APP_TOKEN is not set"),
        ({"slack_app_token": SecretStr("xoxb-double")}, "SLACK_APP_TOKEN does not begin with xapp-"),
        ({"slack_http_port": 0, "slack_signing_secret": None}, "SLACK_SIGNING_SECRET is not set"),
        ({"slack_api_url": "http://127.0.0.1:9/api/"}, "Slack cannot be reached"),
    ],
)
async def test_a_missing_or_wrong_token_is_named(connected: Settings, change: dict[str, object], says: str) -> None:
    settings = connected.model_copy(update=change)
    for look in (run_slack, check_slack):
        with pytest.raises(TokenError) as caught:
            await look(settings)
        assert says in caught.value.message
        assert "api.slack.com" in caught.value.remedy or "network" in caught.value.remedy
        assert "xoxb-wrong" not in str(caught.value)


async def test_a_refused_app_token_is_named(connected: Settings) -> None:
    with pytest.raises(TokenError, match=r"Slack refuses SLACK_APP_TOKEN \(invalid_auth\)"):
        await check_slack(connected.model_copy(update={"slack_app_token": SecretStr("xapp-wrong")}))


async def test_doctor_finds_all_well(connected: Settings) -> None:
    ok, found = await check_slack(connected)
    assert ok
    assert "T0TANDEM" in found
    assert f"all {len(read_scopes())} scopes" in found


async def test_doctor_names_the_scopes_that_are_missing(slack: SlackDouble, connected: Settings) -> None:
    slack.api.scopes -= {"users:read", "im:history"}
    ok, found = await check_slack(connected)
    assert not ok
    assert "im:history, users:read" in found
    assert "manifest.json" in found


async def test_slack_in_trouble_is_not_called_a_wrong_token(slack: SlackDouble, connected: Settings) -> None:
    slack.fail("auth.test", Fault(status=503))
    with pytest.raises(TokenError, match="Slack cannot be reached"):
        await check_slack(connected)


def test_the_doubles_token_has_the_manifests_scopes() -> None:
    assert set(SCOPES.split(",")) == read_scopes()
