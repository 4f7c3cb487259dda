"""Run folders: what they hold, written whole or not at all, and read again."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import Timeout

from wtmr_core.files import AGAIN, RunError, read_json, read_text, sha256, write, write_json, write_table, write_text
from wtmr_core.locks import locked
from wtmr_core.settings import LATER, RENAMED, Settings

# the writers of `files` too, for who writes into a run
__all__ = ["Run", "RunError", "read_json", "write", "write_json", "write_table", "write_text"]

SETTINGS, ENVIRONMENT, HISTORY = "settings.json", "environment.json", "history.csv"
METRICS, PREDICTIONS, WEIGHTS, STATE = "metrics.json", "predictions.npz", "model.safetensors", "state.pt"
TIMING, SUMS, LOCK = "timing.csv", "SHA256SUMS", ".lock"
#: what a finished run is; `SHA256SUMS`, written last, has the sum of each
FILES = (SETTINGS, ENVIRONMENT, HISTORY, TIMING, METRICS, PREDICTIONS, WEIGHTS)
HISTORY_COLUMNS = ["epoch", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]
_WHICH = ("dataset", "model", "protocol", "split", "seed")
_COLUMNS = ("epochs", "train_accuracy", "val_accuracy", "test_accuracy", "seconds", "clips_per_second")


def folder(results: Path, settings: Settings, data: str) -> Path:
    """The folder below `results` of the run of `settings` on the clips with the fingerprint `data`."""
    return results / "runs" / settings.name(data)


@contextmanager
def alone(lock: Path, otherwise: str) -> Iterator[None]:
    """Hold `lock`, a file in a folder of results, for this process alone.

    Raises:
        RunError: with the sentence `otherwise`, where another process holds it.
        LockError: where it cannot be locked at all.
    """
    with ExitStack() as stack:
        remedy = "name another folder of results (--results, or WTMR_RESULTS)"
        try:  # a killed one may still be dying
            stack.enter_context(locked(lock, "works there", timeout=3, remedy=remedy))
        except Timeout:
            raise RunError(f"{otherwise}: wait for its end, or stop it (it has {lock})") from None
        yield


@contextmanager
def opened(folder: Path, settings: Settings, data: str) -> Iterator[None]:
    """Open a run's folder for writing by this process alone; the folder and its `settings.json` are created if need be.

    Raises:
        RunError: where another process trains the run, and where the folder holds a run of other settings (moved or
            edited by hand).
    """
    with alone(folder / LOCK, f"another process trains {folder.name}"):
        identity = settings.identity() | {"data": data}
        file = folder / SETTINGS
        if file.is_file():
            if different := other(identity, read_settings(folder)):
                raise RunError(f"{folder} holds a run with another {different[0]}: delete that folder or move it away")
        else:
            write_json(file, identity)
        yield


def name(results: Path, name: str, folder: Path) -> None:
    """Record that the run `name` of a suite is the one in `folder`, below `results`."""
    write_text(results / "runs" / f"{name}.txt", folder.name + "\n")


def named(results: Path, name: str, settings: Settings) -> Path:
    """The folder of a suite's run `name`, which must have been trained with `settings`; a split of `auto` matches any.

    Raises:
        RunError: where the run has not been trained, or only with other settings.
    """
    note = results / "runs" / f"{name}.txt"
    if not note.is_file():
        raise RunError(f"{results} holds no finished run {name}: make it with `make reproduce`")
    if not re.fullmatch(r"[\w-]+", called := read_text(note).strip()):
        raise RunError(f"{note} names no run folder: delete it and make the run with `make reproduce`")
    folder = results / "runs" / called
    if different := differences(folder, settings):
        raise RunError(f"{name} was trained with another {different[0]}: make it again with `make reproduce`")
    return folder


def differences(folder: Path, settings: Settings) -> list[str]:
    """The settings in which the run in `folder` differs from `settings`; a split of `auto` matches any."""
    stored = read_settings(folder)
    return [k for k in other(settings.identity(), stored) if (k, settings.split) != ("split", "auto")]


def other(wanted: dict[str, Any], stored: dict[str, Any]) -> list[str]:
    """The keys whose value in `stored` is not the one that is `wanted`."""
    return [k for k, v in wanted.items() if stored.get(k) != v]


def read_settings(folder: Path, needed: Iterable[str] = ()) -> dict[str, Any]:
    """Read the settings of the run in `folder`, and `data`, the fingerprint of its clips.

    Settings have their current names (`settings.RENAMED`). Those that were introduced after the run get the value that
    it was trained with (`settings.LATER`). Raises as `read_json`.
    """
    stored = {RENAMED.get(key, key): value for key, value in read_json(folder / SETTINGS, needed).items()}
    return {key: default(stored) for key, default in LATER.items()} | stored


def environment(device: str, precision: str, processes: int = 1) -> dict[str, Any]:
    """What a run ran on: package versions, device, processor, precision, threads, processes, git commit."""
    import torch

    packages = (
        "torch",
        "torchvision",
        "timm",
        "numpy",
        "opencv-python",
        "accelerate",
        "scikit-learn",
        "pandas",
        "av",
    )
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else f"CPU, {platform.machine()}",
        "processor": _processor(),
        "instructions": _instructions(),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processes": processes,
        "python": platform.python_version(),
        "packages": versions,
        "commit": _commit(),
    }


def _processor() -> str:
    """The model of the CPU: two CPUs with one instruction set may differ in the last digits."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if any(models):
            return max(models)
    return platform.processor() or platform.machine()


