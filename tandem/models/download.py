"""Weights from the Hugging Face hub, or a server that speaks like it: resumed, verified, in place only when whole."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tandem.errors import WeightsError

HUB = "https://huggingface.co"
NAMED = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)")
SHA256 = re.compile(r"[0-9a-f]{64}")
ATTEMPTS = 5
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """Size in bytes; `sha256` is None where the hub tells none."""

    size: int
    sha256: str | None


def download(model: str, folder: Path, *, hub: str = HUB) -> Path:
    """Fetches `hf:OWNER/REPO/FILE.gguf` into the folder and returns its path; a file that is there is taken as it is.

    A broken download is resumed, also by a later process. Raises WeightsError.
    """
    match = NAMED.fullmatch(model)
    if match is None or ".." in match["file"]:
        raise WeightsError(f"MODEL={model} is not of the form hf:OWNER/REPO/FILE.gguf.")
    target = folder / "hf" / match["repository"] / match["file"]
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    url = f"{hub}/{match['repository']}/resolve/main/{match['file']}"
    with httpx.Client(timeout=httpx.Timeout(30, connect=10)) as client:
        remote = _describe(client, url, model)
        _fetch(client, url, partial, remote, target.name)
    _verify(partial, remote, model)
    partial.replace(target)
    return target


def _describe(client: httpx.Client, url: str, model: str) -> RemoteFile:
    """Asks without following: the hub puts size and digest on its own answer, not on the storage's behind it."""
    try:
        answer = client.head(url)
        digest = answer.headers.get("x-linked-etag", answer.headers.get("etag", "")).strip('W/"')
        size = answer.headers.get("x-linked-size")
        if answer.is_redirect:
            answer = client.head(url, follow_redirects=True)
        answer.raise_for_status()
        size = size or answer.headers["content-length"]
    except httpx.HTTPStatusError as error:
        raise WeightsError(f"{model}: the hub answers {error.response.status_code}.") from error
    except httpx.HTTPError as error:
        raise WeightsError(f"{model}: the hub cannot be reached ({error}).", remedy="Try again when online.") from error
    return RemoteFile(int(size), digest if SHA256.fullmatch(digest) else None)


def _fetch(client: httpx.Client, url: str, partial: Path, remote: RemoteFile, name: str) -> None:
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(name, total=remote.size)
        for attempt in range(1, ATTEMPTS + 1):
            have = partial.stat().st_size if partial.exists() else 0
            if have == remote.size:
                return
            try:
                _append(client, url, partial, have if have < remote.size else 0, progress, task)
            except httpx.HTTPError as error:
                if attempt == ATTEMPTS:
                    raise WeightsError(
                        f"{name}: the download broke off {ATTEMPTS} times ({error}).",
                        remedy="Start again; what has arrived is kept.",
                    ) from error


def _append(client: httpx.Client, url: str, partial: Path, have: int, progress: Progress, task: object) -> None:
    headers = {"range": f"bytes={have}-"} if have else {}
    with client.stream("GET", url, headers=headers, follow_redirects=True) as answer:
        answer.raise_for_status()
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        progress.update(task, completed=have if resumed else 0)  # type: ignore[arg-type]
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                file.write(chunk)
                progress.advance(task, len(chunk))  # type: ignore[arg-type]


def _verify(partial: Path, remote: RemoteFile, model: str) -> None:
    size = partial.stat().st_size
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size != remote.size or (remote.sha256 is not None and digest != remote.sha256):
        partial.unlink()
        raise WeightsError(
            f"{model} did not arrive whole: size or SHA-256 is not what the hub announced.", remedy="Start again."
        )
