"""Which JSON schemas an answer can be held to: those within bounds, that some finite answer can meet."""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NewType
from urllib.parse import unquote

from tandem.errors import ModelRejected

Schema = dict[str, Any]
Grammar = NewType("Grammar", str)
"""In llguidance's Lark: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md"""
ANY_OBJECT: Schema = {"type": "object"}

LARGEST = 32 << 10
"""Characters; with the next two it bounds how deep and how long llguidance works on a schema."""
LARGEST_GRAMMAR = 128 << 10
"""Characters; room for the passages that a quotation may come from."""
DEEPEST = 32
MOST_REFERENCES = 100
LARGEST_MULTIPLE = 100_000
"""Of every `multipleOf` multiplied: whether two can be met at once is tried out, remainder by remainder."""


class SchemaRejected(ModelRejected):
    """The JSON schema cannot be used."""

    remedy = "Simplify the schema."


def check_schema(schema: Schema) -> None:
    """Raises SchemaRejected for one that is too large, or that only an endless answer would meet. The rest of what
    cannot be met is found by the compiler (`constraint.py`)."""
    size = len(json.dumps(schema))
    if size > LARGEST:
        raise SchemaRejected(f"The schema has {size} characters; at most {LARGEST} are taken.")
    objects = list(_objects(schema, 0))
    references = {value for found in objects if isinstance(value := found.get("$ref"), str)}
    if len(references) > MOST_REFERENCES:
        raise SchemaRejected(f"The schema has {len(references)} different $refs; at most {MOST_REFERENCES} are taken.")
    multiples = {_digits(value) for found in objects if isinstance(value := found.get("multipleOf"), int | float)}
    if math.prod(multiples) > LARGEST_MULTIPLE:
        raise SchemaRejected("The schema's 'multipleOf' are too large to be enforced.")
    if not _ends(schema, _references_that_end(schema, references)):
        raise SchemaRejected("Unsatisfiable schema: it contains itself, so that no answer to it would ever end.")


def _objects(value: object, depth: int) -> Iterator[dict[str, Any]]:
    """Every JSON object in the schema."""
    if depth > DEEPEST:
        raise SchemaRejected(f"The schema is nested more than {DEEPEST} levels deep.")
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _objects(part, depth + 1)


def _digits(multiple: float) -> int:
    """Significant digits as a number: 0.25 and 2500 are 25. Powers of ten are cheap."""
    digits = "".join(map(str, Decimal(str(multiple)).normalize().as_tuple().digits))
    return max(int(digits or 0), 1)


def _references_that_end(schema: Schema, references: set[str]) -> set[str]:
    """Those whose target a finite answer can meet: the least fixed point, so that a circle of requirements is none."""
    ending: set[str] = set()
    while True:
        more = {ref for ref in references - ending if _ends(_target(schema, ref), ending)}
        if not more:
            return ending
        ending |= more


def _ends(schema: object, ending: set[str]) -> bool:
    """Whether some finite value may meet it, if those references can be met. True where the compiler has to judge."""
    if not isinstance(schema, dict):
        return True
    if isinstance(ref := schema.get("$ref"), str) and ref not in ending:
        return False
    if not all(_ends(part, ending) for part in _parts(schema, "allOf")):
        return False
    for choice in ("anyOf", "oneOf"):
        if (parts := _parts(schema, choice)) and not any(_ends(part, ending) for part in parts):
            return False
    if "const" in schema or "enum" in schema:
        return True
    return all(_ends(part, ending) for part in _required(schema))


def _required(schema: dict[str, Any]) -> list[object]:
    """The schemas of what every object or array that meets it must contain."""
    if schema.get("type") == "object":
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        return [known.get(name, schema.get("additionalProperties")) for name in _parts(schema, "required")]
    if schema.get("type") == "array" and isinstance(count := schema.get("minItems"), int):
        first = _parts(schema, "prefixItems")[: max(count, 0)]
        return [*first, schema.get("items")] if count > len(first) else first
    return []


def _parts(schema: dict[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []


def _target(schema: object, reference: str) -> object:
    """What a reference into the same document means; None for any other, which the compiler refuses."""
    if not reference.startswith("#"):
        return None
    for step in reference.removeprefix("#").removeprefix("/").split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        if name:
            schema = schema.get(name) if isinstance(schema, dict) else None
    return schema
