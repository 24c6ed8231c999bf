"""The commands keep their JSON contracts, say what is wrong in a line, and leave the rest alone."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tandem.settings import Settings


class Tandem:
    """Runs the real command in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self._environment = os.environ | {
            "TANDEM_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url or "",
            "MODEL_URL": settings.model_url or "",
        }

    async def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tandem",
            *arguments,
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()

    async def read(self, *arguments: str) -> Any:
        status, output, errors = await self.run(*arguments, "--json")
        assert status == 0, errors
        return json.loads(output)


@pytest.fixture
def tandem(model_settings: Settings) -> Tandem:
    return Tandem(model_settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "badges.md").write_text(
        "# Badges\n\nNew badges are made every Wednesday, at the front desk in Leipzig.\n"
    )
    (folder / "leave.md").write_text("# Leave\n\nEveryone has 30 days of annual leave.\n")
    (folder / "junk.md").write_bytes(bytes(range(256)) * 40)
    return folder


async def test_from_a_folder_to_a_cited_answer_and_back(tandem: Tandem, folder: Path) -> None:
    assert (await tandem.read("source", "add", str(folder)))["name"] == "house"
    look = await tandem.read("reindex", "house", "--wait")
    assert look["source"] == "house"
    assert look["documents"] == {"added": 2, "changed": 0, "removed": 0, "unchanged": 0, "failed": 1}
    assert look["chunks"] == {"embedded": 2, "kept": 0, "removed": 0}
    assert look["seconds"] > 0

    found = await tandem.read("search", "when are badges made", "-k", "1")
    assert [set(row) for row in found] == [{"rank", "title", "uri", "text", "score", "dense", "lexical"}]
    assert (found[0]["rank"], found[0]["title"]) == (1, "Badges")
    assert await tandem.read("search", "badges", "--source", "house", "--language", "en", "--since", "2999-01") == []

    answer = await tandem.read("ask", "On which day are new badges made?")
    assert set(answer) == {"question", "answer", "route", "citations", "receipt", "id"}
    assert answer["route"] == "grounded"
    assert "Wednesday" in answer["answer"]
    [cited, *_] = answer["citations"]
    told = {
        "source",
        "owner",
        "licence",
        "revision",
        "changed_at",
        "indexed_at",
        "age_s",
        "lag_s",
        "review_by",
        "is_due",
    }
    assert set(cited) == {"n", "title", "uri", "quote", "score"} | told
    assert (cited["source"], len(cited["revision"]), cited["is_due"]) == ("house", 32, False)
    assert cited["age_s"] > cited["lag_s"] > 0
    assert set(answer["receipt"]) == {
        "reasons",
        "timings_ms",
        "tokens",
        "model",
        "adapter",
        "index_version",
        "model_calls",
    }
    assert set(answer["receipt"]["timings_ms"]) == {"retrieve", "decide", "first_token", "answer", "total"}
    assert set(answer["receipt"]["tokens"]) == {"prompt", "answer"}

    (folder / "leave.md").unlink()
    (folder / "badges.md").write_text("# Badges\n\nNew badges are made every Friday, at the front desk in Leipzig.\n")
    look = await tandem.read("reindex", "--wait")
    assert look["documents"] == {"added": 0, "changed": 1, "removed": 1, "unchanged": 0, "failed": 1}
    assert "Friday" in (await tandem.read("ask", "On which day are new badges made?"))["answer"]

    [status] = await tandem.read("source", "list")
    assert (status["documents"], status["failed"]) == (2, 1)
    assert any(failure.startswith("junk.md") for failure in status["failures"])
    assert 0 < status["lag_p50_s"] <= status["lag_p95_s"]
    [failure] = await tandem.read("source", "failures", "house")
    assert (failure["source"], failure["path"]) == ("house", "junk.md")
    assert failure["reason"]
    [version] = await tandem.read("index", "list")
    assert (version["is_current"], version["is_held"], version["documents"], version["missing"]) == (True, False, 1, 0)
    assert (await tandem.run("source", "remove", "house"))[0] == 0
    assert await tandem.read("search", "badges") == []


