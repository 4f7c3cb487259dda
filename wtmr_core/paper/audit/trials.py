"""Small trainings for the audit: two networks that differ in one thing, on miniature and real recordings.

`wtmr audit --train` makes them; what came out is kept as `trials.csv`, a row for each seed and number of epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wtmr_core.checkpoint import new_network
from wtmr_core.data import Data, inputs, prepare_clips
from wtmr_core.datasets import home
from wtmr_core.datasets.splits import fold_numbers, known_groups
from wtmr_core.files import RunError, write_table
from wtmr_core.miniature import sets
from wtmr_core.paper.audit.networks import JointsByJoint
from wtmr_core.settings import Settings

VERSION = 1  # of the trials: raise it when one of them changes, and make them again
FILE = "trials.csv"
COMMAND = "wtmr audit --train --data FOLDER"
FOLDS = 5  # a fifth is held out, as in the paper
COLUMNS = [
    "version", "experiment", "data", "variation", "seed", "epoch", "train_accuracy", "held_out_accuracy",
    "augmented_accuracy", "train_clips", "held_out_clips", "shared",
]  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One training for each of some seeds; the seed also says which fifth of the clips is held out.

    Attributes:
        experiment, data, variation: what is asked, on which recordings, and what differs
        settings: of `Settings.of`; training is with a constant learning rate, so that a shorter one is its beginning
        root: the folder below the recordings; None is the miniature
        seeds: how many
        epochs: those after which it is evaluated; the last ends it
        by: what is divided, `groups` or `clips`
        network: (settings, k) -> network, where it is none of `models.build`
    """

    experiment: str
    data: str
    variation: str
    settings: dict[str, Any] = field(default_factory=dict)
    root: str | None = None
    seeds: int = 3
    epochs: tuple[int, ...] = (20,)
    by: str = "groups"
    network: Callable[[Settings, int], nn.Module] = new_network

    def made(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the kept table is one of this trial."""
        return (row["experiment"], row["data"], row["variation"]) == (self.experiment, self.data, self.variation)


def _by_joint(settings: Settings, classes: int) -> nn.Module:
    sizes = {key: getattr(settings, key) for key in ("frames", "width", "depth", "heads", "conv_channels")}
    return JointsByJoint(classes=classes, dropout=settings.dropout or 0.3, **sizes)


def _trials() -> Iterator[Trial]:
    shared = {"scale": "mini", "lr": 1e-3, "epochs": 50, "workers": 1}
    joints = shared | {"dataset": "ntu60", "frames": 8, "stored_frames": 8}
    kinect = joints | {"split": "-", "parts": "sampled", "normalise_joints": True}
    frames = shared | {"dataset": "hmdb51", "frames": 4, "stored_frames": 4, "size": 32, "width": 64,
                       "conv_channels": (8, 16)}  # fmt: skip
    hmdb51 = frames | {"split": "manifest"}
    released_wtmr, cnn = {"model": "released-wtmr"}, {"model": "released-wmrc"}
    for variation, network in (("as released", new_network), ("joint by joint", _by_joint)):
        both = {"variation": variation, "network": network, "seeds": 5, "epochs": (40,)}
        yield Trial("joints", "UTKinect", settings=kinect | released_wtmr, root="utkinect", **both)
    for by in ("groups", "clips"):
        both = {"variation": by, "by": by, "seeds": 5}
        yield Trial("leak", "miniature of NTU", settings=joints | cnn, epochs=(15,), **both)
        yield Trial("leak", "UTKinect", settings=kinect | cnn, root="utkinect", epochs=(60,), **both)
        yield Trial("leak", "HMDB51 frames", settings=hmdb51 | cnn, root="hmdb51_frames", epochs=(12,), **both)
    for model in ("released-wtmr", "released-timesformer"):
        both = {"variation": model, "epochs": (4, 20)}
        yield Trial("budget", "miniature of HMDB51", settings=frames | {"model": model}, **both)
        yield Trial("budget", "HMDB51 frames", settings=hmdb51 | {"model": model}, root="hmdb51_frames", **both)
    papers = {"flip": 0.5, "rotate": 10.0, "zoom": 0.0, "shift": 0.0, "jitter": 0.2}
    for per in ("clip", "frame"):
        settings = hmdb51 | released_wtmr | papers | {"augment_per": per}
        yield Trial("augmentation", "HMDB51 frames", per, settings, "hmdb51_frames", epochs=(15,))


TRIALS = tuple(_trials())


def run(trial: Trial, root: Path | None = None) -> Iterator[dict[str, Any]]:
    """Train a trial with each of its seeds; yields the rows of `COLUMNS` as they come.

    Raises `DataError` where its recordings, in `root`, cannot be read.
    """
    settings = Settings.of(trial.settings)
    data = prepare_clips(settings, root)
    for seed in range(trial.seeds):
        yield from _once(trial, settings, data, seed)


def _once(trial: Trial, settings: Settings, data: Data, seed: int) -> Iterator[dict[str, Any]]:
    train, held_out = divided(data, trial.by, seed)
    torch.manual_seed(seed)
    network = trial.network(settings, len(data.cache.index.classes))
    for epoch in fit(network, data, settings, train, trial.epochs[-1], seed):
        if epoch in trial.epochs:
            parts = [(train, False), (held_out, False), (held_out, True)]
            accuracies = [right(network, data, settings, rows, augmented=a).mean() for rows, a in parts]
            shared = known_groups(data.cache.index.samples.unit.to_numpy(), train, held_out)
            figures = [*(round(float(a), 4) for a in accuracies), len(train), len(held_out), round(shared, 4)]
            row = [VERSION, trial.experiment, trial.data, trial.variation, seed, epoch, *figures]
            yield dict(zip(COLUMNS, row, strict=True))


def divided(data: Data, by: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of a training and a held-out part: a fifth, stratified by class, by whole groups or by clips.

    Seeds 0 to 4 hold out every clip once.
    """
    groups = data.cache.index.samples.unit if by == "groups" else np.arange(len(data.labels))
    fold = fold_numbers(data.labels, groups, FOLDS)
    return np.flatnonzero(fold != seed % FOLDS), np.flatnonzero(fold == seed % FOLDS)


def fit(network: nn.Module, data: Data, settings: Settings, rows: np.ndarray, epochs: int, seed: int) -> Iterator[int]:
    """Train `network` on `rows` of the data, augmented as `settings` say; yields the number of each epoch done."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    for epoch in range(1, epochs + 1):
        network.train()
        order = rows[torch.randperm(len(rows), generator=generator).numpy()]
        for i in range(0, len(order), settings.batch_size):
            x, labels = _batch(data, settings, order[i : i + settings.batch_size], generator)
            optimizer.zero_grad()
            F.cross_entropy(network(x), labels).backward()
            optimizer.step()
        yield epoch


@torch.inference_mode()
def right(
    network: nn.Module, data: Data, settings: Settings, rows: np.ndarray, *, augmented: bool = False
) -> np.ndarray:
    """(b,) bool: which of `rows` the network names rightly; with `augmented`, seen through the random transform."""
    network.eval()
    generator = torch.Generator().manual_seed(0) if augmented else None
    guesses = []
    for i in range(0, len(rows), 64):
        x, _ = _batch(data, settings, rows[i : i + 64], generator)
        guesses.append(network(x).argmax(dim=1).numpy())
    return np.concatenate(guesses) == data.labels[rows]


def _batch(
    data: Data, settings: Settings, rows: np.ndarray, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    clips = torch.from_numpy(np.ascontiguousarray(data.cache.clips[rows]))
    augmented = generator is not None
    x = inputs(clips, settings, generator, augmented=augmented, mirrorable=data.mirrorable[rows])
    return x, torch.from_numpy(data.labels[rows])


def make(folder: Path, recordings: Path, trials: tuple[Trial, ...] = TRIALS) -> pd.DataFrame:
    """Run the trials and write `trials.csv` into `folder`, after each of them; those that it holds are not run again.

    Args:
        folder: of the kept results
        recordings: the folder that holds the folders of real recordings

    Raises:
        DataError: where recordings cannot be read.
    """
    file = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    rows = read(folder).to_dict("records") if file.is_file() else []
    for trial in trials:
        if not any(trial.made(row) for row in rows):
            root = recordings / trial.root if trial.root else _third() if trial.data == "miniature of HMDB51" else None
            rows += run(trial, root)
            rows.sort(key=lambda row: [one.made(row) for one in TRIALS].index(True))
            write_table(file, pd.DataFrame(rows, columns=COLUMNS))
    return read(folder)


def _third() -> Path:
    """A third of the miniature HMDB51, made on first use."""
    return sets.make_hmdb51(home() / "data" / "mini" / "hmdb51-audit", per_class=40, workers=1)


def read(folder: Path) -> pd.DataFrame:
    """Read the kept trials in `folder`: a table with `COLUMNS`.

    Raises `RunError` where there is no such table, where it has other columns, and where it is of another version.
    """
    file = folder / FILE
    if not file.is_file():
        raise RunError(f"there is no {file}: `{COMMAND}` makes it")
    try:
        table = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise RunError(f"{file} does not read as a table ({error}): make it again with `{COMMAND}`") from error
    if lost := [column for column in COLUMNS if column not in table]:
        raise RunError(f"{file} has no column {lost[0]}: delete it and make it again with `{COMMAND}`")
    if others := set(table.version) - {VERSION}:
        raise RunError(
            f"{file} is of version {min(others)} of the trials, which are now version {VERSION}: delete it and make it "
            f"again with `{COMMAND}`"
        )
    return table
