"""One run: from recordings to a finished run folder, on the CPU, one GPU or several processes."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import save_file
from tqdm import tqdm

from wtmr_core import card, checkpoint, datasets, description, distributed, environment, epochs, regression, runs
from wtmr_core.data import Data, prepare_clips, resolve
from wtmr_core.engine import accuracy, check_finite, epoch_seed, evaluate, train_epoch
from wtmr_core.maps import mapped
from wtmr_core.metrics import scores
from wtmr_core.processes import cores
from wtmr_core.settings import Settings
from wtmr_core.state import State

log = logging.getLogger(__name__)
TIMES = ["seconds", "clips_per_second"]  # of an epoch; all else is the same each time


def prepare(settings: Settings, root: str | Path | None = None) -> Data:
    """Find, index, decode and split the clips of a run.

    Raises:
        SettingsError: where the network's sizes do not fit each other; before anything is decoded.
        DataError: where the data set cannot be found, indexed or split.
    """
    with torch.device("meta"):
        checkpoint.new_network(settings, classes=2, pretrained=False)
    return prepare_clips(settings, root)


def run(settings: Settings, results: Path, root: str | Path | None = None) -> Path:
    """Train and evaluate a run; returns its finished folder below `results`.

    A finished run is returned as it is. A half-done one resumes after its last whole epoch and ends with the numbers of
    an uninterrupted run. The epoch that counts is chosen by `epochs.chosen_epoch`; test is read once, at the end. Where
    parts are `sampled`, "test" is the validation part, as in the paper. Several processes are started with torchrun,
    after the clips have been prepared here.

    Args:
        settings: those of the run
        results: folder of results; the run's folder lies in its `runs`
        root: folder of the recordings; None looks for it, or makes the miniature (see `datasets.find`)

    Raises:
        DataError: where the recordings cannot be read.
        NotFinite: where a loss is not finite.
        RunError: where the run cannot be written, or another process trains it.
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
            train(settings, data, folder, worker)
    return folder


def keep_memory() -> None:
    """Ask glibc to keep freed memory for the next step.

    On the CPU, fetching the pages of each large tensor from the system anew took a third of a step's time (see
    benchmarks/). Without glibc nothing happens.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: freed memory is not given back


@environment.cleaned()
def accelerator(settings: Settings) -> Accelerator:
    """Set up the device and precision of a run.

    Precision `auto` is fp32 on the CPU. On a GPU it is `half_precision`, or fp16 with a scaled loss where the GPU has
    no bf16. Raises `RunError` for a GPU that is not there, and for fp16 on the CPU.
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
        precision = "fp32" if cpu else settings.half_precision if built_in else "fp16"
    if precision == "fp16" and cpu:
        raise runs.RunError("precision is fp16, which needs a GPU: use auto, fp32 or bf16")
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=cpu)


def train(settings: Settings, data: Data, folder: Path, worker: Accelerator) -> None:
    """Train a run, or resume it, and write its results into its open folder."""
    identity = runs.read_json(folder / runs.SETTINGS)
    if worker.is_main_process:
        for name in (runs.METRICS, runs.SUMS, runs.PREDICTIONS, runs.WEIGHTS):  # of a record without weights
            (folder / name).unlink(missing_ok=True)
        precision = worker.mixed_precision.replace("no", "fp32")
        runs.write_json(
            folder / runs.ENVIRONMENT, runs.environment(str(worker.device), precision, worker.num_processes)
        )
    with worker.main_process_first():
        data = mapped(data, settings, datasets.cache_home(), worker.device)
    state = State(settings, len(data.cache.index.classes), worker)
    if (folder / runs.STATE).is_file():
        state.resume(folder / runs.STATE, identity)
        log.info("%s: going on after epoch %d", folder.name, state.progress.epoch)
    steps = math.ceil(len(data.parts["train"]) / settings.batch_size)
    with tqdm(
        total=settings.epochs * steps,
        initial=state.progress.epoch * steps,
        desc=folder.name.rsplit("-", 1)[0],
        unit="step",
        mininterval=1.0,
        smoothing=0,  # the time left counts on the mean step, so that it has validation in it
        disable=not worker.is_main_process,
    ) as bar:
        for epoch in range(state.progress.epoch, settings.epochs):
            state.advance(one_epoch(state, data, epoch, bar), len(data.parts["val"]))
            if worker.is_main_process:
                _write_history(folder, state.progress.history)
                state.save(folder / runs.STATE, identity)
    _finish(state, data, folder)
    worker.wait_for_everyone()


