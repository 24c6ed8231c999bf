"""The commands that are one process each."""

from collections.abc import Awaitable, Callable

from rich.console import Console

from tandem.cli.workplace import begin, open_database, prepare_database, run
from tandem.db.pool import Database
from tandem.settings import Settings


def slack() -> None:
    """Answer in Slack."""
    from bots.slack.app import run_slack

    settings = begin("slack")
    prepare_database(settings)
    run(run_slack(settings))


def discord() -> None:
    """Answer in Discord."""
    from bots.discord.client import run_discord

    settings = begin("discord")
    prepare_database(settings)
    run(run_discord(settings))


def worker() -> None:
    """Index documents in the background."""
    from workers.app import run_worker

    settings = begin("worker")
    prepare_database(settings)
    run_worker(settings)


def beat() -> None:
    """Ask for a look at every source, at regular times."""
    from workers.app import run_beat

    settings = begin("beat")
    prepare_database(settings)
    run_beat(settings)


def watch() -> None:
    """Ask for a look at a folder as soon as something in it changes."""
    from index.watching import watch_folders

    settings = begin("watch")
    run(_with_database(settings, watch_folders))


def webhooks() -> None:
    """Receive signed webhooks, each of which asks for a look at a source."""
    from index.webhooks import serve_webhooks

    settings = begin("webhooks")
    run(_with_database(settings, serve_webhooks))


async def _with_database(settings: Settings, work: Callable[[Database, Settings], Awaitable[None]]) -> None:
    async with open_database(settings) as database:
        await work(database, settings)


def migrate() -> None:
    """Bring the database's tables up to date."""
    from tandem.db.migrations import migrate as apply_migrations
    from tandem.db.server import ensure_server

    settings = begin("migrate", quiet=True)
    applied = apply_migrations(ensure_server(settings))
    Console(highlight=False).print("\n".join(f"Applied {name}" for name in applied) or "Already up to date.")
