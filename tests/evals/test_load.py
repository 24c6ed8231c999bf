"""The load is as asked for, and what is noted of it is what the server did."""

import re

import numpy as np
import pytest

from tandem.errors import ModelUnavailable
from tandem.evals.load import Load, Timing, find_target, open_http, put_load
from tests.evals.conftest import GAP_S, WAIT_S, PacedServer, Serve

EARLY_S = 0.005
"""How much sooner than its sleep asyncio may wake, and then some."""


async def load(server: PacedServer, requests: int = 1, concurrency: int = 1) -> Load:
    prompts = [[{"role": "user", "content": f"question {number}"}] for number in range(requests)]
    async with open_http() as http:
        target = await find_target(http, server.url)
        return await put_load(http, target, prompts, concurrency=concurrency, answer_tokens=5)


async def test_moments_are_those_of_the_text(paced: Serve) -> None:
    [timing] = (await load(paced())).timings
    assert timing.failure is None
    assert timing.arrivals[0] - timing.began >= WAIT_S - EARLY_S  # not at the empty chunk that opens the stream
    assert len(timing.arrivals) == timing.tokens == 5
    assert timing.arrivals[-1] - timing.arrivals[0] >= 4 * GAP_S - EARLY_S
    assert (np.diff(timing.arrivals) >= 0).all()


@pytest.mark.parametrize(("counts", "tokens"), [(9, 9), (0, 0), (None, 5)])
async def test_the_server_s_count_goes_before_the_number_of_pieces(
    paced: Serve, counts: int | None, tokens: int
) -> None:
    assert (await load(paced(counts=counts))).timings[0].tokens == tokens


async def test_every_prompt_is_asked_once_and_as_many_at_once_as_wanted(paced: Serve) -> None:
    server = paced()
    result = await load(server, requests=11, concurrency=4)
    assert sorted(body["messages"][0]["content"] for body in server.asked) == sorted(f"question {n}" for n in range(11))
    assert server.most_at_once == 4
    assert len(server.ports) == 11  # a connection kept from before may be closed by now
    assert len(result.timings) == 11
    assert result.seconds >= 3 * (WAIT_S + 4 * GAP_S) - EARLY_S
    assert {(body["model"], body["max_tokens"], body["temperature"]) for body in server.asked} == {("talker", 5, 0)}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": 429}, "429: .*too many"),
        ({"error": True}, "out of memory"),
        ({"cut": True}, "ended before the answer"),
    ],
)
async def test_a_failure_is_noted_and_counts_no_tokens(paced: Serve, fields: dict[str, object], said: str) -> None:
    result = await load(paced(**fields), requests=3)
    assert [timing.tokens for timing in result.timings] == [0, 0, 0]
    assert all(re.search(said, timing.failure or "") for timing in result.timings)


async def test_a_server_that_went_away_is_a_failure_like_others(paced: Serve) -> None:
    server = paced()
    async with open_http() as http:
        target = await find_target(http, server.url)
        gone = type(target)("http://127.0.0.1:1", target.model)
        [timing] = (await put_load(http, gone, [[]], concurrency=1, answer_tokens=5)).timings
    assert isinstance(timing, Timing)
    assert "ClientConnector" in (timing.failure or "")


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        ([{"id": "first"}, {"id": "second"}], "first"),
        ([{"id": "x", "kind": "embedding"}, {"id": "embedding-talker", "kind": "chat"}], "embedding-talker"),
    ],
)
async def test_the_first_chat_model_is_asked(paced: Serve, models: object, chosen: str) -> None:
    server = paced(models=models)
    async with open_http() as http:
        assert (await find_target(http, f"{server.url}/v1/")).model == chosen


@pytest.mark.parametrize("models", [[], [{"id": "bge-small"}], "none", None, [{}], ["x"]])
async def test_a_server_without_a_chat_model_is_refused(paced: Serve, models: object) -> None:
    server = paced(models=models)
    async with open_http() as http:
        with pytest.raises(ModelUnavailable, match="lists no chat model"):
            await find_target(http, server.url)


async def test_a_server_that_is_not_there_is_named(paced: Serve) -> None:
    async with open_http() as http:
        with pytest.raises(ModelUnavailable, match=r"No model server answers at http://127\.0\.0\.1:1"):
            await find_target(http, "http://127.0.0.1:1")