def one_epoch(state: State, data: Data, epoch: int, bar: tqdm) -> dict[str, float]:
    """Train for one epoch, counted from 0, and validate; returns the epoch's row of the history."""
    began = time.perf_counter()
    if state.settings.model == "logistic":
        trained = regression.fit(state, data)
    else:
        trained = train_epoch(state, data, epoch, bar)
    logits, labels = evaluate(state, data, "val", epoch_seed(state.settings, epoch))
    check_finite(logits, data, "val", epoch + 1, "lower lr; the epoch before is kept")
    loss = float(F.cross_entropy(logits, labels)) if len(labels) else math.nan
    if state.settings.schedule == "plateau":
        state.plateau.step(loss)
    validated = {"val_loss": loss, "val_accuracy": accuracy(logits, labels)}
    return {"epoch": epoch + 1, **trained, **validated, "seconds": time.perf_counter() - began}


def _finish(state: State, data: Data, folder: Path) -> None:
    """Test the network of the chosen epoch and write everything that makes the run finished."""
    settings, progress = state.settings, state.progress
    state.judged.load_state_dict(state.chosen)
    history = progress.history
    chosen = history[progress.best - 1]
    logits, labels = evaluate(state, data, "test", epoch_seed(settings, progress.best - 1))
    check_finite(logits, data, "test", progress.best, f"lower lr, or delete {folder} and run it again")
    train_accuracy = chosen["train_accuracy"]
    if settings.train_accuracy == "evaluated":
        train_accuracy = accuracy(*evaluate(state, data, "train"))
    if not state.worker.is_main_process:
        return
    index, described = data.cache.index, description.of_run(settings, data)
    metrics = {
        "train_accuracy": train_accuracy,
        "val_accuracy": None if math.isnan(chosen["val_accuracy"]) else chosen["val_accuracy"],
        "test_accuracy": accuracy(logits, labels),
        "test": scores(labels.numpy(), logits.numpy()),
        "test_is": "the validation part, as published" if settings.parts == "sampled" else f"split {settings.split}",
        "validation": data.validation,
        "epochs": settings.epochs,
        "chosen_epoch": progress.best,
        "epoch_choice": epochs.in_words(history, len(data.parts["val"]), settings.epoch_choice),
        "seconds": progress.seconds,
        "clips_per_second": float(np.median([row["clips_per_second"] for row in history])),
        "clips": {part: len(rows) for part, rows in data.parts.items()},
        "clip_seconds": described["input"]["seconds"],
        "classes": len(index.classes),
        "skipped": index.skips(),
        "remarks": index.remark_counts(),
        "examples": {"skipped": _first_names(index.skipped), "remarks": _first_names(index.remarks)},
    }
    tested = index.samples.iloc[data.parts["test"]]
    arrays = {
        "names": tested.name.to_numpy(str),
        "groups": tested.unit.to_numpy(str),
        "labels": labels.numpy(),
        "logits": logits.numpy(),
        "classes": np.array(index.classes),
    }
    runs.write(folder / runs.WEIGHTS, lambda p: save_file(state.chosen, p, metadata=description.metadata(described)))
    runs.write(folder / runs.PREDICTIONS, lambda p: np.savez(p, **arrays))
    _write_history(folder, history)  # nothing is signed that is only believed to lie there
    runs.write_json(folder / runs.METRICS, metrics)
    known = runs.read_json(folder / runs.ENVIRONMENT)
    runs.write_text(folder / card.CARD, card.page(folder.name, described, metrics, arrays, known))
    runs.sign(folder)
    (folder / runs.STATE).unlink(missing_ok=True)


def _write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    table = pd.DataFrame(history)
    for name, columns in ((runs.HISTORY, runs.HISTORY_COLUMNS), (runs.TIMING, ["epoch", *TIMES])):
        runs.write_table(folder / name, table[columns])


def _first_names(clips: pd.DataFrame) -> dict[str, list[str]]:
    """The first three names for each reason in a table of skipped or remarked clips."""
    return {reason: names.head(3).tolist() for reason, names in clips.groupby("reason").name}
