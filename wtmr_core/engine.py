"""One epoch of training, and evaluation.

Every epoch has a seed of its own, so that one that starts after a kill samples what it would have sampled. Each of
several processes works on its share of every batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from wtmr_core.data import Batches, Data, Share, inputs
from wtmr_core.datasets import augment
from wtmr_core.settings import Settings
from wtmr_core.state import State

WAIT_EVERY = 16  # steps: the device is waited for now and then only


class NotFinite(ArithmeticError):
    """The loss is not finite; the message names the step and its clips."""


@dataclass(frozen=True)
class Batch:
    """A process's share of a batch, ready for the network."""

    inputs: Tensor  # as `data.inputs` gives them
    targets: Tensor  # (b,) class numbers or, of blended clips, (b, k) parts of classes
    labels: Tensor  # (b,)
    rows: np.ndarray  # (b,) of the data
    share: Share


class Tally:
    """The loss and the correct predictions of this process in the current epoch."""

    def __init__(self, data: Data, epoch: int, steps: int):
        self.names, self.epoch, self.steps = data.cache.index.samples.name, epoch, steps
        self.loss, self.correct, self.clips, self.began = 0.0, 0, 0, time.perf_counter()
        self._pending: list[tuple] = []

    def add(self, step: int, batch: Batch, losses: Tensor, right: Tensor) -> bool:
        """Count a step, at once or later; returns whether all steps so far are counted.

        Args:
            step: number of the step, from 0
            batch: of the step
            losses: (b,)
            right: how many predictions were correct

        Raises:
            NotFinite: naming the first step and its clips, where a loss is not finite.
        """
        self._pending.append((step, batch.rows, losses, right, batch.share.counted))
        if len(self._pending) < WAIT_EVERY and step + 1 < self.steps:
            return False
        for number, rows, values, *_ in self._pending:
            if not (finite := torch.isfinite(values)).all():
                raise NotFinite(
                    f"the loss is not finite at step {number + 1} of epoch {self.epoch + 1}; clips: "
                    f"{', '.join(self.names.iloc[rows[~finite.cpu().numpy()]])}. "
                    "Lower lr, or look at these clips; the last whole epoch is kept"
                )
        counted = [entry for entry in self._pending if entry[-1]]
        self.loss += sum(float(values.sum()) for _, _, values, _, _ in counted)
        self.correct += sum(int(right) for *_, right, _ in counted)
        self.clips += sum(len(rows) for _, rows, *_ in counted)
        self._pending = []
        return True

    def figures(self, done: int) -> dict[str, str]:
        """What the progress bar shows after `done` clips."""
        clips, pace = max(self.clips, 1), done / (time.perf_counter() - self.began)
        return {"loss": f"{self.loss / clips:.3f}", "accuracy": f"{self.correct / clips:.3f}", "clips_s": f"{pace:.0f}"}


def epoch_seed(settings: Settings, epoch: int) -> int:
    """The seed of an epoch, counted from 0."""
    return int(np.random.SeedSequence([settings.seed, epoch]).generate_state(1)[0])


def learning_rate(settings: Settings, epoch: float) -> float:
    """The learning rate after `epoch` epochs, which may be a fraction; for every schedule except `plateau`."""
    if settings.lr_per == "epoch":
        epoch = math.floor(epoch)
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1e-2) / settings.warmup_epochs
    if settings.schedule == "constant":
        return settings.lr
    done = (epoch - settings.warmup_epochs) / max(settings.epochs - settings.warmup_epochs, 1e-9)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def training_batches(data: Data, settings: Settings, worker: Accelerator, seed: int) -> Iterator[Batch]:
    """The training part in an order sampled from `seed`, augmented and, with `mixup`, blended."""
    generator, train = torch.Generator().manual_seed(seed), data.parts["train"]
    order = data.augmented_rows(train[torch.randperm(len(train), generator=generator).numpy()], generator)
    # a clip and its partner may be in different shares: blended first, then shared
    whole = bool(settings.mixup)
    for step, (clips, labels, rows, share) in enumerate(loaded(data, order, settings, worker, whole=whole)):
        x = inputs(
            clips, settings, generator, augmented=True, share=None if whole else share, mirrorable=data.mirrorable[rows]
        )
        targets = labels
        if whole:
            amount = augment.mixup_amount(settings.mixup, (seed, step))
            targets = F.one_hot(labels, len(data.cache.index.classes)).float()
            x, targets = (augment.mixup(both, amount)[share.slice] for both in (x, targets))
            labels, rows = labels[share.slice], rows[share.slice]
        yield Batch(x, targets, labels, rows, share)


