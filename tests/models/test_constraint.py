"""An answer held to a schema meets it whatever the model would say, ends exactly when it may, or is refused before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tandem.models.backend import Model
from tandem.models.constraint import Constraint, Constraints
from tandem.models.sampling import Sampler, Sampling
from tandem.models.schema import LARGEST, MOST_REFERENCES, SchemaRejected

LONGEST = 400


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=0, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: Annotated[list[str], Field(max_length=2)]


class Household(BaseModel, extra="forbid"):
    pets: Annotated[list[Annotated[Cat | Dog, Field(discriminator="kind")]], Field(min_length=1, max_length=3)]
    street: Annotated[str, Field(min_length=3, max_length=12)]
    rent: Annotated[float, Field(ge=0, lt=100)] | None


class Folder(BaseModel, extra="forbid"):
    name: Annotated[str, Field(max_length=3)]
    inside: Annotated[list["Folder"], Field(max_length=2)] = []


KINDS: list[Any] = [
    Household,
    Folder,
    bool,
    Annotated[int, Field(ge=-50, multiple_of=7)],
    Annotated[str, Field(pattern=r"^[a-c]{2,5}[0-9]?$")],
    Annotated[list[Literal["red", "green", 3, None]], Field(min_length=2, max_length=4)],
    tuple[bool, Annotated[str, Field(max_length=3)]],
    dict[str, bool],
]


@pytest.fixture(scope="module")
def constraints(model: Model) -> Iterator[Constraints]:
    made = Constraints(model)
    yield made
    made.close()


def write(model: Model, constraint: Constraint, seed: int) -> bytes:
    """An answer by somebody who knows no JSON: any allowed token, drawn blindly, and impatiently after a while."""
    random, sampler, text = np.random.default_rng(seed), Sampler(Sampling(1.0, seed=seed), constraint), b""
    closing = [t for t in range(model.vocabulary_size) if model.piece(t) in (b'"', b"}", b"]", b'"]', b'"}', b"]}")]
    for step in range(LONGEST):
        logits = random.normal(0, 2, model.vocabulary_size).astype(np.float32)
        if step > 40:
            logits[closing] += 20
        token = sampler.choose(logits).token
        if model.ends_answer(token):
            break
        text += model.piece(token)
        if sampler.complete:
            break
    else:
        pytest.fail(f"no end after {text[:200]!r}")
    assert sampler.fault is None
    return text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: getattr(kind, "__name__", str(kind))[:40])
def test_whatever_is_drawn_meets_the_schema(model: Model, constraints: Constraints, kind: Any) -> None:
    """pydantic, which wrote the schema, is the judge."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    for seed in range(12):
        text = write(model, constraints._compile(adapter.json_schema()), seed)
        try:
            adapter.validate_json(text)
        except ValidationError as error:
            pytest.fail(f"{text!r}: {error}")


@given(
    st.recursive(
        st.sampled_from([{"type": "integer"}, {"type": "boolean"}, {"enum": ["a", 1, None]}, {"type": "null"}]),
        lambda inner: st.one_of(
            st.builds(lambda s, n: {"type": "array", "items": s, "maxItems": n}, inner, st.integers(0, 3)),
            st.builds(
                lambda s: {"type": "object", "properties": s, "required": list(s), "additionalProperties": False},
                st.dictionaries(st.sampled_from(["a", "b", 'q"', "ä"]), inner, max_size=3),
            ),
        ),
        max_leaves=6,
    )
)
@settings(deadline=None, max_examples=30)
def test_it_may_end_exactly_where_the_json_is_complete(model: Model, constraints: Constraints, schema: Any) -> None:
    constraint, text, random = constraints._compile(schema), b"", np.random.default_rng(1)
    for _ in range(LONGEST):
        allowed = np.flatnonzero(constraint.allowed())
        ends = [token for token in allowed if model.ends_answer(int(token))]
        assert bool(ends) == is_json(text), text
        going = [int(token) for token in allowed if not model.ends_answer(int(token))]
        if not going or (ends and len(text) > 60):
            return
        token = min(random.choice(going, 4).tolist(), key=lambda t: len(model.piece(t)))
        text += model.piece(token)
        constraint.take(token)


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def chain(length: int, *, ends: bool = True) -> dict[str, Any]:
    steps: dict[str, Any] = {
        f"d{n}": {"type": "object", "properties": {"a": {"$ref": f"#/$defs/d{n + 1}"}}, "required": ["a"]}
        for n in range(length - 1)
    }
    steps[f"d{length - 1}"] = {"type": "null"} if ends else {"$ref": "#/$defs/d0"}
    return {"$ref": "#/$defs/d0", "$defs": steps}


