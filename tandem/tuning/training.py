"""Training: LoRA on the frozen base, resumable, stopped where the validation loss no longer falls.

AdamW with linear warm-up and cosine decay; bfloat16 products, float32 adapter and optimiser. Several processes share
each step (one core each does more than one process on all of them, since most operations are small): every one
computes its packs, the gradients are summed, and all take the same step. On a GPU one process does it all.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed
from torch.nn import functional

from tandem.tuning.adapter_file import read_adapter, write_adapter
from tandem.tuning.base import add_lora, find_device, load_base
from tandem.tuning.packing import IGNORED, Group, Pack, Sample, count_labels, fill_packs, group_samples
from tandem.tuning.run import ADAPTER, CHECKPOINT, CannotTrain, Report, Run

WARM_UP = 0.03
FLOOR = 0.05
"""Of the learning rate, where the cosine ends."""
CLIP = 1.0
SAVED_EVERY_S = 120.0
Announce = Callable[[Report], None]


@dataclass
class Progress:
    """What a checkpoint keeps, but for the tensors."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best: float = math.inf
    worse: int = 0
    """Validations since the best one."""
    finished: bool = False
    losses: list[float] = field(default_factory=list)


class Training:
    """One run, as one of the processes of torch's default group; `go` ends it, or goes on where a killed one stood.

    With every step's examples goes a pack of what is `rehearsed`; either side's mean loss counts the same, however many
    tokens it has. Raises CannotTrain where there is nothing to train on or to stop by."""

    def __init__(
        self,
        run: Run,
        folder: Path,
        train: Sequence[Sample],
        validation: Sequence[Sample],
        rehearsed: Sequence[Sample] = (),
    ) -> None:
        for samples, use in ((train, "train on"), (validation, "stop the training by")):
            if not samples:
                raise CannotTrain(f"There is nothing to {use}.")
        self._rank, self._world = distributed.get_rank(), distributed.get_world_size()
        self._run = run
        self._folder = folder
        self._train = group_samples(train, run.pack_tokens)
        self._rehearsed = group_samples(rehearsed, run.pack_tokens)
        self._validation = [*fill_packs(group_samples(validation, run.pack_tokens), run.pack_tokens, run.seed)]
        self._steps = max(1, run.epochs * sum(group.size for group in self._train) // run.step_tokens)
        self._device = find_device()
        base = load_base(run.base).to(self._device)
        self._heads = (base.config.num_attention_heads, base.config.num_key_value_heads)
        self._model = add_lora(base, rank=run.rank, alpha=run.rank, dropout=run.dropout, seed=run.seed).to(self._device)
        if run.start is not None:
            self._load_weights(read_adapter(run.start, heads=self._heads[0], key_heads=self._heads[1]))
        self._tuned = [weight for weight in self._model.parameters() if weight.requires_grad]
        self._optimiser = torch.optim.AdamW(self._tuned, lr=run.learning_rate, weight_decay=0.01)
        self.progress = Progress()
        self._resume()

    def go(self, announce: Announce) -> None:
        """Trains to the end and leaves the best adapter, by validation loss, as ADAPTER in the folder.

        Raises CannotTrain when the loss or the gradient is no number any more."""
        if self._sum(self.progress.step) != self._world * self.progress.step:
            raise RuntimeError("The processes resumed at different steps: another run writes to this folder.")
        every = max(1, self._steps // self._run.validations)
        saved = time.monotonic()
        for packs, rehearsed in self._steps_left():
            started = time.monotonic()
            loss = self._take_step(packs, rehearsed)
            progress = self.progress
            progress.step += 1
            progress.tokens += sum(len(pack.tokens) for pack in (*packs, *rehearsed))
            progress.seconds += time.monotonic() - started
            validation_loss = None
            if progress.step % every == 0 or progress.step == self._steps:
                validation_loss = self._validate()
            if validation_loss is not None or time.monotonic() - saved > SAVED_EVERY_S:
                self._save()
                saved = time.monotonic()
            left = progress.seconds / progress.step * (self._steps - progress.step)
            announce(Report(step=progress.step, steps=self._steps, tokens=progress.tokens, loss=loss,
                            seconds_left=left, validation_loss=validation_loss))  # fmt: skip
            if progress.worse >= self._run.patience:
                break
        self.progress.finished = True
        self._save()

    def _steps_left(self) -> Iterator[tuple[list[Pack], list[Pack]]]:
        """The packs of each step, of examples and of what is rehearsed, from where the run stands; the order follows
        from the seed alone."""
        packs, enough = self._packs(self._train), self._run.step_tokens - self._run.pack_tokens // 2
        others = self._packs(self._rehearsed)
        for step in range(self._steps):
            taken = [next(packs)]
            while sum(len(pack.tokens) for pack in taken) < enough:
                taken.append(next(packs))
            rehearsed = [next(others)] if self._rehearsed else []
            if step >= self.progress.step and not self.progress.finished:
                yield taken, rehearsed

    def _packs(self, groups: Sequence[Group]) -> Iterator[Pack]:
        epoch = 0
        while True:
            yield from fill_packs(groups, self._run.pack_tokens, self._run.seed + epoch)
            epoch += 1

    def _take_step(self, packs: Sequence[Pack], rehearsed: Sequence[Pack]) -> float:
        """Returns the examples' mean loss a token before the step. What is random in it follows from seed, step and
        process."""
        self._model.train()
        torch.manual_seed((self._run.seed * self._steps + self.progress.step) * self._world + self._rank)
        counted, of_rehearsed = count_labels(packs), count_labels(rehearsed)
        total = 0.0
        for at in self._share([*packs, *rehearsed]):
            if at < len(packs):
                loss = self._loss(packs[at])
                (loss / counted).backward()
                total += loss.item()
            else:
                (self._loss(rehearsed[at - len(packs)]) / of_rehearsed).backward()
        total = self._sum(total)
        self._sum_gradients()
        norm = torch.nn.utils.clip_grad_norm_(self._tuned, CLIP)
        self._require_number(total, float(norm))
        for group in self._optimiser.param_groups:
            group["lr"] = self._run.learning_rate * schedule(self.progress.step, self._steps)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return total / counted

    def _share(self, packs: Sequence[Pack]) -> list[int]:
        """This process's, by their places: each, the largest first, goes to whoever has the least, since a step ends
        with the last."""
        loads, own = [0] * self._world, list[int]()
        for at in sorted(range(len(packs)), key=lambda at: -len(packs[at].tokens)):
            least = loads.index(min(loads))
            loads[least] += len(packs[at].tokens)
            if least == self._rank:
                own.append(at)
        return own

    def _loss(self, pack: Pack) -> torch.Tensor:
        """Summed over the pack's labels. Only their positions pass the output layer, the largest of all."""
        at = self._place(np.flatnonzero(pack.labels != IGNORED))
        inner = self._model.get_base_model()
        with torch.autocast(self._device.type, torch.bfloat16):
            hidden = inner.model(
                input_ids=self._place(pack.tokens)[None],
                position_ids=self._place(pack.positions)[None],
                attention_mask=self._place(pack.sees)[None, None],
            ).last_hidden_state
            logits = inner.lm_head(hidden[0, at])
        return functional.cross_entropy(logits.float(), self._place(pack.labels)[at], reduction="sum")

    def _place(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)

    def _validate(self) -> float:
        """The mean loss a token; the adapter is kept when it is the lowest so far."""
        self._model.eval()
        with torch.no_grad():
            own = (self._validation[at] for at in self._share(self._validation))
            total = self._sum(sum(self._loss(pack).item() for pack in own))
        loss = total / count_labels(self._validation)
        self._require_number(loss)
        if loss < self.progress.best:
            self.progress.best, self.progress.worse = loss, 0
            self._write_adapter()
        else:
            self.progress.worse += 1
        return loss

    def _require_number(self, *values: float) -> None:
        if not all(map(math.isfinite, values)):
            raise CannotTrain(
                f"After {self.progress.step} of {self._steps} steps the loss is no number any more: the learning rate"
                f" of {self._run.learning_rate:g} is too high, a tenth of it may do (`--learning-rate`)."
            )

    def _sum(self, value: float) -> float:
        """Over all processes."""
        summed = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(summed)
        return float(summed)

    def _sum_gradients(self) -> None:
        """In one message. A process that had no pack in this step adds nothing; one that is alone has it all."""
        if self._world == 1:
            return
        flat = torch.cat([_gradient(weight).flatten() for weight in self._tuned])
        distributed.all_reduce(flat)
        for weight, part in zip(self._tuned, flat.split([weight.numel() for weight in self._tuned]), strict=True):
            weight.grad = part.view_as(weight)

    def _write_adapter(self) -> None:
        if self._rank == 0:
            heads, key_heads = self._heads
            path, alpha = self._folder / ADAPTER, float(self._run.rank)
            write_adapter(path, self._weights(), alpha=alpha, heads=heads, key_heads=key_heads)

    def _weights(self) -> dict[str, NDArray[np.float32]]:
        return {_name(key): weight.detach().float().cpu().numpy() for key, weight in self._pairs().items()}

    def _load_weights(self, weights: dict[str, NDArray[np.float32]]) -> None:
        with torch.no_grad():
            for key, weight in self._pairs().items():
                weight.copy_(torch.from_numpy(weights[_name(key)]))

    def _pairs(self) -> dict[str, torch.nn.Parameter]:
        return {key: weight for key, weight in self._model.named_parameters() if weight.requires_grad}

    def _save(self) -> None:
        """A checkpoint, replaced in one step: a kill leaves the old one or the new one."""
        if self._rank != 0:
            return
        partial = self._folder / f"{CHECKPOINT}.partial"
        state: dict[str, Any] = {
            "weights": {key: weight.detach() for key, weight in self._pairs().items()},
            "optimiser": self._optimiser.state_dict(),
            "progress": vars(self.progress),
        }
        torch.save(state, partial)
        partial.replace(self._folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self._folder / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self._device, weights_only=True)
        with torch.no_grad():
            for key, weight in self._pairs().items():
                weight.copy_(state["weights"][key])
        self._optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])


def _gradient(weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate at a step."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done))


def _name(key: str) -> str:
    """peft's `base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight` as `adapter_file` names it."""
    return key.removeprefix("base_model.model.").removesuffix(".default.weight")
