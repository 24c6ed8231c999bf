"""Whatever happens to workers, Postgres, the model server and the messages, the index ends as if nothing had.

A short run over made-up revisions; `python -m tests.workers.chaos` makes long ones over real ones.
"""

import random

from tandem.evals.history import Commit
from tests.workers.chaos import describe, run_chaos

PAGES = 6
COMMITS = 9


def make_history(seed: int) -> list[Commit]:
    """Pages that are written, reworded, emptied, moved and taken away."""
    chance = random.Random(seed)
    pages: dict[str, str] = {f"page-{number}.md": write_page(number, chance) for number in range(PAGES)}
    history = [Commit("start", dict(pages))]
    for number in range(COMMITS):
        path = chance.choice(sorted(pages))
        changes: dict[str, str | None] = {}
        match number % 4:
            case 0 | 1:
                part = chance.randrange(4)
                changes[path] = pages[path].replace(f"Part {part} ", f"Part {part}, since commit {number}, ")
            case 2:
                changes |= {path: None, f"moved/{number}-{path.rpartition('/')[2]}": pages[path]}
            case 3:
                changes |= {path: "\n", f"page-{PAGES + number}.md": write_page(number, chance)}
        pages = {name: text for name, text in {**pages, **changes}.items() if text is not None}
        history.append(Commit(f"commit-{number}", changes))
    return history


def write_page(number: int, chance: random.Random) -> str:
    sections = (f"## Section {part}\n\nPart {part} says {chance.random():.6f}.\n\n" for part in range(4))
    return f"# Page {number}\n\n" + "".join(sections)


async def test_disorder_leaves_no_trace() -> None:
    history = make_history(4)
    run = await run_chaos(history[:1], history[1:], seed=4, workers=2, pause_s=0.4)
    assert run.is_sound, describe(run)
    assert sum(run.harms.values()) >= 3
    assert run.glimpses
    assert 0 < run.chunks <= run.embedded <= 3 * run.embedded_undisturbed
