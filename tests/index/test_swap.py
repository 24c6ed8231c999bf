import asyncio
import random
from pathlib import Path

from index.jobs import enqueue_look, run_next_job
from tests.index.conftest import Room


async def test_counts_stay_true_through_any_edits(room: Room, folder: Path) -> None:
    generator = random.Random(7)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    source = await room.add(folder)
    for _ in range(8):
        for name in ("a.md", "b.md", "c.txt"):
            action = generator.random()
            if action < 0.2:
                (folder / name).unlink(missing_ok=True)
            elif action < 0.8:
                sections = [
                    f"# {generator.choice(words)}\n\n{' '.join(generator.choices(words, k=8))}\n" for _ in range(4)
                ]
                (folder / name).write_text("\n".join(sections))
        await room.look(source)
        await room.check_counts()
        rows = await room.fetch("SELECT document_id, array_agg(position ORDER BY position) AS p FROM chunks GROUP BY 1")
        assert all(row["p"] == list(range(len(row["p"]))) for row in rows)


async def test_workers_that_swap_at_once_do_not_deadlock(room: Room, tmp_path: Path) -> None:
    """Documents that share all of their words, swapped side by side, in another order of words each time."""
    folder = tmp_path / "shared"
    folder.mkdir()
    source = await room.add(folder, "shared")
    words = [f"word{number}" for number in range(60)]

    async def work(name: str) -> None:
        while await run_next_job(room.database, room.model, room.settings, worker=name):
            pass

    for turn in range(3):
        for number in range(12):
            random.Random(f"{turn} {number}").shuffle(words)
            (folder / f"{number}.md").write_text(" ".join(words))
        await enqueue_look(room.database, room.settings, source, requested_by="test")
        assert await run_next_job(room.database, room.model, room.settings, worker="lister")
        await asyncio.gather(*(work(name) for name in "abcd"))
        await room.drain()
        assert len(await room.texts()) == 12
        await room.check_counts()
