"""`tandem slack` as a process, with the real model: killed in mid-answer, started again, and ended in good order."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tandem.settings import Settings
from tests.doubles.slack import SlackDouble
from tests.doubles.slack_workspace import BOT_USER, feedback_values, visible_text

BOT = f"<@{BOT_USER}>"


@pytest.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with SlackDouble.open() as double:
        yield double


def start(slack: SlackDouble, settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    assert settings.database_url
    assert settings.model_url
    environment = os.environ | {
        "TANDEM_HOME": str(settings.home),
        "TANDEM_LEASE_S": "1",
        "DATABASE_URL": settings.database_url,
        "MODEL_URL": settings.model_url,
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
    }
    with log.open("ab") as stderr:
        return subprocess.Popen([sys.executable, "-m", "tandem", "slack"], env=environment, stderr=stderr)


async def test_a_question_survives_sigkill_and_gets_one_answer(
    slack: SlackDouble, model_settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = start(slack, model_settings, log)
    try:
        await slack.wait(lambda: slack.deliverer.sockets, within_s=30)
        asked = slack.say(f"{BOT} Hello, tandemonium!")
        await slack.wait(lambda: slack.replies(asked), within_s=30)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        await slack.wait(lambda: not slack.deliverer.sockets)

        process = start(slack, model_settings, log)
        await slack.wait(lambda: slack.replies(asked) and feedback_values(slack.replies(asked)[0]), within_s=120)
        [reply] = slack.replies(asked)
        assert reply.get("streaming_state") != "in_progress"
        assert len(visible_text(reply)) > 20
        assert "tandemonium" not in log.read_text()

        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait(10)
