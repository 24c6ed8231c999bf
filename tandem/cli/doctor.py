"""`tandem doctor`: checks every piece, and says for each what is wrong and what to do."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from tandem.cli.workplace import AsJson, begin, prepare_database, run
from tandem.db.server import stop_server_if_idle
from tandem.errors import ModelUnavailable, TandemError
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings

DISK_GB = 2.0
POSTGRES, PGVECTOR = 16, (0, 8)
BROKER_S = 5.0


@dataclass(frozen=True)
class Finding:
    """What a check found; `ok` is None for a piece that is not set up and need not be."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


Check = Callable[[Settings], Awaitable[list[Finding]]]


def doctor(as_json: AsJson = False) -> None:
    """Check every piece: Postgres, broker, weights, GPU, Slack, Discord, disk."""
    settings = begin("doctor", quiet=True)
    findings = run(_examine(settings))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table("", "piece", "found", box=None)
        for finding in findings:
            mark = {True: "[green]ok[/]", False: "[red]bad[/]", None: "[dim]--[/]"}[finding.ok]
            table.add_row(mark, finding.name, finding.detail + (f"\n→ {finding.remedy}" if finding.remedy else ""))
        Console(highlight=False).print(table)
    if any(finding.ok is False for finding in findings):
        raise SystemExit(1)


async def _examine(settings: Settings) -> list[Finding]:
    checks: list[Check] = [check_disk, check_postgres, check_broker, check_model, check_slack, check_discord]
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += await check(settings)
        except TandemError as error:
            name = check.__name__.removeprefix("check_")
            findings.append(Finding(name, False, error.message, error.remedy))
    return findings


async def check_disk(settings: Settings) -> list[Finding]:
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1e9
    remedy = "" if free >= DISK_GB else f"Free some space, or set TANDEM_HOME to a disk with {DISK_GB:.0f} GB."
    return [Finding("disk", free >= DISK_GB, f"{free:.1f} GB free in {settings.home}", remedy)]


async def check_postgres(settings: Settings) -> list[Finding]:
    def look() -> list[Finding]:
        try:
            conninfo = prepare_database(settings)
            with psycopg.connect(conninfo) as connection:
                version = connection.info.server_version // 10000
                row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        except psycopg.Error as error:
            remedy = "Check DATABASE_URL: host, password, and that its role may create the extension `vector`."
            return [Finding("postgres", False, str(error).strip(), remedy)]
        stop_server_if_idle(settings, conninfo)
        kind = "DATABASE_URL" if settings.database_url else "embedded"
        vector = tuple(int(part) for part in row[0].split(".")[:2]) if row else (0, 0)
        return [
            Finding(
                "postgres",
                version >= POSTGRES,
                f"Postgres {version}, {kind}",
                "" if version >= POSTGRES else f"Use Postgres {POSTGRES} or newer.",
            ),
            Finding(
                "pgvector",
                vector >= PGVECTOR,
                f"pgvector {row[0] if row else 'is not there'}",
                "" if vector >= PGVECTOR else "Install pgvector 0.8 or newer on that server.",
            ),
        ]

    return await asyncio.to_thread(look)


async def check_broker(settings: Settings) -> list[Finding]:
    from kombu.exceptions import OperationalError

    from workers.app import make_app

    def look() -> Finding:
        kind = "BROKER_URL" if settings.broker_url else "the same Postgres"
        try:
            prepare_database(settings)
            with make_app(settings).connection_for_write(connect_timeout=BROKER_S) as connection:
                connection.ensure_connection(max_retries=1, timeout=BROKER_S)
        except (OperationalError, psycopg.Error, OSError) as error:
            return Finding("broker", False, f"{kind}: {error}", "Correct BROKER_URL, or unset it to use Postgres.")
        return Finding("broker", True, f"{kind} answers")

    return [await asyncio.to_thread(look)]


async def check_model(settings: Settings) -> list[Finding]:
    async with ensure_model_server(settings) as url, httpx.AsyncClient(timeout=10) as client:
        try:
            response = await client.get(f"{url}/healthz")
        except httpx.HTTPError as error:
            raise ModelUnavailable(f"{url} does not answer.") from error
        if response.status_code == 404:
            return [Finding("model", True, f"{url} answers; it is not Tandem's own server, so it tells no more")]
        health = response.json()
    gpu = health["gpu"]
    layers = gpu["layers_offloaded"]
    offload = f"{layers} of {gpu['layers']} layers on {', '.join(gpu['devices'])}" if layers else "runs on the CPU"
    advice = "" if gpu["supported"] else "This build has no GPU support; docs/models.md shows the builds that have."
    size = f"{health['sequences']} at once, {health['context']} tokens each"
    adapters = [
        Finding(
            f"adapter {one['name']}",
            not one["problem"],
            one["problem"] or ("serves, and is in service" if one["name"] == health["in_service"] else "serves"),
            "Add it again with `tandem model add`, or remove it." if one["problem"] else "",
        )
        for one in health["adapters"]
    ]
    return [
        Finding("model", True, f"{health['model']} ({health['file']}), {size}"),
        *adapters,
        Finding("gpu", bool(layers) or None, offload, advice),
    ]


async def check_slack(settings: Settings) -> list[Finding]:
    if settings.slack_bot_token is None:
        return [Finding("slack", None, "not set up", "To use Slack, follow docs/slack.md.")]
    from bots.slack.checks import check_slack as look

    ok, detail = await look(settings)
    return [Finding("slack", ok, detail, "" if ok else "docs/slack.md shows where each token and scope comes from.")]


async def check_discord(settings: Settings) -> list[Finding]:
    if settings.discord_token is None:
        return [Finding("discord", None, "not set up", "To use Discord, follow docs/discord.md.")]
    from bots.discord.checks import check_discord as look

    ok, detail = await look(settings)
    return [Finding("discord", ok, detail, "" if ok else "docs/discord.md shows where the token and intents are set.")]
