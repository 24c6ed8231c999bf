"""A trainer without torch, for what happens around training: `stand_in FOLDER` keeps the contract of tuning/run.py.

It takes its steps one by one and remembers where it stood; it cannot learn. `TANDEM_TUNING_PYTHON` names the script
beside this one, which starts it in place of the real one.
"""

import json
import sys
import time
from pathlib import Path

from tests.models.lora_files import write_adapter

STEPS = 6


def main(folder: Path) -> None:
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
