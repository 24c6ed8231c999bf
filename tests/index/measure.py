"""Every edit of a folder's history, through extraction and chunker alone: `python -m tests.index.measure DIR`.

No test: it prints how much of a changed file is new, for docs/retrieval.md. DIR is as for `tandem bench replay`.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from tandem.evals.history import read_history
from tandem.evals.truth import cut_passages


def measure_edits(data: Path) -> dict[str, Any]:
    """An edit counts when it changes what is cut from a file that had, and has, something to cut."""
    texts: dict[str, str] = {}
    shares, new, total = [], 0, 0
    for commit in read_history(data):
        for path, text in commit.texts.items():
            before = texts.pop(path, None)
            if text is None:
                continue
            texts[path] = text
            if before is None or before == text:
                continue
            old, now = ([passage.hash for passage in cut_passages(path, own.encode())] for own in (before, text))
            if now and old != now:
                fresh = len(set(now) - set(old))
                shares.append(fresh / len(now))
                new, total = new + fresh, total + len(now)
    return {
        "edits": len(shares),
        "embedded_share": {
            "of_all_chunks": round(new / total, 4),
            "mean_of_files": round(statistics.mean(shares), 4),
            "median_of_files": round(statistics.median(shares), 4),
        },
    }


if __name__ == "__main__":
    print(json.dumps(measure_edits(Path(sys.argv[1])), indent=2))