async def test_a_sources_terms_are_set_shown_and_kept_in_the_trail(tandem: Tandem, folder: Path) -> None:
    await tandem.run("source", "add", str(folder), "--licence", "CC0-1.0")
    assert (await tandem.read("reindex", "house"))["state"] == "queued"
    assert (await tandem.read("reindex", "house", "--cancel"))["state"] == "cancelled"
    terms = ("--owner", "slack:U1", "--licence", "MIT", "--review-by", "2027-01-31", "--expires-at", "none")
    assert (await tandem.run("source", "set", "house", *terms))[0] == 0
    shown = await tandem.read("source", "show", "house")
    assert (shown["owner"], shown["licence"], shown["expires_at"]) == ("slack:U1", "MIT", None)
    assert (shown["review_by"], shown["contents"]) == ("2027-01-31 00:00:00+00:00", [])
    trail = [(entry["action"], entry["subject"]) for entry in reversed(await tandem.read("audit"))]
    assert trail[:2] == [("add source", "house"), ("set licence", "house: CC0-1.0")]
    assert trail[2:4] == [("re-index", "house"), ("cancel re-index", "house")]
    assert ("set owner", "house: slack:U1") in trail
    assert ("set expires_at", "house: none") in trail


async def test_people_read_the_answer_its_sources_and_one_line_of_receipt(tandem: Tandem, folder: Path) -> None:
    await tandem.run("source", "add", str(folder))
    await tandem.run("reindex", "--wait")
    status, output, _ = await tandem.run("ask", "On which day are new badges made?")
    assert status == 0
    assert "Wednesday" in output
    assert "[1] Badges" in output
    assert output.strip().splitlines()[-1].startswith("documents")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("source", "add", "no/such/folder"), {}, "no/such/folder"),
        (("source", "add", "https://ann:pw@example.org/docs.git"), {}, "credential helper"),
        (("source", "add", ".", "--licence", "GPL-3.0"), {"TANDEM_ALLOWED_LICENCES": "MIT"}, "GPL-3.0 is not on"),
        (("source", "remove", "nobody"), {}, "nobody"),
        (("source", "set", "nobody", "--review-by", "soon"), {}, "2027-01-31"),
        (("index", "switch", "7"), {}, "tandem index list"),
        (("webhooks",), {}, "TANDEM_WEBHOOK_SECRET"),
        (("reindex",), {}, "tandem source add"),
        (("ask", ""), {}, "empty"),
        (("ask", "x" * 30_000), {}, "30,000"),
        (("ask", "Why?"), {"MODEL_URL": "http://127.0.0.1:1"}, "tandem model"),
        (("ask", "Why?"), {"DATABASE_URL": "host=127.0.0.1 port=1 dbname=x"}, "DATABASE_URL"),
        (("ask", "Why?"), {"TANDEM_MODEL_PORT": "many"}, "MODEL_PORT"),
        (("slack",), {}, "SLACK_APP_TOKEN"),
        (("discord",), {}, "DISCORD_TOKEN"),
        (("chat", "--docs", "no/such/folder"), {}, "no/such/folder"),
    ],
)
async def test_what_is_wrong_is_said_with_what_to_do(
    tandem: Tandem, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    status, _, errors = await tandem.run(*arguments, **environment)
    assert status == 1
    assert said in errors
    assert "Traceback" not in errors


async def test_doctor_checks_every_piece(tandem: Tandem) -> None:
    status, output, errors = await tandem.run("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(output)}
    assert status == 0, errors
    assert {name for name, finding in findings.items() if finding["ok"]} == {
        "disk",
        "postgres",
        "pgvector",
        "broker",
        "model",
        "adapter reader",
    }
    assert findings["gpu"]["detail"] == "runs on the CPU"
    assert findings["slack"]["ok"] is findings["discord"]["ok"] is None


async def test_doctor_names_what_is_wrong_and_goes_on(tandem: Tandem) -> None:
    status, output, _ = await tandem.run(
        "doctor", "--json", MODEL_URL="http://127.0.0.1:1", BROKER_URL="redis://127.0.0.1:1/0"
    )
    findings = {finding["name"]: finding for finding in json.loads(output)}
    assert status == 1
    assert {name for name, finding in findings.items() if finding["ok"] is False} == {"broker", "model"}
    assert "BROKER_URL" in findings["broker"]["remedy"]
    assert "MODEL_URL" in findings["model"]["remedy"]


@pytest.mark.parametrize("command", ["chat", "reindex"])
async def test_a_command_has_its_help(tandem: Tandem, command: str) -> None:
    status, output, _ = await tandem.run(command, "--help")
    assert status == 0
    assert "Usage" in output
