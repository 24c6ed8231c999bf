"""Every edit of a folder's history, through extraction and chunker alone: `python -m tests.index.measure DIR`.

No test: it prints how much of a changed file is new, and by which kind of edit, for docs/retrieval.md. DIR is as for
`tandem bench replay`.
"""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index.chunks import cut_chunks
from index.documents import DocumentError
from index.extraction import extract_document
from tandem.evals.history import read_history

Cut = tuple[str, list[tuple[str, str]]]
"""A file's title, and the heading path and text of each chunk."""


def cut_file(path: str, text: str) -> Cut | None:
    try:
        document = extract_document(text.encode(errors="replace"), path)
    except DocumentError:
        return None
    return document.title, [(chunk.heading, chunk.text) for chunk in cut_chunks(document.title, document.text)]


def name_kind(before: Cut, now: Cut) -> str:
    """What made chunks new: title and headings are embedded with each chunk below them."""
    if before[0] != now[0]:
        return "title"
    if {heading for heading, _ in before[1]} != {heading for heading, _ in now[1]}:
        return "headings"
    return "text"


def measure_edits(data: Path) -> dict[str, Any]:
    """An edit counts when it changes what is cut from a file that had, and has, something to cut.

    `same_text`: the share of the new chunks whose own text was there before, and only their title or headings not.
    """
    cuts: dict[str, Cut | None] = {}
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for commit in read_history(data):
        for path, text in commit.texts.items():
            before = cuts.pop(path, None)
            if text is None:
                continue
            now = cuts[path] = cut_file(path, text)
            if before and now and before != now and now[1]:
                old = {(before[0], *chunk) for chunk in before[1]}
                fresh = {(now[0], *chunk) for chunk in now[1]} - old
                texts = {chunk[-1] for chunk in old}
                same = sum(chunk[-1] in texts for chunk in fresh)
                found[name_kind(before, now)].append((len(fresh), len(now[1]), same))
    every = [edit for edits in found.values() for edit in edits]
    return {"all": _describe(every, every), **{kind: _describe(edits, every) for kind, edits in found.items()}}


def _describe(edits: Sequence[tuple[int, int, int]], every: Sequence[tuple[int, int, int]]) -> dict[str, float]:
    fresh, chunks, same = (sum(column) for column in zip(*edits, strict=True))
    shares = [new / all_of_it for new, all_of_it, _ in edits]
    return {
        "edits": len(edits),
        "share_of_chunks": round(fresh / chunks, 4),
        "share_of_mean_file": round(statistics.mean(shares), 4),
        "share_of_median_file": round(statistics.median(shares), 4),
        "of_all_new_chunks": round(fresh / sum(edit[0] for edit in every), 4),
        "same_text": round(same / fresh, 4) if fresh else 0.0,
    }


if __name__ == "__main__":
    print(json.dumps(measure_edits(Path(sys.argv[1])), indent=2))
