"""The training: common conditions into an adapter, which is put in service with the versions that it has seen.

`tandem tune run` keeps a share of the origins apart to judge by, which for facts would be facts that it never learned;
so the trainer is asked directly, and the judging is done by `tandem eval`.
"""

import asyncio
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from gguf import GGUFReader

from index.sources import find_source
from index.standing import list_standings
from tandem.cli.workplace import open_database
from tandem.models.adapters import Adapters, Card
from tandem.models.promotions import Promotion
from tandem.models.snapshot import SeenDocument, Snapshot
from tandem.models.weights import describe_weights
from tandem.settings import Settings
from tandem.tuning.process import find_interpreter
from tandem.tuning.run import ADAPTER, RUN, TRAIN, VALIDATION, Run

NAME = "health"
"""Of the source and of the adapter."""
EPOCHS = 20
"""A fact is learned by heart, so it is told this often in each of its wordings. After 4 one in twelve was known."""
STEP_TOKENS = 2048
RANK = 16
LEARNING_RATE = 1e-3
"""Learning by heart bears more than learning a manner."""


def train(settings: Settings, out: Path) -> Card:
    """Trains on OUT's lessons, going on from the adapter in service if there is one, and promotes what comes out.

    Raises TuningError without a training environment, and CalledProcessError; called again it goes on.
    """
    interpreter, weights, registry = find_interpreter(settings), describe_weights(settings), Adapters(settings)
    snapshot = asyncio.run(take_snapshot(settings))
    before = registry.in_service(weights["digest"])
    folder = out / "run"
    if not (folder / RUN).exists():
        folder.mkdir(exist_ok=True)
        start = registry.file(before, on_gpu=True) if before else None
        run = Run(
            base=Path(weights["file"]),
            start=start,
            rank=read_rank(start) if start else RANK,
            learning_rate=LEARNING_RATE,
            step_tokens=STEP_TOKENS,
            epochs=EPOCHS,
            dropout=0.0,
            patience=EPOCHS,
        )
        for name in (TRAIN, VALIDATION):
            (folder / name).write_bytes((out / name).read_bytes())
        (folder / RUN).write_text(run.model_dump_json(indent=2))
    subprocess.run([interpreter, "-m", "tandem.tuning.trainer", folder], check=True)
    card = Card(
        name=NAME,
        digest="",
        base=weights["name"],
        base_digest=weights["digest"],
        licence="CC-BY-4.0",
        trained_at=datetime.now(UTC),
        snapshot=snapshot,
        text="Facts on common conditions from MedQuAD (CC BY 4.0), learned by heart for a measurement.",
    )
    card = registry.add(folder / ADAPTER, card)
    registry.promotions.add(
        Promotion(adapter=card.name, digest=card.digest, by="measurement", reason="the healthcare question")
    )
    return card


async def take_snapshot(settings: Settings) -> Snapshot:
    """The common conditions' documents as they are indexed now: what the lessons were made from."""
    async with open_database(settings) as database:
        source = await find_source(database, NAME)
        documents = await list_standings(database, source.id)
    return Snapshot(
        documents=tuple(
            SeenDocument(
                id=one.id, source=one.source, path=one.path, revision=one.revision or "", indexed_at=one.indexed_at
            )
            for one in documents
            if one.path.startswith("common/")
        )
    )


def read_rank(adapter: Path) -> int:
    pair = next(tensor for tensor in GGUFReader(adapter).tensors if str(tensor.name).endswith(".lora_a"))
    return int(pair.shape[1])
