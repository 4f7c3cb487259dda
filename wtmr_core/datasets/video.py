"""Reading videos and folders of numbered frames for data sets: to the end, in bounded memory, complete or not at all.

Data sets refuse broken recordings; `stream.py` reads what can be read, from cameras too. Both are built on
`container.py` and `pictures.py`; these and `faults.py` define what counts as broken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np

from wtmr_core.datasets.container import VideoFile
from wtmr_core.datasets.faults import Remark, refuse
from wtmr_core.datasets.filenames import IMAGES, VIDEOS, is_image, is_video, natural, sequence
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.pictures import pictures
from wtmr_core.skeleton import JOINTS

__all__ = [
    "IMAGES",
    "VIDEOS",
    "ClipFormat",
    "Remark",
    "choose",
    "decoded",
    "fit",
    "is_image",
    "is_video",
    "most_motion",
    "natural",
    "read_frames",
    "sequence",
    "uniform",
]

KEPT_BYTES = 64_000_000  # of fitted frames held in memory; the chosen frames of a longer recording are read again


@dataclass(frozen=True)
class ClipFormat:
    """The format of a cached clip.

    Attributes:
        frames: number of frames
        size: side of the square pictures in pixels; 0 for skeletons
        channels: of a picture: 1 grey, 3 RGB
        bodies: skeletons of 25 joints in a frame, where `size` is 0
        choice: of frames: `uniform` (even steps from first to last) or `flow` (those with most motion)
        reader: `corrected`, or `published` where the paper reads a data set differently
    """

    frames: int = 16
    size: int = 0
    channels: int = 1
    bodies: int = 0
    choice: str = "uniform"
    reader: str = "corrected"

    @property
    def shape(self) -> tuple[int, ...]:
        """(t, h, w, c) of pictures or (t, m, j, 3) of joints."""
        joints = (self.bodies, JOINTS, 3)
        return (self.frames, *((self.size, self.size, self.channels) if self.size else joints))

    @property
    def dtype(self) -> np.dtype:
        """uint8 for pictures, float32 (metres) for joints."""
        return np.dtype(np.uint8 if self.size else np.float32)


# -- choosing frames ------------------------------------------------------------------------------------------


def uniform(count: int, frames: int) -> np.ndarray:
    """Choose frames at even steps: (frames,) numbers from the first to the last of `count`.

    A recording with fewer frames is padded with its last one, as in the paper.

    >>> uniform(9, 3).tolist()
    [0, 4, 8]
    """
    if count < frames:
        return np.minimum(np.arange(frames), count - 1)
    return np.linspace(0, count - 1, frames).astype(int)


def most_motion(frames: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Choose the frames with the largest mean Farneback flow from the frame before: (count,) ascending numbers.

    The first frame has no flow. A recording with fewer frames is padded with its last one.

    Args:
        frames: (h, w, c) uint8 each, in order; two at a time are held, and flow is measured on them in grey
        count: how many to choose
    """
    grey = (f[..., 0] if f.shape[-1] == 1 else cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames)
    flow = [0.0]
    for before, now in pairwise(grey):
        field = cv2.calcOpticalFlowFarneback(before, now, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        flow.append(float(np.hypot(field[..., 0], field[..., 1]).mean()))
    if len(flow) <= count:
        return uniform(len(flow), count)
    return np.sort(np.argsort(flow, kind="stable")[::-1][:count])


def choose(fitted: Iterable[np.ndarray], form: ClipFormat) -> np.ndarray:
    """Choose the frames of a recording for a clip: (t,) ascending numbers of its fitted frames."""
    if form.choice == "flow":
        return most_motion(fitted, form.frames)
    return uniform(sum(1 for _ in fitted), form.frames)


# -- reading --------------------------------------------------------------------------------------------------


def read_frames(path: Path, form: ClipFormat) -> np.ndarray:
    """Read the chosen frames of a video file or of a folder of numbered images.

    Every frame is decoded, because the count of a container is wrong in real files; memory does not grow with their
    number. Frames missing from an almost complete recording give a `Remark`.

    Returns:
        (t, h, w, c) uint8, RGB or grey

    Raises:
        Unreadable: for an empty, truncated or undecodable file, for an incomplete recording, for pictures of more than
            `faults.PIXELS`, and for frames of mixed size.
    """
    kept: list[np.ndarray] | None = []

    def fitted() -> Iterator[np.ndarray]:
        nonlocal kept
        for _, frame in decoded(path):
            frame = fit(frame, form)
            if kept is not None:
                kept.append(frame)
                if len(kept) * frame.nbytes > KEPT_BYTES:
                    kept = None
            yield frame

    chosen = choose(fitted(), form)
    if kept is None:
        wanted = set(chosen.tolist())
        again = islice(enumerate(decoded(path)), max(wanted) + 1)
        kept = {number: fit(frame, form) for number, (_, frame) in again if number in wanted}
    return np.stack([kept[number] for number in chosen])


def decoded(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Read each frame of a video file or of a folder of numbered images.

    Yields:
        seconds since the first frame, ascending (NaN for a folder, which has no times), and the picture (h, w, 3) BGR
        uint8, rotated as the file says

    Raises:
        Unreadable: as `read_frames` does, after the frames that can be read.
    """
    if not path.is_dir():
        with closing(VideoFile(path, refuse)) as file:
            for seconds, frame in file:
                yield seconds, file.picture(frame)
        return
    size = None
    for _, file, frame in pictures(path, refuse):
        if frame.shape != (size := size or frame.shape):
            raise Unreadable("frames of mixed size", f"{file}: {frame.shape[:2]}, before it {size[:2]}")
        yield math.nan, frame


def fit(frame: np.ndarray, form: ClipFormat) -> np.ndarray:
    """Resize a whole frame to a square, in grey or RGB: (h, w, 3) BGR uint8 -> (size, size, c)."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if form.channels == 1 else cv2.COLOR_BGR2RGB)
    shrinks = frame.shape[0] > form.size
    frame = cv2.resize(frame, (form.size, form.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return frame.reshape(form.size, form.size, form.channels)