def train_epoch(state: State, data: Data, epoch: int, bar: tqdm) -> dict[str, float]:
    """Train the network of `state` on the training part once.

    Args:
        state: of the run; its network, optimiser and moving average are updated
        data: of the run
        epoch: number of the epoch, from 0
        bar: progress bar, advanced at each step

    Returns:
        lr (of the last step), train_loss and train_accuracy (0-1), both measured during training, and clips_per_second.

    Raises:
        NotFinite: where a loss is not finite.
    """
    settings, worker, clips = state.settings, state.worker, len(data.parts["train"])
    seed, steps = epoch_seed(settings, epoch), math.ceil(clips / settings.batch_size)
    torch.manual_seed(seed + worker.process_index)  # dropout is each process's own
    tally, rate = Tally(data, epoch, steps), state.optimizer.param_groups[0]["lr"]
    state.network.train()
    for step, batch in enumerate(training_batches(data, settings, worker, seed)):
        if settings.schedule != "plateau":
            rate = learning_rate(settings, epoch + step / steps)
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["part"] if epoch >= group["start"] else 0.0
        for norm in state.norms:
            norm.together = not batch.share.alone
        update, place = divmod(step, settings.accumulate)
        together = min(settings.accumulate, steps - update * settings.accumulate)  # batches; fewer at an epoch's end
        last = place + 1 == together
        with nullcontext() if last else worker.no_sync(state.network):
            with worker.autocast():
                logits = state.network(batch.inputs)
            losses = F.cross_entropy(
                logits.float(), batch.targets, label_smoothing=settings.label_smoothing, reduction="none"
            )
            # DDP takes the mean of the processes' gradients: together they are those of the whole batch's mean
            share = batch.share
            mean = losses.mean() if share.alone else losses.sum() * worker.num_processes / share.whole
            worker.backward(mean / together)
        if last:
            _step(state, epoch * math.ceil(steps / settings.accumulate) + update + 1)
        if tally.add(step, batch, losses.detach(), (logits.argmax(1) == batch.labels).sum()):
            done = min((step + 1) * settings.batch_size, clips)
            bar.set_postfix(epoch=epoch + 1, **tally.figures(done), refresh=False)
        bar.update()
    loss, correct = summed(torch.tensor([tally.loss, tally.correct], dtype=torch.float64), worker).tolist()
    seconds = time.perf_counter() - tally.began
    return {
        "lr": rate,
        "train_loss": loss / clips,
        "train_accuracy": correct / clips,
        "clips_per_second": clips / seconds,
    }


def _step(state: State, number: int) -> None:
    """Take step number `number` of the run's optimiser, counted from 1."""
    settings, worker = state.settings, state.worker
    if settings.max_grad_norm:
        if settings.unscale_gradients:
            worker.unscale_gradients()
        nn.utils.clip_grad_norm_(state.network.parameters(), settings.max_grad_norm)
    state.optimizer.step()
    state.optimizer.zero_grad()
    if state.average is not None:
        state.average.follow(state.bare_network, number)


@torch.inference_mode()
def evaluate(state: State, data: Data, part: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Evaluate a part: logits (b, k) and labels (b,), on the CPU.

    Nothing is random unless the setting `augment_evaluation` is on: then augmentation is sampled from `seed`. With
    several views, the logits are the logarithm of their mean probabilities.
    """
    settings, worker, network = state.settings, state.worker, state.judged.eval()
    generator, rows, done = torch.Generator().manual_seed(seed), data.parts[part], 0
    logits = torch.zeros(len(rows), len(data.cache.index.classes))
    for clips, _, numbers, share in loaded(data, rows, settings, worker):
        if share.counted:  # what other processes work on stays zero here
            views = []
            for view in range(settings.views):
                x = inputs(
                    clips,
                    settings,
                    generator,
                    augmented=settings.augment_evaluation,
                    share=share,
                    mirrorable=data.mirrorable[numbers],
                    view=view,
                )
                with worker.autocast():
                    views.append(network(x).float().cpu())
            logits[done + share.first : done + share.stop] = (
                views[0] if len(views) == 1 else mean_of_views(torch.stack(views))
            )
        done += share.whole
    return summed(logits, worker), torch.from_numpy(data.labels[rows])


def loaded(
    data: Data, rows: np.ndarray, settings: Settings, worker: Accelerator, whole: bool = False
) -> Iterator[tuple[Tensor, Tensor, np.ndarray, Share]]:
    """Load batch by batch this process's share, or with `whole` the entire batch.

    Yields:
        Clips, labels (b,) and row numbers (b,) of the data, and the share of the batch that belongs to this process.
    """
    batches = [rows[i : i + settings.batch_size] for i in range(0, len(rows), settings.batch_size)]
    shares = [Share.of(len(batch), worker.process_index, worker.num_processes) for batch in batches]
    if not whole:
        batches = [batch[share.slice] for batch, share in zip(batches, shares, strict=True)]
    # no worker processes: a batch is one copy out of the memory map, and they would need as much shared memory
    loader = DataLoader(Batches(data), sampler=batches, batch_size=None, pin_memory=worker.device.type == "cuda")
    for (clips, labels, numbers), share in zip(loader, shares, strict=True):
        yield (
            clips.to(worker.device, non_blocking=True),
            labels.to(worker.device, non_blocking=True),
            np.asarray(numbers),
            share,
        )


def check_finite(logits: Tensor, data: Data, part: str, epoch: int, remedy: str) -> None:
    """Raise `NotFinite`, naming clips of `part`, where their `logits` (b, k) are not finite; `epoch` counts from 1."""
    if not (finite := torch.isfinite(logits).all(dim=1)).all():
        names = data.cache.index.samples.name.iloc[data.parts[part][~finite.numpy()]]
        problem = f"after epoch {epoch} the network gives no finite number for {', '.join(names[:5])}"
        raise NotFinite(f"{problem}: {remedy}")


def summed(values: Tensor, worker: Accelerator) -> Tensor:
    """The sum of `values` over all processes, on the CPU, the same in each of them."""
    if worker.num_processes == 1:
        return values
    return worker.reduce(values.to(worker.device), reduction="sum").cpu()


def mean_of_views(logits: Tensor) -> Tensor:
    """Average views (v, b, k) → (b, k): the logarithm of their mean probabilities."""
    return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of clips whose largest logit is their label; logits (b, k), labels (b,)."""
    return float((logits.argmax(dim=1) == labels).double().mean())