def _instructions() -> str:
    """The instruction set that torch uses, and the one that oneDNN is limited to, if it is."""
    import torch

    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return torch.backends.cpu.get_cpu_capability() + (f", oneDNN up to {limit}" if limit else "")


def _commit() -> str | None:
    """The git commit of the checkout that this package lies in, followed by `+` where the package differs from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno", "."], capture_output=True, text=True, check=True
        )
        return commit.strip() + ("+" if changed.stdout.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder."""

    folder: Path
    settings: dict[str, Any]
    environment: dict[str, Any]
    history: pd.DataFrame  # an epoch a row
    metrics: dict[str, Any]
    names: np.ndarray  # (b,) of the test clips
    groups: np.ndarray  # (b,) what the clips have in common: film, performer or sequence
    labels: np.ndarray  # (b,)
    logits: np.ndarray  # (b, k)
    classes: tuple[str, ...]


def sign(folder: Path) -> None:
    """Write the checksums of a run's files, in the format of `sha256sum`; from then on the run is finished."""
    write_text(folder / SUMS, "".join(f"{sha256(folder / n)}  {n}\n" for n in FILES if (folder / n).is_file()))


def verify(folder: Path, *names: str) -> None:
    """Check the files `names` of a finished run against their checksums.

    Files that are absent pass, and so do all files of a run from before there were checksums.

    Raises:
        RunError: where a file is no longer what the run wrote.
    """
    if not (folder / SUMS).is_file():
        return
    lines = read_text(folder / SUMS).splitlines()
    if not lines or not all(re.fullmatch(r"[0-9a-f]{64}  [\w.]+", line) for line in lines):
        raise RunError(f"{folder / SUMS} is damaged (it holds no sums): {AGAIN}")
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    for name in names:
        if (folder / name).is_file() and sums.get(name) != sha256(folder / name):
            why = f"its sum is not that in {SUMS}" if name in sums else f"{SUMS} does not name it"
            if name == WEIGHTS:  # as where git brought the records of another machine
                why = f"is damaged or of another training ({why}): delete this file and train again"
                raise RunError(f"{folder / name} {why}")
            raise RunError(f"{folder / name} is damaged ({why}): {AGAIN}")


