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

from tandem.tuning.base import find_device, load_tokenizer
from tandem.tuning.lesson import Lesson, read_lessons
from tandem.tuning.packing import Sample
from tandem.tuning.run import FAULT, PROGRESS, REHEARSAL, TRAIN, VALIDATION, CannotTrain, Report, Run, read_run
from tandem.tuning.training import Training

MOST_PROCESSES = 4
"""Each holds the base; beyond this, a process gets several cores."""
NAMED = 5
"""Lessons that a message names."""


def train(folder: Path) -> None:
    """Starts the processes and waits for them; the death of one ends the others and raises ProcessRaisedException. A
    GPU has one."""
    cores = len(os.sched_getaffinity(0))
    processes = min(cores, MOST_PROCESSES) if find_device().type == "cpu" else 1
    meeting = folder / "meeting"
    meeting.unlink(missing_ok=True)
    share = (processes, cores // processes, folder, meeting, os.getpid())
    multiprocessing.spawn(take_part, share, nprocs=processes)


def take_part(rank: int, processes: int, threads: int, folder: Path, meeting: Path, parent: int) -> None:
    """One process of a run; they find each other by the file `meeting`. The first one reports."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(threads)
    distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=processes)
    try:
        do_run(rank, folder)
    except CannotTrain as fault:
        # Whichever is first ends the others, so each one says it.
        partial = folder / f"{FAULT}.{rank}"
        partial.write_text(fault.message, encoding="utf-8")
        partial.replace(folder / FAULT)
        raise
    distributed.destroy_process_group()


def do_run(rank: int, folder: Path) -> None:
    """Raises CannotTrain."""
    run = read_run(folder)
    tokenizer = load_tokenizer(run.base)
    train, validation = (read_samples(folder / name, tokenizer, run) for name in (TRAIN, VALIDATION))
    rehearsed = read_samples(folder / REHEARSAL, tokenizer, run) if (folder / REHEARSAL).exists() else []
    training = Training(run, folder, train, validation, rehearsed)
    with (folder / PROGRESS).open("a", encoding="utf-8") as file:

        def announce(report: Report) -> None:
            if rank == 0:
                file.write(report.model_dump_json() + "\n")
                file.flush()

        training.go(announce)


def read_samples(path: Path, tokenizer: Any, run: Run) -> list[Sample]:
    """Those of a file of lessons. Raises CannotTrain for lessons that are too long, if none may be left out."""
    samples: list[Sample] = []
    long: list[str] = []
    for number, lesson in enumerate(read_lessons(path), 1):
        for sample in make_samples(tokenizer, lesson):
            if len(sample.tokens) <= run.pack_tokens:
                samples.append(sample)
            else:
                name = f"line {number}" if lesson.id is None else f"example {lesson.id}"
                long.append(f"{name} has {len(sample.tokens):,}")
    if long:
        told = f"{', '.join(long[:NAMED])}{', …' if len(long) > NAMED else ''}"
        line = f"{len(long)} lessons of {path.name} have more than {run.pack_tokens:,} tokens: {told}."
        if not run.may_leave_out:
            raise CannotTrain(line)
        print(f"Left out: {line}", file=sys.stderr)
    return samples


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
