"""One run: from recordings to a finished run folder, on the CPU, one GPU or several processes."""

from __future__ import annotations

import copy
import ctypes
import logging
import math
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from wtmr_core import checkpoint, distributed, environment, epochs, runs
from wtmr_core.data import Batches, Data, Share, inputs, prepare_clips, resolve
from wtmr_core.datasets import augment
from wtmr_core.metrics import scores
from wtmr_core.models.synced import synced
from wtmr_core.processes import cores
from wtmr_core.settings import Settings

log = logging.getLogger(__name__)
TIMES = ["seconds", "clips_per_second"]  # of an epoch; all else is the same each time


class NotFinite(ArithmeticError):
    """The loss is not a finite number; the message names the step and its clips."""


def prepare(settings: Settings, root: str | Path | None = None) -> Data:
    """Find, index, decode and divide the clips of a run. Raises `DataError` where that cannot be done, and
    `SettingsError` before anything is decoded where the network's sizes do not fit."""
    with torch.device("meta"):
        checkpoint.new_network(checkpoint.without_files(settings), classes=2)
    return prepare_clips(settings, root)


def run(settings: Settings, results: Path, root: str | Path | None = None) -> Path:
    """Train and evaluate as `settings` say; the run's folder below `results`, finished.

    A finished run is returned as it is; a half-done one goes on after its last whole epoch and ends with
    the numbers of one that was never stopped. Published: the last epoch counts, train accuracy is the
    running one, and what is called test is the validation part, as in the paper. Corrected: the epoch that
    `epochs.chosen_epoch` chooses on validation, and test is read once, at the end.

    More than one process are started with torchrun, after the clips were prepared here.
    Raises `DataError`, `NotFinite`, and `RunError`, as where another process trains this run.
    """
    settings = resolve(settings, root)
    data = prepare(settings, root)
    fingerprint = data.cache.fingerprint()
    folder = runs.folder(results, settings, fingerprint)
    if runs.finished(folder):
        if (folder / runs.STATE).is_file():  # stopped at the very end
            (folder / runs.STATE).unlink()
        return folder
    if settings.processes * settings.nodes > 1 and not environment.started_by_torchrun():
        distributed.launch(settings, results, root)
        return folder
    if settings.threads or "OMP_NUM_THREADS" not in os.environ:  # torch knows nothing of a container's quota
        torch.set_num_threads(settings.threads or min(torch.get_num_threads(), cores()))
    keep_memory()
    worker = accelerator(settings)
    opened = runs.opened(folder, settings, fingerprint) if worker.is_main_process else nullcontext()
    with opened:
        worker.wait_for_everyone()
        if not runs.finished(folder):
            _Run(settings, data, folder, worker).to_the_end()
    return folder


