"""`tandem model` keeps the registry of adapters, and a server that runs serves what is in it."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tandem.models.adapters import Adapters
from tandem.models.client import SWAP_NOTICED_S, ModelClient
from tandem.models.endpoint import PACKAGED_ADAPTER
from tandem.models.launch import ensure_model_server
from tandem.models.promotions import Promotion
from tandem.settings import Settings
from tests.cli.test_commands import Tandem
from tests.models.lora_files import WIDTH, write_adapter

BASE = "SmolLM2-135M-Instruct"


@pytest.fixture
def tandem(settings: Settings) -> Tandem:
    return Tandem(settings)


async def test_an_adapter_is_added_served_and_removed(tandem: Tandem, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("# House manner\n\nNoise, seed 1.")
    file = str(write_adapter(tmp_path / "house.gguf", 1))
    said = ("--name", "house", "--licence", "Apache-2.0", "--card", str(tmp_path / "card.md"))
    seen = {"id": 3, "source": "house", "path": "leave.md", "revision": "ab", "indexed_at": None}
    (tmp_path / "snapshot.json").write_text(json.dumps({"documents": [seen]}))
    async with ensure_model_server(settings) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        Adapters(settings).remove(PACKAGED_ADAPTER)
        added = await tandem.read("model", "add", file, *said, "--snapshot", str(tmp_path / "snapshot.json"))
        assert (added["name"], added["licence"], added["snapshot"]["documents"]) == ("house", "Apache-2.0", [seen])
        assert added["text"].startswith("# House manner")
        listed = await tandem.read("model", "list")
        assert listed["weights"]["licence"] == "apache-2.0"
        assert added["base_digest"] == listed["weights"]["digest"]
        assert listed["adapters"] == [added | {"is_in_service": False}]

        models = {model["id"]: model for model in (await http.get("/v1/models")).json()["data"]}
        assert models["house"]["parent"] == BASE
        assert models["house"]["digest"] == f"sha256:{added['digest']}"
        body = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 8}
        plain, tuned = [
            (await http.post("/v1/chat/completions", json=body | {"model": name})).json() for name in (BASE, "house")
        ]
        assert tuned["model"] == "house"
        assert tuned["choices"][0]["message"] != plain["choices"][0]["message"]

        await tandem.read(
            "model", "add", str(write_adapter(tmp_path / "misfit.gguf", 1, width=2 * WIDTH)), "--name", "misfit"
        )
        health = (await http.get("/healthz")).json()
        problems = {one["name"]: one["problem"] for one in health["adapters"]}
        assert problems["house"] is None
        assert "wrong base model" in problems["misfit"]
        status, output, _ = await tandem.run("doctor", "--json")
        assert status == 1
        findings = {one["name"]: one for one in json.loads(output)}
        assert findings["adapter house"]["ok"]
        assert "tandem model add" in findings["adapter misfit"]["remedy"]

        assert (await tandem.run("model", "remove", "house"))[0] == 0
        gone = await http.post("/v1/chat/completions", json=body | {"model": "house"})
        assert gone.status_code == 404
        assert BASE in gone.json()["error"]["message"]


async def test_what_cannot_be_added_is_said_with_the_remedy(tandem: Tandem, tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model")
    status, _, errors = await tandem.run("model", "add", str(tmp_path / "text.gguf"), "--name", "house")
    assert status == 1
    assert "text.ggufisnoGGUFfile" in "".join(errors.split())  # wrapped wherever the path's length wants it
    status, _, errors = await tandem.run("model", "remove", "house")
    assert status == 1
    assert "There is no adapter 'house'" in errors


async def test_promotion_and_rollback_under_load_disturb_no_answer(
    tandem: Tandem, settings: Settings, tmp_path: Path
) -> None:
    """Whoever asks for what is in service is answered whole, by the one adapter that the answer names."""
    for seed in (1, 2):
        file = str(write_adapter(tmp_path / f"{seed}.gguf", seed))
        await tandem.read("model", "add", file, "--name", f"house.{seed}")
    registry = Adapters(settings)
    body = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 12}
    answers: list[tuple[str, str]] = []
    async with ensure_model_server(settings) as url, httpx.AsyncClient(base_url=url, timeout=60) as http:
        registry.remove(PACKAGED_ADAPTER)

        async def ask(name: str) -> tuple[str, str]:
            reply = (await http.post("/v1/chat/completions", json=body | {"model": name})).json()
            return reply["model"], reply["choices"][0]["message"]["content"]

        async def keep_asking() -> None:
            while not done:
                answers.append(await ask("tandem"))

        alone = dict([await ask(name) for name in (BASE, "house.1", "house.2")])
        done = False
        async with ModelClient.open(settings.model_copy(update={"model_url": url})) as client:
            assert (await client.describe()).adapter is None
            asking = [asyncio.create_task(keep_asking()) for _ in range(4)]
            while not answers:
                await asyncio.sleep(0.01)
            for name in ("house.1", "house.2"):
                card = registry.card(name)
                registry.promotions.add(Promotion(adapter=name, digest=card.digest, by="ann", reason="a test"))
                assert (await ask("tandem"))[0] == name
            assert await tandem.read("model", "rollback") == {"taken_back": "house.2", "in_service": "house.1"}
            assert (await ask("tandem"))[0] == "house.1"
            done = True
            await asyncio.gather(*asking)
            await asyncio.sleep(SWAP_NOTICED_S)
            described = await client.describe()
            assert (described.id, described.model, described.adapter) == ("tandem", BASE, "house.1")
    assert {name for name, _ in answers} == {BASE, "house.1", "house.2"}
    assert all(text == alone[name] for name, text in answers)
    listed = await tandem.read("model", "list")
    assert [one["name"] for one in listed["adapters"] if one["is_in_service"]] == ["house.1"]
