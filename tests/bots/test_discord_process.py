"""The process `tandem discord`: real model, real database, real signals; only Discord itself is a double."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from index.jobs import enqueue_look, run_next_job
from index.sources import add_source
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings
from tests.doubles.discord_bots import Stage, open_stage

RUN = "import asyncio, bots.discord.client as c, tandem.settings as s; asyncio.run(c.run_discord(s.read_settings()))"
PAGE = "# Parking\n\nThe visitors' car park is behind the old mill. Its gate opens with the code 4711.\n"
PATIENCE_S = 60.0


async def start(stage: Stage, home: Path) -> Process:
    """Runs the bot as a process of its own until it has connected."""
    settings, identified = stage.settings, stage.double.gateway.identifies
    environment = os.environ | {
        "TANDEM_HOME": str(home),
        "DATABASE_URL": settings.database_url or "",
        "MODEL_URL": settings.model_url or "",
        "DISCORD_API_URL": settings.discord_api_url,
        "DISCORD_TOKEN": stage.double.token,
        "TANDEM_LEASE_S": str(settings.lease_s),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, env=environment, stderr=PIPE)
    await stage.double.wait_until(lambda: stage.double.gateway.identifies > identified, seconds=PATIENCE_S)
    return process


async def test_a_killed_bot_takes_up_its_question_and_a_terminated_one_leaves_in_order(
    model_settings: Settings, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "parking.md").write_text(PAGE)
    async with ModelClient.open(model_settings) as model:
        source = await add_source(database, folder, name="pages", added_by="test")
        await enqueue_look(database, model_settings, source, requested_by="test")
        while await run_next_job(database, model, model_settings, worker="test"):
            pass
    async with open_stage(model_settings, database) as stage:
        double, ada = stage.double, stage.ada
        killed = await start(stage, tmp_path / "home")
        question = ada.say(double.general, f"{double.mention} Where is the visitors' car park?")
        await double.wait_until(lambda: double.replies_to(question), seconds=PATIENCE_S)
        killed.kill()
        assert await killed.wait() == -signal.SIGKILL

        process = await start(stage, tmp_path / "home")
        await stage.settle(events=1, seconds=PATIENCE_S)
        [reply] = double.replies_to(question)
        assert "Thinking" not in reply.content
        assert "-# documents ·" in reply.content
        assert "Parking" in reply.content
        ada.say(double.general, "And what is the code of its gate?", reply_to=reply)
        await stage.settle(events=2, seconds=PATIENCE_S)
        assert len(double.bot_messages(double.general)) == 2
        process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), 15)
        assert process.returncode == 0
        assert "Traceback" not in log.decode()
        assert "car park" not in log.decode()
