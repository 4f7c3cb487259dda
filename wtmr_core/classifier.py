"""A trained run, applied to anything new: recordings in, the probability of each activity out, window by window.

Axes: w window, t frame, h w pixels, c channel, m body, j joint, d width, k class.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from wtmr_core import card, checkpoint, recording, runs
from wtmr_core.data import clip_format, inputs
from wtmr_core.datasets import Unreadable
from wtmr_core.engine import mean_of_views
from wtmr_core.recording import Recording, Window
from wtmr_core.runs import RunError
from wtmr_core.settings import Settings

BATCH = 16  # windows that go through the network together
SHORT = 0.5  # of a window: a recording shorter than that is unlike those trained on


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one recording: its windows in order, and the probabilities (w, k) of the classes."""

    windows: list[Window]
    probabilities: np.ndarray
    classes: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """The most probable class of each window."""
        return [self.classes[k] for k in self.probabilities.argmax(axis=1)]

    @property
    def mean(self) -> np.ndarray:
        """(k,) the mean probability of each class over the windows: what the whole recording is taken for."""
        return self.probabilities.mean(axis=0)

    @property
    def label(self) -> str:
        """The most probable class of the whole recording."""
        return self.classes[int(self.mean.argmax())]


class Classifier:
    """The network of a finished run, with the preprocessing that it was trained with.

    >>> classifier = Classifier.load("results/own/runs/folder-wtmr-corrected-s0-1a2b3c4d")  # doctest: +SKIP
    >>> classifier(frames, fps=25).shape  # frames (t, h, w, 3) uint8 RGB  # doctest: +SKIP
    (7, 12)

    Attributes: `classes`, their k names; `seconds` that a window spans, as the recordings trained on did, None where
    these told no times; `description`, all that the run's file of weights says of itself.
    """

    def __init__(self, network: nn.Module, settings: Settings, description: dict[str, Any], device: str = "auto"):
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device, self.settings, self.description = torch.device(device), settings, description
        self.network = network.eval().to(self.device)
        self.classes, self.seconds = tuple(description["classes"]), description["input"]["seconds"]
        self.form = clip_format(settings)

    @classmethod
    def load(cls, run_folder: str | Path, device: str = "auto") -> Classifier:
        """The classifier of the run in `run_folder`, on `device` (auto, cpu, cuda or cuda:1).

        Raises `RunError` for a folder without a finished run, without weights or with damaged ones, and for
        one of a later version.
        """
        folder = Path(run_folder)
        if not folder.is_dir():
            raise RunError(
                f"there is no folder {folder}: give the folder of a finished run, such as results/mini/runs/…"
            )
        run = runs.load(folder)
        network, settings = checkpoint.trained_network(run), checkpoint.settings_of(run)
        return cls(network, settings, _description(run, settings), device)

    def __call__(self, recorded: ArrayLike, *, fps: float | None = None, **how: Any) -> np.ndarray:
        """The probabilities (w, k) of the classes in each window of a recording.

        `recorded` is frames (t, h, w, 3) RGB or (t, h, w) grey, uint8, or joints (t, m, 25, 3) or (t, 25, 3) in metres,
        zeros where a body is not seen, as the run was trained on; `fps` its frames a second. See `predict` for more.
        """
        return self.predict(self.record(recorded, fps=fps, times=how.pop("times", None)), **how).probabilities

    def record(self, recorded: ArrayLike, *, fps: float | None = None, times: ArrayLike | None = None) -> Recording:
        """An array as a recording; without `fps` and without `times` (t,) in seconds it is one window.

        Raises `ValueError` as `recording.of_array`.
        """
        return recording.of_array(recorded, self.form, fps=fps, times=times)

    def read(self, path: str | Path, *, fps: float | None = None) -> Recording:
        """A video file, a folder of numbered frames (at `fps`) or a `.skeleton` file; raises as `recording.read`."""
        return recording.read(Path(path), self.form, fps=fps)

    def predict(self, recorded: Recording, *, seconds: float | None = None, stride: float | None = None) -> Prediction:
        """What is done in a recording, in windows of `seconds` (as the recordings trained on), one every `stride`
        (half a window). A recording of up to one and a half windows is one window, as in training.

        Windows of joints in which nobody is seen are left out. Raises `ValueError` where that is all of them.
        """
        windows, probabilities = [], []
        for batch, logits, _ in self._passes(recorded, seconds, stride):
            windows += batch
            probabilities.append(logits.softmax(dim=-1).numpy())
        return Prediction(windows, np.concatenate(probabilities), self.classes)

    def features(self, recorded: Recording, *, seconds: float | None = None, stride: float | None = None) -> np.ndarray:
        """What the last layer is given of each window: (w, d), the mean over the run's views; see `predict`."""
        return np.concatenate([features.numpy() for *_, features in self._passes(recorded, seconds, stride)])

    @torch.inference_mode()
    def _passes(
        self, recorded: Recording, seconds: float | None, stride: float | None
    ) -> Iterator[tuple[list[Window], Tensor, Tensor]]:
        """Windows, their logits (w, k) and features (w, d), a batch at a time."""
        seconds = self.seconds if seconds is None else seconds
        windows, clips, unseen = [], [], None
        for window in recorded.windows(seconds, stride):
            try:
                clips.append(recorded.clip(window, self.form))
                windows.append(window)
            except Unreadable as fault:
                unseen = fault
        if not windows:
            raise ValueError(f"{unseen.reason}: there is nothing to classify")
        if seconds and windows[-1].end - windows[0].start < SHORT * seconds:
            spans = windows[-1].end - windows[0].start
            warnings.warn(f"it lasts {spans:.2g} s, and those trained on about {seconds:.2g} s", stacklevel=3)
        for first in range(0, len(clips), BATCH):
            yield windows[first : first + BATCH], *self._forward(np.stack(clips[first : first + BATCH]))

    def _forward(self, clips: np.ndarray) -> tuple[Tensor, Tensor]:
        """Cached clips → logits (w, k) and features (w, d), on the CPU."""
        x = torch.from_numpy(clips).to(self.device)
        seen: list[Tensor] = []
        hook = last_layer(self.network).register_forward_pre_hook(lambda _, given: seen.append(given[0].float().cpu()))
        try:
            views = [
                self.network(inputs(x, self.settings, None, augmented=False, view=view)).float().cpu()
                for view in range(self.settings.views)
            ]
        finally:
            hook.remove()
        logits = views[0] if len(views) == 1 else mean_of_views(torch.stack(views))
        return logits, torch.stack(seen).mean(dim=0)


def last_layer(network: nn.Module) -> nn.Module:
    """The linear layer that gives the logits: the last one of a network."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]


def _description(run: runs.Run, settings: Settings) -> dict[str, Any]:
    """What a run's file of weights says of itself, or, of a run from before it did, what its folder tells."""
    file = run.folder / runs.WEIGHTS
    with suppress(SafetensorError), safe_open(file, framework="pt") as weights:
        told = (weights.metadata() or {}).get(card.KEY)
        if told is None:
            return card.description(settings, run.classes, None, Path())
        try:
            read = json.loads(told)
            if read["format"] > card.FORMAT:
                raise RunError(f"{file} is of format {read['format']}, and this version reads {card.FORMAT}: update it")
            if tuple(read["classes"]) == run.classes and "seconds" in read["input"]:
                return read
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{file} is damaged (its description does not read): train the run again") from error
    raise RunError(f"{file} is damaged (its description is of another run): train the run again")
