"""The Discord double behaves as Discord does, where tests of the bot lean on it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest

from tests.doubles.discord import DiscordDouble, run_discord_double
from tests.doubles.discord_rest import LIMIT

TEXT = {"content": "hello"}


@pytest.fixture
async def double() -> AsyncIterator[DiscordDouble]:
    async with run_discord_double() as running:
        yield running


@pytest.fixture
async def web(double: DiscordDouble) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bot {double.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def call(web: aiohttp.ClientSession, method: str, url: str, body: Any = None) -> tuple[int, Any]:
    async with web.request(method, url, json=body) as response:
        return response.status, await response.json() if response.status != 204 else None


async def test_a_nonce_that_is_enforced_makes_one_message_of_two_requests(
    double: DiscordDouble, web: aiohttp.ClientSession
) -> None:
    url = f"{double.url}/channels/{double.general.id}/messages"
    enforced = TEXT | {"nonce": "1", "enforce_nonce": True}
    _, first = await call(web, "POST", url, enforced)
    _, again = await call(web, "POST", url, enforced)
    _, loose = await call(web, "POST", url, TEXT | {"nonce": "1"})
    assert first["id"] == again["id"] != loose["id"]
    assert first["nonce"] == "1"
    double.clock.advance(600)
    assert (await call(web, "POST", url, enforced))[1]["id"] not in (first["id"], loose["id"])
    _, history = await call(web, "GET", url)
    assert len(history) == 3
    assert all(message["nonce"] is None for message in history)
    assert (await call(web, "POST", url, TEXT | {"nonce": "x" * 26}))[1]["code"] == 50035


async def test_a_reset_after_the_message_was_stored_keeps_it(double: DiscordDouble, web: aiohttp.ClientSession) -> None:
    url = f"{double.url}/channels/{double.general.id}/messages"
    double.order("reset_before", "POST", "/channels/*/messages")
    double.order("reset_after", "POST", "/channels/*/messages")
    for expected in (0, 1):
        with pytest.raises(aiohttp.ClientError):
            await call(web, "POST", url, TEXT)
        assert len(double.bot_messages(double.general)) == expected


async def test_limits_are_announced_and_kept(double: DiscordDouble, web: aiohttp.ClientSession) -> None:
    url = f"{double.url}/channels/{double.general.id}/messages"
    for left in reversed(range(LIMIT)):
        async with web.post(url, json=TEXT) as response:
            assert response.headers["X-RateLimit-Remaining"] == str(left)
    status, told = await call(web, "POST", url, TEXT)
    assert status == 429
    assert 0 < told["retry_after"] <= 5
    elsewhere = double.make_channel("elsewhere")
    assert (await call(web, "POST", f"{double.url}/channels/{elsewhere.id}/messages", TEXT))[0] == 200


async def test_errors_have_discords_codes(double: DiscordDouble, web: aiohttp.ClientSession) -> None:
    messages = f"{double.url}/channels/{double.general.id}/messages"
    assert (await call(web, "POST", messages, {"content": "x" * 2001}))[1]["code"] == 50035
    assert (await call(web, "PATCH", f"{messages}/1", TEXT))[1]["code"] == 10008
    double.forbid(double.general, send_messages=True)
    assert (await call(web, "POST", messages, TEXT))[1]["code"] == 50013
    async with aiohttp.ClientSession() as stranger:
        assert (await call(stranger, "GET", f"{double.url}/users/@me"))[0] == 401


async def test_an_interaction_is_acknowledged_once_in_time_and_dies(
    double: DiscordDouble, web: aiohttp.ClientSession
) -> None:
    ada = double.make_person("Ada")
    double.backend.register_commands(None, [{"name": "ask", "type": 1, "description": "Ask"}])
    late, prompt = ada.run(double.general, "ask"), ada.run(double.general, "ask")
    defer = {"type": 5}
    assert (await call(web, "POST", _callback(double, prompt.id, prompt.token), defer))[0] == 200
    assert (await call(web, "POST", _callback(double, prompt.id, prompt.token), defer))[1]["code"] == 40060
    response = f"{double.url}/webhooks/{double.backend.application_id}/{prompt.token}/messages/@original"
    double.clock.advance(4)
    assert (await call(web, "POST", _callback(double, late.id, late.token), defer))[1]["code"] == 10062
    assert (await call(web, "PATCH", response, TEXT))[1]["content"] == "hello"
    double.clock.advance(900)
    assert await call(web, "PATCH", response, TEXT) == (401, {"code": 50027, "message": "Invalid Webhook Token"})


async def test_history_pages_upwards_from_after(double: DiscordDouble, web: aiohttp.ClientSession) -> None:
    ada = double.make_person("Ada")
    ids = [str(ada.say(double.general, str(n)).id) for n in range(5)]
    url = f"{double.url}/channels/{double.general.id}/messages"
    _, page = await call(web, "GET", f"{url}?after={ids[0]}&limit=2")
    assert [message["id"] for message in page] == [ids[2], ids[1]]


async def test_the_gateway_greets_identifies_acknowledges_and_replays(
    double: DiscordDouble, web: aiohttp.ClientSession
) -> None:
    socket = await web.ws_connect(double.gateway.url)
    assert (await socket.receive_json())["op"] == 10
    await socket.send_json({"op": 1, "d": None})
    assert (await socket.receive_json())["op"] == 11
    await socket.send_json({"op": 2, "d": {"token": double.token, "intents": 1 << 0 | 1 << 9}})
    ready, guild = await socket.receive_json(), await socket.receive_json()
    assert (ready["t"], guild["t"]) == ("READY", "GUILD_CREATE")
    double.gateway.drop()
    while not (await socket.receive()).type.name.startswith("CLOS"):
        pass
    double.make_person("Ada").say(double.general, "not for the bot's eyes")
    resumed = await web.ws_connect(ready["d"]["resume_gateway_url"])
    await resumed.receive_json()
    session = ready["d"]["session_id"]
    await resumed.send_json({"op": 6, "d": {"token": double.token, "session_id": session, "seq": guild["s"]}})
    missed, done = await resumed.receive_json(), await resumed.receive_json()
    assert (missed["t"], missed["d"]["content"], done["t"]) == ("MESSAGE_CREATE", "", "RESUMED")
    await resumed.close()


@pytest.mark.parametrize(("token", "intents", "code"), [("wrong", 0, 4004), (None, 1 << 15, 4014)])
async def test_the_gateway_refuses_with_discords_codes(token: str | None, intents: int, code: int) -> None:
    async with run_discord_double(approved=discord.Intents.default()) as double, aiohttp.ClientSession() as web:
        socket = await web.ws_connect(double.gateway.url)
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": token or double.token, "intents": intents}})
        await socket.receive()
        assert socket.close_code == code


async def test_what_the_double_does_not_model_fails_loudly() -> None:
    async def use_it() -> None:
        async with run_discord_double() as double, aiohttp.ClientSession() as web:
            headers = {"Authorization": f"Bot {double.token}"}
            await web.post(f"{double.url}/no/such/stickers", headers=headers)

    with pytest.raises(AssertionError, match="stickers"):
        await use_it()


def _callback(double: DiscordDouble, interaction: int, token: str) -> str:
    return f"{double.url}/interactions/{interaction}/{token}/callback"
