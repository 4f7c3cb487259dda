"""Reading videos and folders of numbered frames: to the end, in bounded memory, and no half of one for a whole.

This is for data sets, which refuse what is broken; `stream.py` gives what there is of it, and of cameras. Both read by
`container.py` and `pictures.py`; what counts as broken is said there and in `faults.py`.
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

KEPT_BYTES = 64_000_000  # of fitted frames; of longer recordings the chosen ones are read in a second pass


@dataclass(frozen=True)
class ClipFormat:
    """What one cached clip is. `frames` of them, either pictures of `size`×`size` pixels with `channels`
    (1 grey, 3 RGB), or, where `size` is 0, `bodies` skeletons of 25 joints.

    `choice` of frames: `uniform` (even steps from first to last) or `flow` (those with most motion).
    `reader`: `corrected`, or `published` where the paper's own reading differs.
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
    """The numbers of `frames` frames at even steps from the first to the last of `count`.

    With fewer than asked for, each once and the last again and again, as the paper does.
    """
    if count < frames:
        return np.minimum(np.arange(frames), count - 1)
    return np.linspace(0, count - 1, frames).astype(int)


def most_motion(frames: Iterable[np.ndarray], count: int) -> np.ndarray:
    """The numbers of the `count` frames with the largest mean Farneback flow against the frame before.

    In time order; the first frame has no flow. With fewer frames than asked for the last one is repeated.
    `frames`: (h, w, c) uint8 each, of which two at a time are held. Flow is measured on the grey frames at the size
    given.
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
    """The numbers of the frames that a clip of `form` shows of a recording, by its `fitted` frames: (t,), rising."""
    if form.choice == "flow":
        return most_motion(fitted, form.frames)
    return uniform(sum(1 for _ in fitted), form.frames)


# -- reading --------------------------------------------------------------------------------------------------


def read_frames(path: Path, form: ClipFormat) -> np.ndarray:
    """The chosen frames of a video file or of a folder of numbered images: (t, h, w, c) uint8, RGB or grey.

    Every frame is decoded, since the number told by a container is wrong on real files; memory does not grow with
    their number. Warns with a `Remark` where some are missing. Raises `Unreadable` for an empty, truncated or
    undecodable file, for half a recording, for pictures of more than `PIXELS`, and for frames of mixed size.
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
    """Each frame of a video file or of a folder of numbered images: its seconds since the first, and (h, w, 3) BGR.

    Seconds rise: where the file's do not, a frame is taken to last as long as its frame rate says. Of a folder, which
    tells no times, they are NaN. Frames are turned as the file says that they are shown. Warns and raises as
    `read_frames`, at the end of what is there.
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
    """(h, w, 3) BGR uint8 -> (size, size, c): the whole frame, squashed to a square, grey or RGB."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if form.channels == 1 else cv2.COLOR_BGR2RGB)
    shrinks = frame.shape[0] > form.size
    frame = cv2.resize(frame, (form.size, form.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return frame.reshape(form.size, form.size, form.channels)
