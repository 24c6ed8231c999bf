"""The trainer: `python -m tandem.tuning.trainer FOLDER` does the run in the folder, or what is left of it."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from tandem.tuning.base import load_tokenizer
from tandem.tuning.lesson import Lesson, read_lessons
from tandem.tuning.packing import Sample
from tandem.tuning.run import PROGRESS, TRAIN, VALIDATION, Report, read_run
from tandem.tuning.training import Training

MOST_PROCESSES = 4
"""Each holds the base; beyond this, a process gets several cores."""


def train(folder: Path) -> None:
    """Starts the processes and waits for them; the death of one ends the others and raises ProcessRaisedException."""
    cores = len(os.sched_getaffinity(0))
    processes = min(cores, MOST_PROCESSES)
    meeting = folder / "meeting"
    meeting.unlink(missing_ok=True)
    share = (processes, cores // processes, folder, meeting, os.getpid())
    multiprocessing.spawn(take_part, share, nprocs=processes)


def take_part(rank: int, processes: int, threads: int, folder: Path, meeting: Path, parent: int) -> None:
    """One process of a run; they find each other by the file `meeting`. The first one reports."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=processes)
    run = read_run(folder)
    tokenizer = load_tokenizer(run.base)
    samples = [
        [
            sample
            for lesson in read_lessons(folder / name)
            for sample in make_samples(tokenizer, lesson)
            if len(sample.tokens) <= run.pack_tokens
        ]
        for name in (TRAIN, VALIDATION)
    ]
    training = Training(run, folder, *samples)
    with (folder / PROGRESS).open("a", encoding="utf-8") as file:

        def announce(report: Report) -> None:
            if rank == 0:
                file.write(report.model_dump_json() + "\n")
                file.flush()

        training.go(announce)
    distributed.destroy_process_group()


def end_with(parent: int) -> None:
    """Ends this process once its parent is gone: a killed run must not go on beside the one that resumes it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def make_samples(tokenizer: Any, lesson: Lesson) -> Iterator[Sample]:
    """The conversation by the model's own template, with the end of the last turn as the last token to predict."""
    *before, reply = [{"role": message.role, "content": message.content} for message in lesson.messages]
    prompt = tokenizer.apply_chat_template(before, add_generation_prompt=True, tokenize=False)
    head = tokenizer.encode(prompt, add_special_tokens=False)
    tail = tokenizer.encode(reply["content"], add_special_tokens=False)
    yield Sample((*head, *tail, tokenizer.eos_token_id), len(head))


if __name__ == "__main__":
    train(Path(sys.argv[1]))
