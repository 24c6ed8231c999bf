"""Over real sockets: who signs is heard at once, who does not is told nothing and leads to nothing."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from index import webhooks
from index.sources import add_source
from index.webhooks import GITHUB_SIGNATURE, SIGNATURE, make_receiver
from tandem.db.pool import Database
from tandem.errors import SettingsError
from tandem.settings import Settings

SECRET = "a long random text"
PUSH = {
    "ref": "refs/heads/main",
    "repository": {
        "clone_url": "https://github.com/acme/docs.git",
        "ssh_url": "git@github.com:acme/docs.git",
        "default_branch": "main",
    },
}


class Sender:
    def __init__(self, client: httpx.AsyncClient, database: Database) -> None:
        self._client = client
        self._database = database

    async def send(
        self,
        path: str,
        message: Any,
        *,
        secret: str = SECRET,
        event: str = "push",
        signature: str | bytes | None = None,
    ) -> httpx.Response:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        signed = signature or "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        header = GITHUB_SIGNATURE if path == "/github" else SIGNATURE
        headers: Any = {header: signed, "X-GitHub-Event": event}
        return await self._client.post(path, content=body, headers=headers)

    async def looks(self) -> list[str]:
        rows = await self._database.fetch_all(
            b"SELECT s.name, l.requested_by FROM looks l JOIN sources s ON s.id = l.source_id ORDER BY l.id"
        )
        assert {row["requested_by"] for row in rows} <= {"webhook"}
        return [row["name"] for row in rows]


@pytest.fixture
async def sender(settings: Settings, database: Database) -> AsyncIterator[Sender]:
    own = settings.model_copy(update={"webhook_secret": SecretStr(SECRET)})
    server = uvicorn.Server(uvicorn.Config(make_receiver(database, own), port=0, log_config=None))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield Sender(client, database)
    server.should_exit = True
    await task


async def add_repository(database: Database, name: str, location: str, **options: str) -> None:
    await add_source(database, location, name=name, kind="git", options=options, added_by="test")


async def test_a_push_asks_for_a_look_at_its_repository_and_branch(sender: Sender, database: Database) -> None:
    await add_repository(database, "docs", "git@github.com:acme/docs.git")
    await add_repository(database, "docs-main", "https://github.com/acme/docs", branch="main")
    await add_repository(database, "docs-draft", "https://github.com/acme/docs", branch="draft")
    await add_repository(database, "other", "https://github.com/acme/other")
    reply = await sender.send("/github", PUSH)
    assert reply.status_code == 202
    assert len(reply.json()["looks"]) == 2
    assert await sender.looks() == ["docs", "docs-main"]
    assert (await sender.send("/github", PUSH)).json() == reply.json(), "the same again is taken in"
    assert await sender.looks() == ["docs", "docs-main"]
    await sender.send("/github", PUSH | {"ref": "refs/heads/draft"})
    assert await sender.looks() == ["docs", "docs-main", "docs-draft"]


async def test_other_events_and_repositories_lead_to_nothing(sender: Sender, database: Database) -> None:
    await add_repository(database, "docs", "git@github.com:acme/docs.git")
    for message, event in (
        ({"zen": "Keep it logically awesome."}, "ping"),
        (PUSH | {"ref": "refs/tags/v1"}, "push"),
        (PUSH | {"repository": {"clone_url": "https://github.com/acme/other.git", "default_branch": "main"}}, "push"),
        (PUSH | {"repository": {"clone_url": 7, "default_branch": None}}, "push"),
    ):
        assert (await sender.send("/github", message, event=event)).status_code == 202
    for broken in (b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'{"ref": 1, "repository": []}'):
        assert (await sender.send("/github", broken)).status_code == 400
    assert await sender.looks() == []


async def test_a_name_asks_for_a_look_at_that_source(sender: Sender, database: Database, tmp_path: Path) -> None:
    await add_source(database, tmp_path, name="pages", added_by="test")
    assert (await sender.send("/look", {"source": "pages"})).status_code == 202
    assert (await sender.send("/look", {"source": "nobody"})).json() == {"looks": []}
    assert (await sender.send("/look", {"source": 1})).status_code == 400
    assert await sender.looks() == ["pages"]


@pytest.mark.parametrize("signature", ["x", "sha256=", "sha256=00", "sha1=00", b"sha256=" + b"\xe9" * 64])
async def test_who_does_not_sign_learns_nothing(
    sender: Sender, database: Database, tmp_path: Path, signature: str | bytes
) -> None:
    await add_source(database, tmp_path, name="pages", added_by="test")
    replies = [await sender.send("/look", {"source": name}, signature=signature) for name in ("pages", "nobody")]
    assert {reply.status_code for reply in replies} == {401}
    assert replies[0].content == replies[1].content
    assert (await sender.send("/look", {"source": "pages"}, secret="another")).status_code == 401
    assert await sender.looks() == []


async def test_a_body_without_end_is_cut_off(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_BODY", 1000)
    assert (await sender.send("/look", b"x" * 2000)).status_code == 413
    monkeypatch.setattr(webhooks, "BODY_S", 0.2)

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x"
            await asyncio.sleep(0.05)

    reply = await sender._client.post("/look", content=drip(), headers={SIGNATURE: "sha256=0"})
    assert reply.status_code == 408


def test_without_a_secret_nothing_is_received(settings: Settings, database: Database) -> None:
    for secret in (None, SecretStr("  ")):
        with pytest.raises(SettingsError, match="WEBHOOK_SECRET"):
            make_receiver(database, settings.model_copy(update={"webhook_secret": secret}))
