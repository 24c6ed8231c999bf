"""Where the model server of a home answers: its address file, which a killed server leaves behind."""

import os
from pathlib import Path

import httpx

from tandem.settings import Settings

HEALTH_TIMEOUT_S = 5.0
IN_SERVICE = "tandem"
"""The model that requests name to be answered under the adapter in service, whichever that is; none is called so."""
PACKAGED_MODEL = "SmolLM2-135M-Instruct"
"""What the weights are called that need no download."""
PACKAGED_ADAPTER = "reader"
"""`reader.gguf` and its card `reader.json` lie in this package. It serves until another one is promoted."""
MOST_SCORED = 64
"""Tokens of a prompt whose log-probabilities a request may ask for."""


def write_address(settings: Settings, url: str) -> None:
    partial = settings.run_dir / f".model.url.{os.getpid()}"
    partial.write_text(url)
    partial.replace(_file(settings))


def read_address(settings: Settings) -> str | None:
    """MODEL_URL, else what the home's address file says, which may be stale."""
    if settings.model_url:
        return settings.model_url.rstrip("/").removesuffix("/v1")
    try:
        return _file(settings).read_text().strip() or None
    except FileNotFoundError:
        return None


def remove_address(settings: Settings, url: str) -> None:
    """Only if it is still this server's."""
    if _file(settings).exists() and _file(settings).read_text().strip() == url:
        _file(settings).unlink(missing_ok=True)


async def find_healthy(settings: Settings) -> str | None:
    """The address of a server that says it is well, or None."""
    url = read_address(settings)
    if url is None:
        return None
    try:
        async with httpx.AsyncClient(timeout=HEALTH_TIMEOUT_S) as client:
            answer = await client.get(f"{url}/healthz")
    except httpx.HTTPError:
        return None
    return url if answer.status_code == httpx.codes.OK else None


def _file(settings: Settings) -> Path:
    return settings.run_dir / "model.url"