def nested(depth: int) -> dict[str, Any]:
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "null"}


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"type": "integer", "minimum": 5, "maximum": 1}, "minimum"),
    ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "incompatible types"),
    ({"enum": []}, "empty"),
    ({"type": "frob"}, "frob"),
    ({"type": -(2**63) - 1}, "type"),
    ({"type": "integer", "multipleOf": 10**400}, "schema"),
    ({"const": float("nan")}, "no JSON"),
    ({"multipleOf": float("nan")}, "no JSON"),
    ({"not": {"type": "string"}}, "not"),
    ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    ({"type": "string", "format": "zip"}, "zip"),
    ({"type": "string", "pattern": "["}, "regex"),
    ({"type": "string", "pattern": "(?=x)y"}, "look-around"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    ({"$ref": "#/$defs/missing"}, "missing"),
    ({"$ref": "https://example.com/schema"}, "example"),
    ({"type": "string", "x-guidance": {"lenient": True}, "format": "zip"}, "zip"),
    ({"$ref": "#"}, "contains itself"),
    ({"type": "object", "properties": {"c": {"$ref": "#"}}, "required": ["c"]}, "contains itself"),
    ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, "contains itself"),
    (chain(20, ends=False), "contains itself"),
    (chain(MOST_REFERENCES + 1), r"\$refs"),
    (nested(40), "levels deep"),
    ({"enum": ["x" * LARGEST]}, "characters"),
    ({"allOf": [{"type": "integer", "multipleOf": 997}, {"type": "integer", "multipleOf": 991}]}, "multipleOf"),
    ({"type": "integer", "multipleOf": 99999989}, "multipleOf"),
]


@pytest.mark.parametrize(("schema", "reason"), UNUSABLE, ids=[str(schema)[:50] for schema, _ in UNUSABLE])
def test_what_cannot_be_met_is_refused_with_the_reason(
    constraints: Constraints, schema: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SchemaRejected, match=reason):
        constraints._compile(schema)


@pytest.mark.parametrize(
    "schema",
    [
        chain(MOST_REFERENCES),
        nested(16),
        {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "number", "multipleOf": 0.01},
        {"type": "object", "properties": {f"p{n}": {"type": "string", "pattern": "^[a-z]{3}$"} for n in range(300)}},
        {"unknown-annotation": 1, "title": "T", "type": "null"},
    ],
    ids=lambda schema: str(schema)[:40],
)
def test_what_an_answer_can_meet_is_taken(model: Model, constraints: Constraints, schema: dict[str, Any]) -> None:
    constraint = constraints._compile(schema)
    assert constraint.fault is None
    assert constraint.allowed().any()


def test_a_pattern_that_outgrows_the_bounds_ends_the_answer_with_its_fault(
    model: Model, constraints: Constraints
) -> None:
    """It compiles, and takes more states with every letter."""
    constraint = constraints._compile({"type": "string", "pattern": "^(a|b)*a(a|b){60}$"})
    random, sampler = np.random.default_rng(0), Sampler(Sampling(1.0, seed=0), constraint)
    letters = [t for t in range(model.vocabulary_size) if set(model.piece(t)) and set(model.piece(t)) <= set(b"ab")]
    for _ in range(3000):
        logits = random.normal(0, 1, model.vocabulary_size).astype(np.float32)
        logits[letters] += 50
        token = sampler.choose(logits).token
        if sampler.fault is not None:
            assert model.ends_answer(token)
            return
        if sampler.complete:
            break
    pytest.fail("it never outgrew them")


def test_the_example_projects_orders_can_be_written_under_their_schema(model: Model, constraints: Constraints) -> None:
    folder = Path(__file__).parents[2] / "examples" / "orders"
    schema = json.loads((folder / "schema.json").read_text())
    for line in (folder / "examples.jsonl").read_text().splitlines():
        constraint = constraints._compile(schema)
        for token in model.tokenize(json.loads(line)["messages"][-1]["content"], control=False):
            assert constraint.allowed()[token], line
            constraint.take(token)
        assert constraint.complete