def keep_memory() -> None:
    """Ask glibc to keep freed memory for the next step: on the CPU, fetching each large tensor's pages anew from
    the system took a third of the time of a step (see benchmarks). Elsewhere than on glibc nothing happens."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: freed memory is not given back


@environment.cleaned()
def accelerator(settings: Settings) -> Accelerator:
    """The device and precision of a run.

    `auto` precision: fp32 on the CPU; on a GPU bf16 where it is built in, else fp16 with a scaled loss;
    the published protocol takes fp16 on any GPU, as the paper did.
    """
    launched = environment.started_by_torchrun()
    if not launched:  # Accelerate keeps its state for the whole process and refuses another precision; a run is its own
        AcceleratorState._reset_state(reset_partial_state=True)
    cpu = settings.device == "cpu" or not torch.cuda.is_available()
    number = int(settings.device.partition(":")[2] or 0)
    if settings.device.startswith("cuda") and (cpu or number >= torch.cuda.device_count()):
        raise runs.RunError(f"device is {settings.device}, but torch sees {torch.cuda.device_count()} GPUs: use auto")
    if not cpu:
        if not launched:  # torchrun's processes each take their own
            torch.cuda.set_device(number)
        torch.backends.cudnn.deterministic = True
    precision = settings.precision
    if precision == "auto":
        built_in = not cpu and torch.cuda.get_device_capability() >= (8, 0)
        precision = "fp32" if cpu else "bf16" if built_in and settings.protocol == "corrected" else "fp16"
    if precision == "fp16" and cpu:
        raise runs.RunError("precision is fp16, which needs a GPU: use auto, fp32 or bf16")
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=cpu)


def learning_rate(settings: Settings, epoch: float) -> float:
    """The learning rate `epoch` (a fraction too) epochs into the run, for all schedules but `plateau`."""
    if settings.protocol == "published":
        epoch = math.floor(epoch)  # stepped once an epoch
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1e-2) / settings.warmup_epochs
    if settings.schedule == "constant":
        return settings.lr
    done = (epoch - settings.warmup_epochs) / max(settings.epochs - settings.warmup_epochs, 1e-9)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


@dataclass
class _Progress:
    """What goes on after a kill besides weights and optimizer."""

    epoch: int = 0  # whole epochs done
    seconds: float = 0.0
    best: int = 0  # the epoch chosen so far, from 1
    history: list[dict[str, float]] = field(default_factory=list)


class _Run:
    """The state of a run in the making."""

    def __init__(self, settings: Settings, data: Data, folder: Path, worker: Accelerator):
        self.settings, self.data, self.folder, self.accelerator = settings, data, folder, worker
        self.identity = runs.read_json(folder / runs.SETTINGS)
        self.published = settings.protocol == "published"
        torch.manual_seed(settings.seed)
        fresh = checkpoint.new_network(settings, len(data.cache.index.classes))
        self.norms = synced(fresh) if worker.num_processes > 1 else []
        optimizer = torch.optim.AdamW(fresh.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        # what is evaluated and kept: the network, or the moving average of its weights
        self.average = copy.deepcopy(fresh).to(worker.device).requires_grad_(False) if settings.average else None
        self.network, self.optimizer = self.accelerator.prepare(fresh, optimizer)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer.optimizer, factor=0.5, patience=5)
        self.progress, self.chosen = _Progress(), {}
        self.steps = math.ceil(len(data.parts["train"]) / settings.batch_size)

    def to_the_end(self) -> None:
        if self.accelerator.is_main_process:
            for name in (runs.METRICS, runs.SUMS, runs.PREDICTIONS, runs.WEIGHTS):  # of a record without weights
                (self.folder / name).unlink(missing_ok=True)
            precision = self.accelerator.mixed_precision.replace("no", "fp32")
            known = runs.environment(str(self.accelerator.device), precision, self.accelerator.num_processes)
            runs.write_json(self.folder / runs.ENVIRONMENT, known)
        self._resume()
        total = self.settings.epochs * self.steps
        with tqdm(total=total, initial=self.progress.epoch * self.steps, desc=self.folder.name.rsplit("-", 1)[0],
                  unit="step", mininterval=1.0, disable=not self.accelerator.is_main_process) as bar:  # fmt: skip
            while self.progress.epoch < self.settings.epochs:
                self._epoch(bar)
                self._save()
        self._finish()
        self.accelerator.wait_for_everyone()

    # -- one epoch

    def _epoch(self, bar: tqdm) -> None:
        number, began = self.progress.epoch, time.perf_counter()
        # every epoch has its own seed, so one that begins after a kill draws what it would have drawn
        seed = self._seed(number)
        torch.manual_seed(seed + self.accelerator.process_index)  # dropout is each process's own
        generator = torch.Generator().manual_seed(seed)
        train = self.data.parts["train"][torch.randperm(len(self.data.parts["train"]), generator=generator).numpy()]
        rate = self.optimizer.param_groups[0]["lr"]
        loss, correct, counted, unchecked = 0.0, 0, 0, []
        self.network.train()
        self.updates = number * math.ceil(self.steps / self.settings.accumulate)
        for step, (clips, labels, rows, share) in enumerate(self._batches(train, whole=bool(self.settings.mixup))):
            if self.settings.schedule != "plateau":
                rate = learning_rate(self.settings, number + step / self.steps)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
            for norm in self.norms:
                norm.together = not share.alone
            last = (step + 1) % self.settings.accumulate == 0 or step + 1 == self.steps
            x = inputs(clips, self.settings, generator, augmented=True,
                       share=None if self.settings.mixup else share, mirrorable=self.data.mirrorable[rows])  # fmt: skip
            targets = labels
            if self.settings.mixup:  # a clip and its partner may be in different shares: blended first, then shared
                amount = augment.mixup_amount(self.settings.mixup, (seed, step))
                targets = F.one_hot(labels, len(self.data.cache.index.classes)).float()
                x, targets = (augment.mixup(whole, amount)[share.slice] for whole in (x, targets))
                labels, rows = labels[share.slice], rows[share.slice]
            with nullcontext() if last else self.accelerator.no_sync(self.network):
                with self.accelerator.autocast():
                    logits = self.network(x)
                losses = F.cross_entropy(
                    logits.float(), targets, label_smoothing=self.settings.label_smoothing, reduction="none"
                )
                # DDP takes the mean of the processes' gradients: together they are those of the whole batch's mean
                mean = losses.mean() if share.alone else losses.sum() * self.accelerator.num_processes / share.whole
                self.accelerator.backward(mean / self._together(step))
            if last:
                self._step()
            unchecked.append((step, rows, losses.detach(), (logits.argmax(1) == labels).sum(), share.counted))
            if len(unchecked) == 16 or step + 1 == self.steps:  # the device is waited for now and then only
                added, right, clips_seen = self._checked(unchecked, number)
                loss, correct, counted, unchecked = loss + added, correct + right, counted + clips_seen, []
                done = min((step + 1) * self.settings.batch_size, len(train))
                pace = done / (time.perf_counter() - began)
                bar.set_postfix(
                    epoch=number + 1, loss=f"{loss / max(counted, 1):.3f}", accuracy=f"{correct / max(counted, 1):.3f}",
                    clips_s=f"{pace:.0f}", refresh=False,
                )  # fmt: skip
            bar.update()
        loss, correct = self._summed(torch.tensor([loss, correct], dtype=torch.float64)).tolist()
        trained = time.perf_counter() - began
        val_logits, val_labels = self.evaluate("val", seed)
        self._check_finite(val_logits, "val", number + 1, "lower lr; the epoch before is kept")
        val_loss = float(F.cross_entropy(val_logits, val_labels)) if len(val_labels) else math.nan
        if self.settings.schedule == "plateau":
            self.plateau.step(val_loss)
        row = {
            "epoch": number + 1,
            "lr": rate,
            "train_loss": loss / len(train),
            "train_accuracy": correct / len(train),
            "val_loss": val_loss,
            "val_accuracy": accuracy(val_logits, val_labels),
            "seconds": time.perf_counter() - began,
            "clips_per_second": len(train) / trained,
        }
        history = [*self.progress.history, row]
        best = epochs.chosen_epoch(history, len(val_labels), self.settings.epoch_choice)
        if best == number + 1:
            self.chosen = {k: v.detach().cpu().clone() for k, v in self._judged.state_dict().items()}
        self.progress = _Progress(number + 1, self.progress.seconds + row["seconds"], best, history)

    def _seed(self, epoch: int) -> int:
        """Of epoch `epoch`, counted from 0."""
        return int(np.random.SeedSequence([self.settings.seed, epoch]).generate_state(1)[0])

    def _together(self, step: int) -> int:
        """How many batches make the optimizer step that `step` belongs to; fewer at the end of an epoch."""
        first = step - step % self.settings.accumulate
        return min(self.settings.accumulate, self.steps - first)

    def _step(self) -> None:
        if self.settings.clip_norm:
            if not self.published:  # as released: the norm is clipped while gradients are still scaled
                self.accelerator.unscale_gradients()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.updates += 1
        if self.average is not None:
            self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average a step towards the weights, and BatchNorm's figures with them; faster in the beginning,
        when what it averages is still near the random start."""
        decay = min(self.settings.average, (1 + self.updates) / (10 + self.updates))
        now = self.accelerator.unwrap_model(self.network).state_dict()
        for name, mean in self.average.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - decay)
            else:
                mean.copy_(now[name])

    @property
    def _judged(self) -> nn.Module:
        """What is evaluated and kept."""
        return self.accelerator.unwrap_model(self.network) if self.average is None else self.average

    def _checked(self, unchecked: list, epoch: int) -> tuple[float, int, int]:
        """Summed loss, right answers and clips of `unchecked` steps; raises `NotFinite` naming the first bad one."""
        for step, rows, losses, *_ in unchecked:
            if not torch.isfinite(losses).all():
                names = self.data.cache.index.samples.name.iloc[rows[~torch.isfinite(losses).cpu().numpy()]]
                raise NotFinite(
                    f"the loss is not finite at step {step + 1} of epoch {epoch + 1}; clips: {', '.join(names)}. "
                    "Lower lr, or look at these clips; the last whole epoch is kept"
                )
        counted = [w for w in unchecked if w[4]]
        return sum(float(w[2].sum()) for w in counted), sum(int(w[3]) for w in counted), sum(len(w[1]) for w in counted)

    def _check_finite(self, logits: Tensor, part: str, epoch: int, remedy: str) -> None:
        """Raises `NotFinite`, naming clips of `part`, where their `logits` (b, k) are no numbers."""
        if not (finite := torch.isfinite(logits).all(dim=1)).all():
            names = self.data.cache.index.samples.name.iloc[self.data.parts[part][~finite.numpy()]]
            what = f"after epoch {epoch} the network gives no finite number for {', '.join(names[:5])}"
            raise NotFinite(f"{what}: {remedy}")

    def _summed(self, values: Tensor) -> Tensor:
        """The sum of `values`, on the CPU, over all processes: the same in each of them."""
        if self.accelerator.num_processes == 1:
            return values
        return self.accelerator.reduce(values.to(self.accelerator.device), reduction="sum").cpu()

    def _batches(self, rows: np.ndarray, whole: bool = False) -> Iterator[tuple[Tensor, Tensor, np.ndarray, Share]]:
        """Clips, labels and row numbers of this process's share of each batch, or of the `whole` batch, and which
        share that is."""
        size, here, of = self.settings.batch_size, self.accelerator.process_index, self.accelerator.num_processes
        everything = [rows[i : i + size] for i in range(0, len(rows), size)]
        shares = [Share.of(len(batch), here, of) for batch in everything]
        batches = everything if whole else [batch[share.slice] for batch, share in zip(everything, shares, strict=True)]
        # no worker processes: a batch is one copy out of the memory map, and they would need as much shared memory
        on_gpu = self.accelerator.device.type == "cuda"
        loader = DataLoader(Batches(self.data), sampler=batches, batch_size=None, pin_memory=on_gpu)
        for (clips, labels, numbers), share in zip(loader, shares, strict=True):
            yield (clips.to(self.accelerator.device, non_blocking=True),
                   labels.to(self.accelerator.device, non_blocking=True), np.asarray(numbers), share)  # fmt: skip

    @torch.inference_mode()
    def evaluate(self, part: str, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Logits (b, k) and labels (b,) of a part, on the CPU: nothing random, but as published, where
        evaluation goes through the augmenting transform, drawn from `seed`. Of several views the logits are the
        logarithm of their mean probabilities."""
        network = self._judged.eval()
        generator = torch.Generator().manual_seed(seed)
        rows, done = self.data.parts[part], 0
        logits = torch.zeros(len(rows), len(self.data.cache.index.classes))
        for clips, _, _, share in self._batches(rows):
            if share.counted:  # what other processes work on stays zero here
                views = []
                for view in range(self.settings.views):
                    x = inputs(clips, self.settings, generator, augmented=self.published, share=share, view=view)
                    with self.accelerator.autocast():
                        views.append(network(x).float().cpu())
                out = views[0] if len(views) == 1 else _of_views(torch.stack(views))
                logits[done + share.first : done + share.behind] = out
            done += share.whole
        return self._summed(logits), torch.from_numpy(self.data.labels[rows])

    # -- keeping it

    def _save(self) -> None:
        if not self.accelerator.is_main_process:
            return
        self._save_history()
        scaler = self.accelerator.scaler
        state = {
            "settings": self.identity,
            "progress": asdict(self.progress),
            "network": self.accelerator.unwrap_model(self.network).state_dict(),
            "chosen": self.chosen,
            "average": {} if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }
        runs.write(self.folder / runs.STATE, lambda p: torch.save(state, p))

    def _save_history(self) -> None:
        history = pd.DataFrame(self.progress.history)
        for name, columns in ((runs.HISTORY, runs.HISTORY_COLUMNS), (runs.TIMING, ["epoch", *TIMES])):
            runs.write_text(self.folder / name, history[columns].to_csv(index=False, lineterminator="\n"))

    def _resume(self) -> None:
        file = self.folder / runs.STATE
        if not file.is_file():
            return
        state = read_state(file)
        if different := runs.other(self.identity, state["settings"]):
            raise runs.RunError(f"{file} belongs to a run with another {different[0]}: delete it to begin again")
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])
        if self.accelerator.scaler and state["scaler"]:  # begun in another precision, it has none
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.progress, self.chosen = _Progress(**state["progress"]), state["chosen"]
        log.info("%s: going on after epoch %d", self.folder.name, self.progress.epoch)

    def _finish(self) -> None:
        self._judged.load_state_dict(self.chosen)
        history = self.progress.history
        chosen = history[self.progress.best - 1]
        logits, labels = self.evaluate("test", self._seed(self.progress.best - 1))
        self._check_finite(logits, "test", self.progress.best, f"lower lr, or delete {self.folder} and run it again")
        train = chosen["train_accuracy"] if self.published else accuracy(*self.evaluate("train"))
        if not self.accelerator.is_main_process:
            return
        test = chosen["val_accuracy"] if self.published else accuracy(logits, labels)
        index = self.data.cache.index
        metrics = {
            "train_accuracy": train,
            "val_accuracy": None if math.isnan(chosen["val_accuracy"]) else chosen["val_accuracy"],
            "test_accuracy": test,
            "test": scores(labels.numpy(), logits.numpy()),
            "test_is": "the validation part, as published" if self.published else f"split {self.settings.split}",
            "validation": self.data.validation,
            "epochs": self.settings.epochs,
            "chosen_epoch": self.progress.best,
            "epoch_choice": epochs.in_words(history, len(self.data.parts["val"]), self.settings.epoch_choice),
            "seconds": self.progress.seconds,
            "clips_per_second": float(np.median([row["clips_per_second"] for row in history])),
            "clips": {part: len(rows) for part, rows in self.data.parts.items()},
            "classes": len(index.classes),
            "skipped": index.skips(),
            "remarks": {reason: len(names) for reason, names in index.remarks.groupby("reason").name},
            "examples": {"skipped": _first_names(index.skipped), "remarks": _first_names(index.remarks)},
        }
        tested = index.samples.iloc[self.data.parts["test"]]
        arrays = {
            "names": tested.name.to_numpy(str),
            "groups": tested.unit.to_numpy(str),
            "labels": labels.numpy(),
            "logits": logits.numpy(),
            "classes": np.array(index.classes),
        }
        runs.write(self.folder / runs.WEIGHTS, lambda p: save_file(self.chosen, p))
        runs.write(self.folder / runs.PREDICTIONS, lambda p: np.savez(p, **arrays))
        self._save_history()  # nothing is signed that is only believed to lie there
        runs.write_json(self.folder / runs.METRICS, metrics)
        runs.sign(self.folder)
        (self.folder / runs.STATE).unlink(missing_ok=True)


def read_state(file: Path) -> dict[str, Any]:
    """Read a `state.pt`; raises `RunError` where anything in it is not as it was written."""
    try:
        with zipfile.ZipFile(file) as archive:
            if name := archive.testzip():  # torch itself looks at no sum
                raise ValueError(f"{name} in it has another sum")
        state = torch.load(file, map_location="cpu", weights_only=True)
        return state | {"settings": dict(state["settings"])}
    except Exception as error:  # torch raises many kinds for a damaged file
        raise runs.RunError(f"{file} is damaged ({error}): delete it to begin the run again") from error


def _first_names(clips: pd.DataFrame) -> dict[str, list[str]]:
    """Of each reason in a table of skipped or remarked clips the first three names."""
    return {reason: names.head(3).tolist() for reason, names in clips.groupby("reason").name}


def _of_views(logits: Tensor) -> Tensor:
    """(v, b, k) → (b, k): the logarithm of the mean of the views' probabilities."""
    return logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of clips whose largest logit is their label; logits (b, k), labels (b,)."""
    return float((logits.argmax(dim=1) == labels).double().mean())
