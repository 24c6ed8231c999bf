"""Runs in the tuning environment: `packed_losses FOLDER` prints the loss of lessons in one pack, and one by one."""

import json
import sys
from pathlib import Path

import torch
from torch import distributed

from tandem.tuning.base import load_tokenizer
from tandem.tuning.lesson import read_lessons
from tandem.tuning.packing import fill_packs, group_samples, make_pack
from tandem.tuning.run import TRAIN, read_run
from tandem.tuning.trainer import make_samples
from tandem.tuning.training import Training


def main(folder: Path) -> None:
    distributed.init_process_group("gloo", init_method=(folder / "alone").as_uri(), rank=0, world_size=1)
    torch.manual_seed(0)
    run = read_run(folder)
    tokenizer = load_tokenizer(run.base)
    samples = [sample for lesson in read_lessons(folder / TRAIN) for sample in make_samples(tokenizer, lesson)]
    training = Training(run, folder, samples, samples)
    [pack] = fill_packs(group_samples(samples, run.pack_tokens), run.pack_tokens, 0)
    alone = [make_pack(group_samples([sample], run.pack_tokens)) for sample in samples]
    with torch.no_grad():
        losses = [float(training._loss(one)) for one in (pack, *alone)]
    print(json.dumps({"packed": losses[0], "alone": sum(losses[1:]), "sizes": [len(p.tokens) for p in (pack, *alone)]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