def finished(folder: Path) -> bool:
    """Whether a run has ended and its weights are present.

    A run whose weights were left out, as in a clone of this repository, can be loaded but is trained again. Raises
    `RunError` where one of its files is damaged.
    """
    if not _ended(folder) or not (folder / WEIGHTS).is_file():
        return False
    verify(folder, *FILES)
    return True


def _ended(folder: Path) -> bool:
    """Whether a run has ended.

    One from before there were checksums has none, but no `state.pt` to resume from either.
    """
    return (folder / METRICS).is_file() and ((folder / SUMS).is_file() or not (folder / STATE).is_file())


def load(folder: Path) -> Run:
    """Read the results of a finished run.

    Raises `RunError` where it is not finished, or a file is missing or damaged.
    """
    if not _ended(folder):
        raise RunError(f"{folder} holds no finished run: run it again and it goes on from its last epoch")
    verify(folder, SETTINGS, ENVIRONMENT, METRICS, HISTORY, PREDICTIONS)
    settings, known = read_settings(folder, _WHICH), read_json(folder / ENVIRONMENT)
    metrics = read_json(folder / METRICS, (*_COLUMNS, "chosen_epoch"))
    try:
        history = _history(folder / HISTORY, metrics["epochs"])
        predictions = _predictions(folder / PREDICTIONS)
    except Exception as error:  # zip, numpy and pandas raise many kinds for a damaged file
        raise RunError(f"{folder} is damaged ({error}): {AGAIN}") from error
    return Run(folder, settings, known, history, metrics, **predictions)


def _history(file: Path, epochs: int) -> pd.DataFrame:
    """A table with one row per epoch; raises `ValueError` where the file holds something else."""
    history = pd.read_csv(file)
    if list(history) != HISTORY_COLUMNS or not all(map(pd.api.types.is_numeric_dtype, history.dtypes)):
        raise ValueError(f"{file.name} has not the numbers {', '.join(HISTORY_COLUMNS)}")
    if len(history) != epochs or history.epoch.tolist() != list(range(1, len(history) + 1)):
        raise ValueError(f"{file.name} has not the epochs 1 to {epochs}")
    return history


def _predictions(file: Path) -> dict[str, Any]:
    """The last fields of a `Run`; raises `ValueError` where they do not match each other."""
    with np.load(file, allow_pickle=False) as archive:
        arrays = {k: archive[k] for k in ("names", "groups", "labels", "logits", "classes")}
    b, k = len(arrays["names"]), len(arrays["classes"])
    shapes = {"names": (b,), "groups": (b,), "labels": (b,), "logits": (b, k), "classes": (k,)}
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ValueError(f"{key} in {file.name} have the shape {arrays[key].shape}, not {shape}")
    for key, kind in {"names": "U", "groups": "U", "labels": "iu", "logits": "f", "classes": "U"}.items():
        if arrays[key].dtype.kind not in kind:
            raise ValueError(f"{key} in {file.name} are of the kind {arrays[key].dtype}")
    if not np.isin(arrays["labels"], np.arange(k)).all():
        raise ValueError(f"{file.name} has labels that are none of its {k} classes")
    return arrays | {"classes": tuple(arrays["classes"].tolist())}


def table(results: Path) -> pd.DataFrame:
    """A table with one row per run folder below `results`/runs: what the run is, and its metrics if it is finished."""
    rows = []
    for folder in sorted((results / "runs").glob("*/")):
        if (folder / SETTINGS).is_file():
            verify(folder, SETTINGS, METRICS)
            settings = read_settings(folder, _WHICH)
            row = {k: settings[k] for k in _WHICH}
            metrics = read_json(folder / METRICS) if _ended(folder) else {}
            rows.append(row | {k: metrics.get(k) for k in _COLUMNS} | {"run": folder.name})
    return pd.DataFrame(rows, columns=[*_WHICH, *_COLUMNS, "run"])
