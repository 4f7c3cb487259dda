"""One run: from an index to a finished run folder, on the CPU or one GPU."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
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
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from wtmr_core import datasets, runs
from wtmr_core.datasets import augment
from wtmr_core.datasets.clips import Cache, ClipFormat, cached
from wtmr_core.datasets.splits import corrected_parts, published_parts
from wtmr_core.models.released import build
from wtmr_core.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class NotFinite(ArithmeticError):
    """The loss is not a finite number; the message names the step and its clips."""


# -- data -----------------------------------------------------------------------------------------------------


def clip_format(settings: Settings) -> ClipFormat:
    """How the cache holds the clips of a run."""
    reader = settings.protocol if settings.dataset == "ntu60" else "corrected"  # only there the paper's reading differs
    if settings.dataset == "ntu60":
        return ClipFormat(settings.stored_frames, bodies=1 if reader == "published" else 2, reader=reader)
    rgb = settings.dataset == "svideoqa"
    return ClipFormat(settings.stored_frames, settings.size, 3 if rgb else 1, choice="flow" if rgb else "uniform")


@dataclass(frozen=True)
class Data:
    """What a run reads: the cached clips, the rows of each part, and how validation was cut, in words."""

    cache: Cache
    parts: dict[str, np.ndarray]
    validation: str

    @property
    def labels(self) -> np.ndarray:
        """(b,) class numbers of all kept clips."""
        return self.cache.index.samples.label.to_numpy()


def resolve(settings: Settings, root: str | Path | None = None) -> Settings:
    """The same settings with `auto` as split replaced by the first that can be read below the data set's root."""
    if settings.split != "auto":
        return settings
    reader = datasets.module(settings.dataset)
    available = reader.splits(datasets.find(settings.dataset, root, scale=settings.scale))
    return replace(settings, split=next(iter(available), reader.SPLITS[0]))


def prepare(settings: Settings, root: str | Path | None = None) -> Data:
    """Find, index, decode and divide the clips of a run. Raises `DataError` where that cannot be done."""
    settings = resolve(settings, root)
    with torch.device("meta"):
        network(settings, classes=2)  # sizes that do not fit are said before anything is decoded
    found = datasets.find(settings.dataset, root, scale=settings.scale)
    index = datasets.open_index(settings.dataset, found, settings.split, protocol=settings.protocol)
    read = datasets.module(settings.dataset).read
    cache = cached(index, read, clip_format(settings), datasets.cache_home(), workers=settings.workers or None)
    if settings.protocol == "published":
        parts, said = published_parts(len(cache.index), settings.seed), "20 % of all clips, drawn by clip"
    else:
        parts, said = corrected_parts(cache.index.samples, settings.val_fraction, settings.seed)
    return Data(cache, parts, said)


def network(settings: Settings, classes: int) -> nn.Module:
    """The network of a run, fresh; raises `SettingsError` where its sizes do not fit each other."""
    sizes = {k: getattr(settings, k) for k in ("width", "depth", "heads", "conv_channels", "dropout", "frames")}
    if settings.size:
        sizes["size"] = settings.size
    try:
        return build(settings.dataset, settings.model, classes=classes, **sizes)
    except ValueError as error:
        raise SettingsError(f"{settings.model} on {settings.dataset}: {error}") from error


class _Batches(Dataset):
    """Whole batches by their row numbers, straight from the memory-mapped cache."""

    def __init__(self, data: Data):
        self.clips, self.labels = data.cache.clips, torch.from_numpy(data.labels)

    def __getitem__(self, rows: np.ndarray) -> tuple[Tensor, Tensor, np.ndarray]:
        return torch.from_numpy(np.ascontiguousarray(self.clips[rows])), self.labels[rows], rows


