"""A run is a folder: what it holds, written whole or not at all, and read again."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import Timeout

from wtmr_core.locks import locked
from wtmr_core.settings import Settings

SETTINGS, ENVIRONMENT, HISTORY = "settings.json", "environment.json", "history.csv"
METRICS, PREDICTIONS, WEIGHTS, STATE = "metrics.json", "predictions.npz", "model.safetensors", "state.pt"
TIMING, LOCK = "timing.csv", ".lock"


class RunError(RuntimeError):
    """A run folder does not serve; the message says which and what to do."""


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """Let `save` write a file beside `path`, then put it in its place: whole or not at all."""
    beside = path.with_name(f".{path.stem}.part{path.suffix}")  # np.savez and others look at the suffix
    try:
        try:
            save(beside)
        except (OSError, RuntimeError) as error:  # torch and numpy do not name the file
            raise RunError(f"{path} cannot be written ({error}): free some disk space and run it again") from error
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON; see `write`."""
    write(path, lambda p: p.write_text(json.dumps(value, indent=2) + "\n"))


def folder(results: Path, settings: Settings, data: str) -> Path:
    """Where the run of `settings` on the clips with the fingerprint `data` lies below `results`."""
    return results / "runs" / settings.name(data)


@contextmanager
def opened(folder: Path, settings: Settings, data: str) -> Iterator[None]:
    """Within it this process alone writes to a run's folder, made if need be, its `settings.json` in it.

    Raises `RunError` where another process trains the run, and where the folder holds a run of other settings
    (moved or edited by hand).
    """
    with ExitStack() as held:
        remedy = "name another folder of results (--results, or WTMR_RESULTS)"
        try:  # a killed one may still be dying
            held.enter_context(locked(folder / LOCK, f"trains {folder.name}", timeout=3, remedy=remedy))
        except Timeout:
            why = f"another process trains {folder.name}: wait for its end, or stop it (it has {folder / LOCK})"
            raise RunError(why) from None
        identity = settings.identity() | {"data": data}
        file = folder / SETTINGS
        if file.is_file():
            known = read_json(file)
            if different := [k for k in identity if known.get(k) != identity[k]]:
                raise RunError(f"{folder} holds a run with another {different[0]}: delete that folder or move it away")
        else:
            write_json(file, identity)
        yield


def name(results: Path, name: str, folder: Path) -> None:
    """Note that the run `name` of a suite is the one in `folder`, below `results`."""
    write(results / "runs" / f"{name}.txt", lambda p: p.write_text(folder.name + "\n"))


def named(results: Path, name: str, settings: Settings) -> Path:
    """The folder of the run `name` of a suite, which is one of `settings`; a split of `auto` is any.

    Raises `RunError` where it has not been trained, or only with other settings.
    """
    try:
        folder = results / "runs" / (results / "runs" / f"{name}.txt").read_text().strip()
    except OSError:
        raise RunError(f"{results} holds no finished run {name}: make it with `make reproduce`") from None
    if different := differences(folder, settings):
        raise RunError(f"{name} was trained with another {different[0]}: make it again with `make reproduce`")
    return folder


def differences(folder: Path, settings: Settings) -> list[str]:
    """The settings in which the run in `folder` is not one of `settings`, whatever its clips; `auto` is any split."""
    held = read_json(folder / SETTINGS)
    return [k for k, v in settings.identity().items() if held.get(k) != v and (k, v) != ("split", "auto")]


def environment(device: str, precision: str, processes: int = 1) -> dict[str, Any]:
    """What a run ran on: versions, device, precision, threads, processes, git commit."""
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
    )
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else f"CPU, {platform.machine()}",
        "precision": precision,
        "threads": torch.get_num_threads(),
        "processes": processes,
        "python": platform.python_version(),
        "packages": versions,
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The commit of the checkout this package lies in, `+` where the package differs from it."""
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


def finished(folder: Path) -> bool:
    """Whether a run has ended and its weights are here: the metrics are written last.

    A run whose weights were left out, as in a clone of this repository, can be loaded but is trained again.
    """
    return (folder / METRICS).is_file() and (folder / WEIGHTS).is_file()


def load(folder: Path) -> Run:
    """Read the results of a finished run; raises `RunError` where it is unfinished or a file is missing or damaged."""
    if not (folder / METRICS).is_file():
        raise RunError(f"{folder} holds no finished run: run it again and it goes on from its last epoch")
    try:
        with np.load(folder / PREDICTIONS, allow_pickle=False) as held:
            predictions = {k: held[k] for k in ("names", "groups", "labels", "logits", "classes")}
        history = pd.read_csv(folder / HISTORY)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{folder} is damaged ({error}): delete the folder and run it again") from error
    settings, known, metrics = (read_json(folder / name) for name in (SETTINGS, ENVIRONMENT, METRICS))
    classes = tuple(predictions.pop("classes").tolist())
    return Run(folder, settings, known, history, metrics, classes=classes, **predictions)


def table(results: Path) -> pd.DataFrame:
    """A row for each run folder below `results`/runs: what it is, and its metrics where it is finished."""
    rows = []
    for folder in sorted((results / "runs").glob("*/")):
        if (folder / SETTINGS).is_file():
            settings = read_json(folder / SETTINGS)
            row = {k: settings[k] for k in ("dataset", "model", "protocol", "split", "seed")}
            metrics = read_json(folder / METRICS) if (folder / METRICS).is_file() else {}
            rows.append(row | {k: metrics.get(k) for k in _COLUMNS} | {"run": folder.name})
    return pd.DataFrame(rows, columns=["dataset", "model", "protocol", "split", "seed", *_COLUMNS, "run"])


_COLUMNS = ("epochs", "train_accuracy", "val_accuracy", "test_accuracy", "seconds", "clips_per_second")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run folder; raises `RunError` where it does not read."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} does not read ({error}): delete the folder and run it again") from error
