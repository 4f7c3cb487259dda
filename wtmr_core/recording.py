"""A recording, from an array or a file, and the windows of it that are classified.

Axes: t frame, h w pixels, c channel, m body, j joint.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from wtmr_core.datasets import Unreadable, ntu60
from wtmr_core.datasets.skeleton_file import NO_BODY, Skeletons, load
from wtmr_core.datasets.video import ClipFormat, choose, decoded, fit
from wtmr_core.skeleton import JOINTS

ONE_WINDOW = 1.5  # windows: a recording no longer than these is one, the whole of it
FINEST = 1000  # of a window's seconds: the shortest stride
_SLACK = 1e-6  # seconds: less than that is how a number was rounded
_LAYOUT = "joints (t, m, 25, 3) or (t, 25, 3), in metres, numbered as in NTU RGB+D (wtmr_core/skeleton.py)"


@dataclass(frozen=True)
class Recording:
    """The content of a recording and its times.

    Attributes:
        content: frames (h, w, c) uint8, resized to the input of the network; or skeletons
        times: (t,) the second at which each frame is shown, or None where that is not known
        end: the second at which the last frame ends, NaN without times
    """

    content: Sequence[np.ndarray] | Skeletons
    times: np.ndarray | None = None
    end: float = math.nan

    def clip(self, window: Window, form: ClipFormat) -> np.ndarray:
        """The clip of a window in the format `form`.

        Raises `Unreadable` for a window in which no body is seen, and for what the published reader refuses.
        """
        span = slice(window.first, window.stop)
        if not isinstance(self.content, Skeletons):
            frames = self.content[span]
            return np.stack([frames[number] for number in choose(frames, form)])
        joints, seen = self.content.joints[:, span], self.content.seen[span]
        if not seen.any():
            raise Unreadable(NO_BODY, f"{len(seen)} frames")
        bodies = ~np.isnan(joints[..., 0, 0]).all(axis=1)
        return ntu60.clip_of(Skeletons(joints[bodies], self.content.bodies[bodies], seen), form)

    def windows(self, seconds: float | None, stride: float | None = None) -> list[Window]:
        """Cut the recording into windows of `seconds`, one every `stride` seconds; the last ends with the recording.

        The default stride is half a window. The recording is one window where it is no longer than `ONE_WINDOW`
        windows, and where its times or `seconds` are not known. A frame belongs to each window during which it is
        shown; windows in which no frame begins are left out.

        Raises:
            ValueError: for impossible `seconds` or `stride`.
        """
        times, count = self.times, _count(self.content)
        check(seconds=seconds, stride=stride)
        if times is None:
            return [Window(0, count)]
        if seconds is None or self.end - times[0] <= ONE_WINDOW * seconds + _SLACK:
            return [Window(0, count, float(times[0]), float(self.end))]
        stride = seconds / 2 if stride is None else stride
        if stride * FINEST < seconds:
            raise ValueError(
                f"stride is {stride:g} s; of windows of {seconds:g} s it must be {seconds / FINEST:g} or more"
            )
        # from the frames, not from the length: where times leap by years, there is nothing in most windows
        reach = math.ceil(seconds / stride)
        steps = np.floor((times - times[0] + _SLACK) / stride)[:, None] - np.arange(reach)
        starts = times[0] + stride * np.unique(steps[steps >= 0])
        last = self.end - seconds
        frame = self.end - times[-1]
        starts = np.append(starts[starts < last - frame / 2 - _SLACK], last)  # not two that begin in one frame
        first = np.maximum(np.searchsorted(times, starts + _SLACK, side="right") - 1, 0)
        stop = np.searchsorted(times, starts + seconds - _SLACK, side="left")
        columns = (first, stop, starts, starts + seconds)
        return [Window(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]


@dataclass(frozen=True)
class Window:
    """Frames `first` to `stop` (not included) of a recording, and the seconds they span, NaN where not known."""

    first: int
    stop: int
    start: float = math.nan
    end: float = math.nan


def of_array(
    array: ArrayLike, form: ClipFormat, *, fps: float | None = None, times: ArrayLike | None = None
) -> Recording:
    """Make a recording from an array.

    Args:
        array: frames (t, h, w, 3) RGB or (t, h, w, 1) or (t, h, w) grey, uint8; or joints (t, m, j, 3) or (t, j, 3),
            float metres, zeros where a body is not seen
        form: of the clips of the run; it decides between frames and joints
        fps: frames per second
        times: (t,) seconds in ascending order, instead of `fps`

    Raises:
        ValueError: for an array that does not suit `form`, has no frames, has joints in another layout or values that
            are not finite, and for an impossible rate or impossible times.
    """
    array = np.asarray(array)
    content = _fitted(array, form) if form.size else _skeletons(array)
    return Recording(content, *_timed(len(array), fps, times))


def read(path: Path, form: ClipFormat, *, fps: float | None = None) -> Recording:
    """Read a recording from a file: a video, a folder of numbered frames, or a `.skeleton` file.

    Args:
        path: of the file or folder
        form: of the clips of the run; it decides between frames and joints
        fps: frames per second of a folder of frames

    Warns:
        With a `video.Remark` where frames are missing.

    Raises:
        ValueError: for a file that cannot be read as such a recording, or holds the other kind.
        OSError: for a file that the system does not let us read.
    """
    joints = path.suffix.lower() == ntu60.SUFFIX
    if joints and form.size:
        raise ValueError(f"{path} holds joints, but the run was trained on frames: give a video or a folder of frames")
    if not joints and not form.size:
        raise ValueError(f"{path} is no .skeleton file, but the run was trained on joints: give a .skeleton file")
    try:
        if joints:
            skeletons = load(path)
            return Recording(skeletons, *_timed(len(skeletons.seen), ntu60.FPS))
        times, frames = [], []
        for at, frame in decoded(path):
            times.append(at)
            frames.append(fit(frame, form))
    except Unreadable as fault:
        raise ValueError(fault.sentence(path)) from fault
    return Recording(frames, *(_timed(len(frames), fps) if path.is_dir() else _timed(len(frames), times=times)))


def length(path: Path, form: ClipFormat) -> float | None:
    """Length of the recording in a file in seconds; None where the file does not tell it or cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not form.size:
                return len(load(path).seen) / ntu60.FPS
            if path.is_dir():
                return None
            times, end = _timed(None, times=[at for at, _ in decoded(path)])
        except (Unreadable, OSError, cv2.error):
            return None
    return end - times[0]