def inputs(clips: Tensor, settings: Settings, generator: torch.Generator | None, *, augmented: bool) -> Tensor:
    """A batch from the cache -> what the network takes: (b, t, c, h, w) pictures or (b, t, j, 3) joints.

    `augmented`: with numbers drawn from `generator`; otherwise nothing is random.
    """
    published = settings.protocol == "published"
    draw = None
    if augmented:
        strengths = {k: getattr(settings, k) for k in ("flip", "rotate", "shift", "zoom", "jitter", "noise")}
        draw = augment.Draw(generator, per_frame=published, **strengths)
    chosen = augment.pick(clips.shape[1], settings.frames, len(clips), generator if augmented else None)
    if clips.shape[1] != settings.frames:
        clips = clips[torch.arange(len(clips))[:, None], chosen]
    if settings.dataset == "ntu60":  # the released networks take one body
        return augment.joints(clips, draw, centred=not published)[:, :, 0]
    return augment.frames(clips, draw)


# -- one run --------------------------------------------------------------------------------------------------


def run(settings: Settings, results: Path, root: str | Path | None = None) -> Path:
    """Train and evaluate as `settings` say; the run's folder below `results`, finished.

    A finished run is returned as it is; a half-done one goes on after its last whole epoch and ends with
    the numbers of one that was never stopped. Published: the last epoch counts, train accuracy is the
    running one, and what is called test is the validation part, as in the paper. Corrected: the epoch with
    the best validation accuracy (then the lower loss), and test is read once, at the end.
    Raises `DataError`, `RunError`, `NotFinite`.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    settings = resolve(settings, root)
    data = prepare(settings, root)
    folder = runs.open_folder(results, settings, data.cache.index.fingerprint())
    if not runs.finished(folder):
        _keep_memory()
        _Run(settings, data, folder).to_the_end()
    (folder / runs.STATE).unlink(missing_ok=True)
    return folder


def _keep_memory() -> None:
    """Ask glibc to keep freed memory for the next step: on the CPU, fetching each large tensor's pages anew from
    the system took a third of the time of a step (see benchmarks). Elsewhere than on glibc nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: freed memory is not given back


