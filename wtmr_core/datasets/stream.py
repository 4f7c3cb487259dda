"""A video as a stream of frames with their seconds: a file, a folder of frames, a camera or what comes by network."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from wtmr_core.datasets.container import Container, VideoFile, live
from wtmr_core.datasets.faults import remark
from wtmr_core.datasets.filenames import numbered
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.pictures import pictures

EARLY = 0.25  # of 1/fps: times are rounded, and a frame that comes this much early is taken as if in time


class Frame(NamedTuple):
    """One frame of a stream.

    `number` counts from 0 the frames of the video that can be read, those that are not taken too; that of a picture in
    a folder is the one in its name, less 1 where the first is not 0. `seconds` is when it is shown, since the first
    frame; `picture` (h, w, 3) BGR uint8, upright; `passed` are the numbers of those read before it and not taken.
    """

    number: int
    seconds: float
    picture: np.ndarray
    passed: tuple[int, ...] = ()


class Stream:
    """The frames of a video, one after another and each once, in memory that does not grow.

    >>> with Stream("home.mp4", fps=10) as video:  # doctest: +SKIP
    ...     for number, seconds, picture, _ in video:
    ...         print(number, f"{seconds:.2f} s", picture.shape)

    `source` is a video file; a folder of numbered pictures; a camera, by its number (0) or device (/dev/video0); or
    the address of a stream (rtsp://…, http://…). Nothing is looked for on the network but such an address.

    `fps` of a folder is how many frames it has a second: it must be given. What the numbers of its frames leave out
    counts in `seconds`. `most` frames a second are taken, the first of each 1/`most` seconds by their
    times, whatever their rate; of a video that has fewer, and without it, all. `fps` of all but a folder is the same.

    `read` counts the frames read so far, those that are not taken too; `number` and `seconds` are of the last of them.
    `live`: whether it is a camera or the address of a stream, which cannot be read again.

    `height` and `width` are those of every picture: of the first one, as it is shown. Later ones of another size are
    fitted into it, with black bars. `rate` is the frames a second, and `duration` the seconds, that the source tells,
    None where it does not; they may be wrong and nothing here relies on them.

    What is broken is left out and said with a `Remark`, at the end at the latest; where a source breaks off it ends.
    Raises, at once, `ValueError` where nothing can be read and where `fps` cannot be, and `OSError` where the system
    does not let a file be read.
    """

    def __init__(self, source: str | Path | int, *, fps: float | None = None, most: float | None = None):
        source = str(source)
        self.name = re.sub(r"//[^/@]*@", "//", source)  # without a password
        for name, rate in (("fps", fps), ("most", most)):
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise ValueError(f"{name} is {rate!r}; it must be a number above 0")
        self.read, self.number, self.seconds, self.live = 0, -1, 0.0, False
        self._turn, self._passed = -1, []
        try:
            if Path(source).is_dir():
                if fps is None:
                    raise ValueError(f"{source}: a folder of frames tells no times; give how many it has a second, fps")
                self.rate, self.duration = fps, None
                self._frames = self._of_folder(Path(source), fps, most)
            else:
                self.live = _is_live(source)
                video = live(source, self.name) if self.live else VideoFile(Path(source), remark)
                self.rate, self.duration = video.rate, video.duration
                self._frames = self._of_video(video, fps or most)
            self._first = next(self._frames, None)
        except Unreadable as fault:
            raise ValueError(fault.sentence(self.name)) from fault
        if self._first is None:
            raise ValueError(Unreadable("no frame decodes").sentence(self.name))
        self.height, self.width = self._first.picture.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        size = self.height, self.width
        while (frame := self._first or self._next()) is not None:
            self._first = None
            height, width = frame.picture.shape[:2]
            if (height, width) != size:
                size = height, width
                what = f"{width}×{height} from {frame.seconds:.2f} s on, fitted into {self.width}×{self.height}"
                remark(Unreadable("frames of mixed size", f"{self.name}: {what}"))
            yield frame._replace(picture=_fitted(frame.picture, self.height, self.width))

    def _of_folder(self, path: Path, fps: float, most: float | None) -> Iterator[Frame]:
        files, numbers, _ = numbered(path.iterdir())
        number_of = {file: number - min(numbers[0], 1) for file, number in zip(files, numbers, strict=True)}
        for place, file, frame in pictures(path, remark):
            number, seconds = number_of[file], place / fps
            if (passed := self._takes(number, seconds, most)) is not None:
                yield Frame(number, seconds, frame, passed)

    def _of_video(self, video: Container, most: float | None) -> Iterator[Frame]:
        with closing(video):
            for number, (seconds, frame) in enumerate(video):
                if (passed := self._takes(number, seconds, most)) is not None:
                    yield Frame(number, seconds, video.picture(frame), passed)

    def _takes(self, number: int, seconds: float, most: float | None) -> tuple[int, ...] | None:
        """Count a frame that was read; where it is taken, the numbers of those before it that were not, else None."""
        self.read, self.number, self.seconds = self.read + 1, number, seconds
        turn = self.read if most is None else math.floor(seconds * most + EARLY)
        if turn <= self._turn:
            self._passed.append(number)
            return None
        passed, self._passed, self._turn = tuple(self._passed), [], turn
        return passed

    def _next(self) -> Frame | None:
        try:
            return next(self._frames, None)
        except OSError as error:
            remark(Unreadable("broken off", f"{self.name}: {error.strerror or error}"))
            return None

    def close(self) -> None:
        """Let go of the file, camera or address."""
        self._frames.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _is_live(source: str) -> bool:
    path = Path(source)
    return "://" in source or path.is_char_device() or (source.isdecimal() and not path.exists())


def _fitted(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """The frame as large as (height, width) holds it, in the middle, with black bars; as it is where it has that size.

    (h, w, 3) -> (height, width, 3) uint8.
    """
    if frame.shape[:2] == (height, width):
        return frame
    scale = min(height / frame.shape[0], width / frame.shape[1])
    h, w = (max(1, round(scale * side)) for side in frame.shape[:2])
    frame = cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - h) // 2, (width - w) // 2
    return cv2.copyMakeBorder(frame, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT)
