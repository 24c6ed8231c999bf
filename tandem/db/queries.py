"""Named SQL: `.sql` files beside the code that runs them, each query under a `-- name:` line."""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


def load_queries(package: str, filename: str) -> dict[str, bytes]:
    """Returns the file's queries by name, as psycopg takes them. A name without a `-- why:` line is a ValueError."""
    text = resources.files(package).joinpath(filename).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    queries = dict(zip(parts[1::2], parts[2::2], strict=True))
    for name, body in queries.items():
        if not body.lstrip().startswith("-- why: "):
            raise ValueError(f"{package}/{filename}: query {name} does not say why it is there.")
    return {name: body.strip().encode() for name, body in queries.items()}