def accelerator(settings: Settings) -> Accelerator:
    """The device and precision of a run.

    `auto` precision: fp32 on the CPU; on a GPU bf16 where it is built in, else fp16 with a scaled loss;
    the published protocol takes fp16 on any GPU, as the paper did.
    """
    # Accelerate keeps its state for the whole process and refuses another precision; a run is its own
    AcceleratorState._reset_state(reset_partial_state=True)
    cpu = settings.device == "cpu" or not torch.cuda.is_available()
    number = int(settings.device.partition(":")[2] or 0)
    if settings.device.startswith("cuda") and (cpu or number >= torch.cuda.device_count()):
        raise runs.RunError(f"device is {settings.device}, but torch sees {torch.cuda.device_count()} GPUs: use auto")
    if not cpu:
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

    def __init__(self, settings: Settings, data: Data, folder: Path):
        self.settings, self.data, self.folder = settings, data, folder
        self.identity = runs.read_json(folder / runs.SETTINGS)
        self.published = settings.protocol == "published"
        self.accelerator = accelerator(settings)
        torch.manual_seed(settings.seed)
        fresh = network(settings, len(data.cache.index.classes))
        optimizer = torch.optim.AdamW(fresh.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        self.network, self.optimizer = self.accelerator.prepare(fresh, optimizer)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer.optimizer, factor=0.5, patience=5)
        self.progress, self.chosen = _Progress(), {}
        self.steps = math.ceil(len(data.parts["train"]) / settings.batch_size)
        runs.write_json(
            folder / runs.ENVIRONMENT,
            runs.environment(str(self.accelerator.device), self.accelerator.mixed_precision.replace("no", "fp32")),
        )

    def to_the_end(self) -> None:
        self._resume()
        total = self.settings.epochs * self.steps
        with tqdm(total=total, initial=self.progress.epoch * self.steps, desc=self.folder.name.rsplit("-", 1)[0],
                  unit="step", mininterval=1.0) as bar:  # fmt: skip
            while self.progress.epoch < self.settings.epochs:
                self._epoch(bar)
                self._save()
        self._finish()

    # -- one epoch

    def _epoch(self, bar: tqdm) -> None:
        number, began = self.progress.epoch, time.perf_counter()
        # every epoch has its own seed, so one that begins after a kill draws what it would have drawn
        seed = self._seed(number)
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        train = self.data.parts["train"][torch.randperm(len(self.data.parts["train"]), generator=generator).numpy()]
        rate = self.optimizer.param_groups[0]["lr"]
        loss, correct, waiting = 0.0, 0, []
        self.network.train()
        for step, (clips, labels, rows) in enumerate(self._batches(train)):
            if self.settings.schedule != "plateau":
                rate = learning_rate(self.settings, number + step / self.steps)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
            x = inputs(clips, self.settings, generator, augmented=True)  # in full precision
            with self.accelerator.autocast():
                logits = self.network(x)
            each = F.cross_entropy(
                logits.float(), labels, label_smoothing=self.settings.label_smoothing, reduction="none"
            )
            self.accelerator.backward(each.mean() / self._together(step))
            if (step + 1) % self.settings.accumulate == 0 or step + 1 == self.steps:
                self._step()
            waiting.append((step, rows, each.detach(), (logits.argmax(1) == labels).sum()))
            if len(waiting) == 16 or step + 1 == self.steps:  # the device is waited for now and then only
                added, right = self._checked(waiting, number)
                loss, correct, waiting = loss + added, correct + right, []
                done = min((step + 1) * self.settings.batch_size, len(train))
                pace = done / (time.perf_counter() - began)
                bar.set_postfix(
                    epoch=number + 1, loss=f"{loss / done:.3f}", accuracy=f"{correct / done:.3f}",
                    clips_s=f"{pace:.0f}", refresh=False,
                )  # fmt: skip
            bar.update()
        trained = time.perf_counter() - began
        val_logits, val_labels = self.evaluate("val", seed)
        if not (finite := torch.isfinite(val_logits).all(dim=1)).all():
            names = self.data.cache.index.samples.name.iloc[self.data.parts["val"][~finite.numpy()]]
            raise NotFinite(f"after epoch {number + 1} the network gives no finite number for {', '.join(names[:5])}: "
                            "lower lr; the epoch before is kept")  # fmt: skip
        val_loss = float(F.cross_entropy(val_logits, val_labels))
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
        best = number + 1
        if not self.published:
            best = int(max(history, key=lambda r: (r["val_accuracy"], -r["val_loss"]))["epoch"])
        if best == number + 1:
            unwrapped = self.accelerator.unwrap_model(self.network)
            self.chosen = {k: v.detach().cpu().clone() for k, v in unwrapped.state_dict().items()}
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

    def _checked(self, waiting: list, epoch: int) -> tuple[float, int]:
        """The summed loss and right answers of the steps `waiting`; raises `NotFinite` naming the first bad one."""
        for step, rows, each, _ in waiting:
            if not torch.isfinite(each).all():
                names = self.data.cache.index.samples.name.iloc[rows[~torch.isfinite(each).cpu().numpy()]]
                raise NotFinite(
                    f"the loss is not finite at step {step + 1} of epoch {epoch + 1}; clips: {', '.join(names)}. "
                    "Lower lr, or look at these clips; the last whole epoch is kept"
                )
        return sum(float(w[2].sum()) for w in waiting), sum(int(w[3]) for w in waiting)

    def _batches(self, rows: np.ndarray) -> Iterator[tuple[Tensor, Tensor, np.ndarray]]:
        cut = [rows[i : i + self.settings.batch_size] for i in range(0, len(rows), self.settings.batch_size)]
        # no worker processes: a batch is one copy out of the memory map, and they would need as much shared memory
        loader = DataLoader(
            _Batches(self.data), sampler=cut, batch_size=None, pin_memory=self.accelerator.device.type == "cuda"
        )
        for clips, labels, numbers in loader:
            numbers = np.asarray(numbers)
            yield (clips.to(self.accelerator.device, non_blocking=True),
                   labels.to(self.accelerator.device, non_blocking=True), numbers)  # fmt: skip

    @torch.inference_mode()
    def evaluate(self, part: str, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Logits (b, k) and labels (b,) of a part, on the CPU: nothing random, but as published, where
        evaluation goes through the augmenting transform, drawn from `seed`."""
        self.network.eval()
        generator = torch.Generator().manual_seed(seed)
        logits, labels = [], []
        for clips, answers, _ in self._batches(self.data.parts[part]):
            x = inputs(clips, self.settings, generator, augmented=self.published)
            with self.accelerator.autocast():
                out = self.network(x)
            logits.append(out.float().cpu())
            labels.append(answers.cpu())
        return torch.cat(logits), torch.cat(labels)

    # -- keeping it

    def _save(self) -> None:
        history = pd.DataFrame(self.progress.history)
        runs.write(self.folder / runs.HISTORY, lambda p: history.to_csv(p, index=False))
        scaler = self.accelerator.scaler
        state = {
            "settings": self.identity,
            "progress": asdict(self.progress),
            "network": self.accelerator.unwrap_model(self.network).state_dict(),
            "chosen": self.chosen,
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }
        runs.write(self.folder / runs.STATE, lambda p: torch.save(state, p))

    def _resume(self) -> None:
        file = self.folder / runs.STATE
        if not file.is_file():
            return
        try:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            held = state["settings"]
        except Exception as error:  # torch raises many kinds for a damaged file
            raise runs.RunError(f"{file} is damaged ({error}): delete it to begin the run again") from error
        if different := [k for k in self.identity if held.get(k) != self.identity[k]]:
            raise runs.RunError(f"{file} belongs to a run with another {different[0]}: delete it to begin again")
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["plateau"])
        if self.accelerator.scaler and state["scaler"]:  # begun in another precision, it has none
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.progress, self.chosen = _Progress(**state["progress"]), state["chosen"]
        log.info("%s: going on after epoch %d", self.folder.name, self.progress.epoch)

    def _finish(self) -> None:
        self.accelerator.unwrap_model(self.network).load_state_dict(self.chosen)
        history = self.progress.history
        chosen = history[self.progress.best - 1]
        logits, labels = self.evaluate("test", self._seed(self.progress.best - 1))
        train = chosen["train_accuracy"] if self.published else accuracy(*self.evaluate("train"))
        test = chosen["val_accuracy"] if self.published else accuracy(logits, labels)
        index = self.data.cache.index
        metrics = {
            "train_accuracy": train,
            "val_accuracy": chosen["val_accuracy"],
            "test_accuracy": test,
            "test_is": "the validation part, as published" if self.published else f"split {self.settings.split}",
            "validation": self.data.validation,
            "epochs": self.settings.epochs,
            "chosen_epoch": self.progress.best,
            "seconds": self.progress.seconds,
            "clips_per_second": float(np.median([row["clips_per_second"] for row in history])),
            "clips": {part: len(rows) for part, rows in self.data.parts.items()},
            "classes": len(index.classes),
            "skipped": index.skips(),
        }
        names = index.samples.name.to_numpy(str)[self.data.parts["test"]]
        arrays = {
            "names": names,
            "labels": labels.numpy(),
            "logits": logits.numpy(),
            "classes": np.array(index.classes),
        }
        runs.write(self.folder / runs.WEIGHTS, lambda p: save_file(self.chosen, p))
        runs.write(self.folder / runs.PREDICTIONS, lambda p: np.savez(p, **arrays))
        runs.write_json(self.folder / runs.METRICS, metrics)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of clips whose largest logit is their label; logits (b, k), labels (b,)."""
    return float((logits.argmax(dim=1) == labels).double().mean())
