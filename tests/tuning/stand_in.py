"""A trainer without torch, for what happens around training: it keeps the contract of tandem/tuning/run.py.

It takes its steps one by one and remembers where it stood; it cannot learn.
"""

import json
import sys
import time
from pathlib import Path

from tests.models.lora_files import write_adapter

STEPS = 6


def write_interpreter(folder: Path) -> Path:
    """A script that runs this module whatever it is asked to run."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.tuning.stand_in "$@"\n')
    script.chmod(0o755)
    return script


def main(folder: Path) -> None:
    if (folder / "diverge").exists():
        (folder / "fault.txt").write_text("The loss is no number.")
        raise SystemExit(1)
    done = folder / "stood_at"
    for step in range(int(done.read_text()) if done.exists() else 0, STEPS):
        time.sleep(0.05)
        report = {"step": step + 1, "steps": STEPS, "tokens": 9, "loss": 2.0 - step / 9, "seconds_left": 0.1}
        if step % 2:
            report["validation_loss"] = 1.5 - step / 9
        with (folder / "progress.jsonl").open("a") as file:
            file.write(json.dumps(report) + "\n")
        done.write_text(str(step + 1))
        if (folder / "die").exists() and step == 2:
            (folder / "die").unlink()
            print("the light went out", file=sys.stderr)
            raise SystemExit(3)
    write_adapter(folder / "adapter.gguf", 1)


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
