"""A trained run applied to recordings that it has not seen.

Axes: t frame, h w pixels, m body, j joint, d width, k class.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from wtmr_core import checkpoint, description, recording, runs
from wtmr_core.data import clip_format, inputs
from wtmr_core.datasets import Unreadable
from wtmr_core.datasets.video import Remark
from wtmr_core.recording import Recording, Window
from wtmr_core.settings import Settings

BATCH = 16  # windows that go through the network at a time
CLIPS = 256  # that do so, where they are at hand
SHORT = 0.5  # windows: of less the network has seen nothing in training


@dataclass(frozen=True)
class Prediction:
    """The classes of a recording's windows.

    Attributes:
        probabilities: (windows, k)
        starts: (windows,) in seconds, NaN where the recording has no times
        ends: (windows,) likewise
        classes: the names of the k classes
    """

    probabilities: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    classes: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """The most probable class of each window."""
        return [self.classes[k] for k in self.probabilities.argmax(axis=1)]

    @property
    def overall(self) -> np.ndarray:
        """(k,) probabilities, the mean over all windows."""
        return self.probabilities.mean(axis=0)


class Classifier:
    """The network of a run, with the preprocessing it was trained with.

    A network is trained on whole recordings, each shown as a few of its frames. A recording about as long as those is
    therefore one window; a longer one is cut into windows of that length (`seconds`). Prediction is deterministic and
    averages over as many `views` as the run's settings say. A run of the published protocol was tested through its
    augmentation, so its own test clips got other predictions there.

        classifier = Classifier.load("results/mine/runs/hmdb51-wtmr-corrected-s0-1a2b3c4d")
        classifier(frames, fps=25)  # frames (t, h, w, 3) uint8 RGB -> probabilities (windows, k) of classifier.classes
        classifier.predict(frames, fps=25).labels  # with the seconds of each window
    """

    def __init__(self, network: nn.Module, settings: Settings, described: dict, device: torch.device):
        self.network, self.settings, self.description, self.device = (
            network.to(device).eval(),
            settings,
            described,
            device,
        )
        self.classes = tuple(described["classes"])
        self.seconds: float | None = described["input"]["seconds"]  # that a window spans
        self.form = clip_format(settings)
        self._features = torch.empty(0)
        self.head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        self.head.register_forward_pre_hook(self._keep)

    @classmethod
    def load(cls, run_folder: str | Path, device: str = "auto") -> Classifier:
        """Load the finished run in `run_folder`.

        Args:
            run_folder: a folder below `runs/` of a folder of results
            device: auto (a GPU where there is one), cpu, cuda, cuda:1 …

        Raises:
            RunError: for a folder without a finished run or without weights, for weights that are damaged or of another
                format, and for a device that is not available.
        """
        folder = Path(run_folder)
        if not folder.is_dir():
            raise runs.RunError(f"there is no run folder {folder}: name a folder below runs/ of a folder of results")
        run = runs.load(folder)
        settings = checkpoint.settings_of(run)
        described = description.read(run, settings)
        return cls(checkpoint.trained_network(run), settings, described, _device(device))

    def read(self, path: str | Path, *, fps: float | None = None) -> Recording:
        """Read a recording for `predict`: a video, a folder of numbered frames (`fps` a second) or a `.skeleton` file.

        Frames are resized as they are read, so memory holds their small copies only. Raises as `recording.read`.
        """
        return recording.read(Path(path), self.form, fps=fps)

    def predict(
        self,
        frames_or_joints: ArrayLike | Recording,
        *,
        fps: float | None = None,
        times: ArrayLike | None = None,
        seconds: float | None = None,
        stride: float | None = None,
    ) -> Prediction:
        """Classify each window of a recording.

        A recording of up to 1.5 windows is one window, and so is one without times.

        Args:
            frames_or_joints: what `read` returns, or an array. A run on frames takes (t, h, w, 3) RGB or (t, h, w, 1)
                or (t, h, w) grey, uint8; a run on joints takes (t, m, j, 3) or (t, j, 3), float metres, zeros where a
                body is not seen.
            fps: frames per second of an array
            times: (t,) seconds of its frames, instead of `fps`
            seconds: length of a window; by default that of the training recordings
            stride: seconds between the starts of two windows; by default half a window. The last window ends with the
                recording.

        Warns:
            With a `video.Remark` where a recording is shorter than half a window, where it is one window because a
            length is not known, and for windows left out because no body is seen in them.

        Raises:
            ValueError: for input that does not suit the run (see `recording.of_array`), and where no window is left.
        """
        probabilities, _, windows = self._classify(
            frames_or_joints, fps=fps, times=times, seconds=seconds, stride=stride
        )
        starts, ends = (np.array([getattr(w, name) for w in windows]) for name in ("start", "end"))
        return Prediction(probabilities, starts, ends, self.classes)

    def __call__(self, frames_or_joints: ArrayLike | Recording, **options: Any) -> np.ndarray:
        """Probabilities (windows, k) of each window of a recording; see `predict` for arguments and errors."""
        return self._classify(frames_or_joints, **options)[0]

    def of_clips(self, clips: np.ndarray) -> np.ndarray:
        """Probabilities (b, k) of clips that are windows already, however long they last.

        They are as the run holds them (`form.shape`): (b, t, h, w, c) uint8 or, of joints, (b, t, m, j, 3) float, of as
        many bodies or fewer. Raises `ValueError` for another shape.
        """
        return self._of_clips(clips)[0]

    def features_of_clips(self, clips: np.ndarray) -> np.ndarray:
        """The input of the network's last layer, `head`, for clips (b, d), the mean over views; see `of_clips`."""
        return self._of_clips(clips)[1]

    def _of_clips(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (b, k) and features (b, d)."""
        shape = (len(clips), *self.form.shape)
        if not self.form.size and clips.ndim == 5 and clips.shape[2] < self.form.bodies:
            absent = np.zeros((*clips.shape[:2], self.form.bodies - clips.shape[2], *clips.shape[3:]))
            clips = np.concatenate([clips, absent], axis=2).astype(np.float32)
        if clips.shape != shape:
            raise ValueError(f"expected clips of shape {('b', *self.form.shape)}, found {clips.shape}")
        if not len(clips):
            return np.zeros((0, len(self.classes)), np.float32), np.zeros((0, self.head.in_features), np.float32)
        batches = torch.from_numpy(np.ascontiguousarray(clips)).split(CLIPS)
        parts = [[means.cpu().numpy() for means in self._forward(batch.to(self.device))] for batch in batches]
        probabilities, features = (np.concatenate(means) for means in zip(*parts, strict=True))
        return probabilities, features

    def features(self, frames_or_joints: ArrayLike | Recording, **options: Any) -> np.ndarray:
        """The input of the network's last layer for each window, (windows, d), the mean over views; see `predict`."""
        return self._classify(frames_or_joints, **options)[1]

    def _classify(
        self,
        source: ArrayLike | Recording,
        *,
        fps: float | None = None,
        times: ArrayLike | None = None,
        seconds: float | None = None,
        stride: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray, list[Window]]:
        """Probabilities (windows, k), features (windows, d), and the windows."""
        if not isinstance(source, Recording):
            source = recording.of_array(source, self.form, fps=fps, times=times)
        seconds = self.seconds if seconds is None else seconds
        windows = source.windows(seconds, stride)
        self._remark(source, seconds)
        kept, probabilities, features = [], [], []
        pairs = self._clips(source, windows)
        while batch := list(islice(pairs, BATCH)):
            kept += [window for window, _ in batch]
            clips = torch.from_numpy(np.stack([clip for _, clip in batch])).to(self.device)
            for results, means in zip((probabilities, features), self._forward(clips), strict=True):
                results.append(means.cpu().numpy())
        return np.concatenate(probabilities), np.concatenate(features), kept

    def _clips(self, source: Recording, windows: list[Window]) -> Iterator[tuple[Window, np.ndarray]]:
        """Each window that yields a clip, with the clip; raises `ValueError` where none does."""
        fault, count = None, 0
        for window in windows:
            try:
                clip = source.clip(window, self.form)
            except Unreadable as error:
                fault, count = error, count + 1
            else:
                yield window, clip
        if fault and count == len(windows):
            raise ValueError(f"the recording does not serve: {fault.reason} ({fault.detail})")
        if fault:
            warnings.warn(Remark("windows left out", f"{count} of {len(windows)}: {fault.reason}"), stacklevel=2)

    @torch.inference_mode()
    def _forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities (b, k) and features (b, d) of clips, the means over views."""
        probabilities, features = [], []
        for view in range(self.settings.views):
            x = inputs(clips, self.settings, None, augmented=False, view=view)
            probabilities.append(self.network(x).float().softmax(dim=-1))
            features.append(self._features.float())
        return torch.stack(probabilities).mean(dim=0), torch.stack(features).mean(dim=0)

    def _keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # one network has its head on every frame, and the mean of logits is the logit of the mean
        self._features = inputs[0].mean(dim=1) if inputs[0].ndim == 3 else inputs[0]

    def _remark(self, source: Recording, seconds: float | None) -> None:
        if source.times is None:
            remark = Remark("one window", "the recording has no times, so all of it is one")
        elif seconds is None:
            remark = Remark("one window", "the run does not know how long its recordings were; give seconds")
        elif (lasts := source.end - source.times[0]) < SHORT * seconds:
            remark = Remark("short", f"it lasts {lasts:.2f} s, the recordings trained on about {seconds:.2f} s")
        else:
            return
        warnings.warn(remark, stacklevel=4)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # of torch without CUDA, of a number too high
        sees = f"torch sees {torch.cuda.device_count()} GPUs"
        raise runs.RunError(f"device is {name}, which cannot be had ({sees}): use auto or cpu") from error
    return device