def check(**options: float | None) -> None:
    """Raise `ValueError` for the first of the `options` that is neither None nor a finite number above 0."""
    for name, value in options.items():
        number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if value is not None and not (number and value > 0):
            raise ValueError(f"{name} is {value!r}; it must be a number above 0")


def _count(content: Sequence[np.ndarray] | Skeletons) -> int:
    return len(content.seen) if isinstance(content, Skeletons) else len(content)


def _timed(
    count: int | None, fps: float | None = None, times: ArrayLike | None = None
) -> tuple[np.ndarray | None, float]:
    """The second at which each of `count` frames is shown, and the second at which the last one ends.

    The last frame lasts as long as the median one.
    """
    if times is not None:
        if fps is not None:
            raise ValueError("fps and times are both given; give one of them")
        times = np.asarray(times, float)
        count = len(times) if count is None else count
        if times.shape != (count,) or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise ValueError(f"times must be the second of each of the {count} frames, rising; found {times.shape}")
        return times, float(times[-1] + (np.median(np.diff(times)) if count > 1 else 0))
    if fps is None:
        return None, math.nan
    check(fps=fps)
    return np.arange(count) / fps, count / fps


def _fitted(frames: np.ndarray, form: ClipFormat) -> list[np.ndarray]:
    shape = frames.shape
    frames = frames[..., None] if frames.ndim == 3 else frames
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] not in (1, 3):
        kind = f"{frames.dtype} of shape {shape}"
        raise ValueError(f"the run was trained on frames: give (t, h, w, 3) or (t, h, w) uint8, not {kind}")
    if not frames.size:
        raise ValueError(f"there are no frames in an array of shape {shape}")
    order = cv2.COLOR_GRAY2BGR if frames.shape[-1] == 1 else cv2.COLOR_RGB2BGR
    return [fit(cv2.cvtColor(np.ascontiguousarray(frame), order), form) for frame in frames]


def _skeletons(joints: np.ndarray) -> Skeletons:
    if not np.issubdtype(joints.dtype, np.floating):
        raise ValueError(f"the run was trained on joints: give {_LAYOUT}, not {joints.dtype} of shape {joints.shape}")
    shape = joints.shape
    joints = joints[:, None] if joints.ndim == 3 else joints  # t m j 3
    if joints.ndim != 4 or joints.shape[2:] != (JOINTS, 3):
        raise ValueError(f"expected {_LAYOUT}; found the shape {shape}")
    if not joints.size:
        raise ValueError(f"there are no joints in an array of shape {shape}")
    if not np.isfinite(joints).all():
        raise ValueError("some joints are not finite; give zeros where a body is not seen")
    present = (joints != 0).any(axis=(2, 3))  # t m
    bodies = np.where(present[..., None, None], joints, np.nan).astype(np.float32).swapaxes(0, 1)
    return Skeletons(bodies, np.arange(joints.shape[1], dtype=np.uint64), present.sum(axis=1))
