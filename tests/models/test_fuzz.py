"""Whatever a body contains, the server refuses it or answers it, and then still answers a plain question rightly."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
PLAIN = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 1, "logprobs": True}
ROUNDING = 0.7
"""Nats by which a log-probability may move with what else the cache holds (docs/models.md)."""
SMALL = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(max_size=30) | st.sampled_from(["<|im_end|>", "\x00", "\U0010ffff", "é" * 200, "{", "\u202e"])
numbers = st.integers() | st.integers(-3, 9) | st.floats() | st.sampled_from([10**400, -(10**30), 1e308, 5e-324, -0.0])
junk = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
leaves = st.sampled_from(
    [
        {},
        {"type": "null"},
        {"type": "integer", "minimum": 3},
        {"enum": [1, "a", None]},
        {"type": "string", "maxLength": 3},
        {"$ref": "#"},
        {"type": "string", "pattern": "(a+)+$"},
        {"multipleOf": 0.3},
        {"type": ["null", "boolean"]},
    ]
)
schemas = st.recursive(
    leaves | st.dictionaries(st.sampled_from(["type", "items", "$ref", "minLength", "required", "const"]), junk),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "maxItems": st.integers(-1, 2)}),
        st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(texts, inner, max_size=3)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, max_size=2)}),
    ),
    max_leaves=5,
)
formats = st.fixed_dictionaries(
    {"type": st.just("json_schema"), "json_schema": st.fixed_dictionaries({"name": st.just("x"), "schema": schemas})}
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant", "developer"]), "content": texts}),
    min_size=1,
    max_size=3,
)
good: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 2) | st.sampled_from([0, 5e-324, 1e-200, 2]),
    "top_p": st.floats(0, 1, exclude_min=True) | st.just(5e-324),
    "seed": st.integers(),
    "stop": texts | st.lists(texts, max_size=4),
    "stream": st.booleans(),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
    "presence_penalty": st.floats(-2, 2),
    "frequency_penalty": st.floats(-2, 2),
    "logit_bias": st.dictionaries(st.integers(0, 49152).map(str), st.floats(-100, 100), max_size=3),
    "response_format": formats | st.just({"type": "json_object"}),
    "max_completion_tokens": st.integers(1, 4),
    "n": st.just(1),
}
bodies = st.builds(
    lambda some, more, max_tokens: more | some | {"max_tokens": max_tokens, "max_completion_tokens": None},
    st.fixed_dictionaries({"messages": messages}, optional=good),
    st.dictionaries(st.sampled_from([*good, "tools", "user", "model", "metadata"]) | texts, junk, max_size=1),
    st.integers(1, 4),
)


@pytest.fixture(autouse=True)
def plain_question(model_url: str) -> Iterator[None]:
    """Is answered after the test as it was before, and nothing is left running."""
    before = ask(model_url)
    yield
    after = ask(model_url)
    assert after["token"] == before["token"]
    assert after["logprob"] == pytest.approx(before["logprob"], abs=ROUNDING)
    health = httpx.get(f"{model_url}/healthz").json()
    assert (health["running"], health["queue"]["waiting"], health["queue"]["embedding"]) == (0, 0, 0)


def ask(url: str) -> dict[str, Any]:
    answer = httpx.post(f"{url}{CHAT}", json=PLAIN, timeout=60)
    entry: dict[str, Any] = answer.json()["choices"][0]["logprobs"]["content"][0]
    return entry


def send(url: str, path: str, content: bytes) -> httpx.Response:
    answer = httpx.post(f"{url}{path}", content=content, headers={"content-type": "application/json"}, timeout=60)
    assert answer.status_code in (200, 400, 404, 413), answer.text
    if answer.status_code != 200:
        assert answer.json()["error"]["message"]
    return answer


def dump(value: object) -> bytes:
    """As JSON, also of numbers that are none, and of lone surrogates."""
    return json.dumps(value).encode()


def test_no_bytes_break_it(model_url: str) -> None:
    @SMALL
    @given(st.binary(max_size=200) | junk.map(dump), st.sampled_from([CHAT, EMBEDDINGS]))
    def fuzz(content: bytes, path: str) -> None:
        assert send(model_url, path, content).status_code == 400

    fuzz()


def test_no_question_breaks_it(model_url: str) -> None:
    """What it takes, it answers with numbers that are numbers; a stream ends as a stream does."""
    answered = 0

    @SMALL
    @given(bodies)
    def fuzz(body: dict[str, Any]) -> None:
        nonlocal answered
        answer = send(model_url, CHAT, dump(body))
        answered += answer.status_code == 200
        if answer.status_code == 200 and body.get("stream"):
            last = [line for line in answer.text.split("\n") if line][-1]
            assert last == "data: [DONE]" or "invalid_request_error" in last
        elif answer.status_code == 200:
            json.loads(answer.text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    fuzz()
    assert answered > 10


def test_no_text_breaks_the_embedder(model_url: str) -> None:
    @SMALL
    @given(
        st.fixed_dictionaries(
            {"input": texts | st.lists(texts, max_size=3)},
            optional={"encoding_format": st.sampled_from(["float", "base64", "int8"]), "dimensions": numbers},
        )
    )
    def fuzz(body: dict[str, Any]) -> None:
        send(model_url, EMBEDDINGS, dump(body))

    fuzz()
