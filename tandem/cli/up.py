"""`tandem up`: everything on one machine, under supervisor."""

import signal
import subprocess

from rich.console import Console

from tandem.cli.stack import list_parts, supervisor_command, write_configuration
from tandem.cli.workplace import begin, prepare_database
from tandem.db.server import stop_server_if_idle


def up() -> None:
    """Start everything on this machine, with whichever of Slack and Discord has its token."""
    settings = begin("up", quiet=True)
    console = Console(highlight=False, stderr=True)
    with console.status("Starting Postgres"):
        conninfo = prepare_database(settings)
    parts = list_parts(settings, surfaces=True)
    console.print(f"Starting {', '.join(parts)}; ctrl-C stops them all.")
    if "slack" not in parts and "discord" not in parts:
        console.print("No chat has a token yet: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or DISCORD_TOKEN (see docs/).")
    process = subprocess.Popen(supervisor_command(write_configuration(settings, parts, foreground=True)))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: process.terminate())
    status = process.wait()
    stop_server_if_idle(settings, conninfo)
    raise SystemExit(status if status > 0 else 0)
