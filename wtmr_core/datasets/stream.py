"""A video as a stream of frames with their times: a file, a folder of frames, a camera or a network stream."""

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

EARLY = 0.25  # of 1/fps by which a frame may be early, because times are rounded


class Frame(NamedTuple):
    """One frame of a stream.

    Attributes:
        number: counts from 0 the readable frames of a video, taken or not; in a folder the number in the name of the
            picture, less 1 unless the first is 0
        seconds: time since the first frame
        picture: (h, w, 3) BGR uint8, upright
        passed: numbers of the frames read since the last one taken
    """

    number: int
    seconds: float
    picture: np.ndarray
    passed: tuple[int, ...] = ()


class Stream:
    """The frames of a video, read once and in order, in constant memory.

    >>> with Stream("home.mp4", fps=10) as video:  # doctest: +SKIP
    ...     for number, seconds, picture, _ in video:
    ...         print(number, f"{seconds:.2f} s", picture.shape)

    Damaged frames are left out with a `Remark`, at the end at the latest; a source that breaks off ends there. Pictures
    of another size than the first are fitted into it, with black bars.

    Args:
        source: a video file; a folder of numbered pictures; a camera, by number (0) or device (/dev/video0); or the
            address of a stream (rtsp://…, http://…), without which nothing on the network is used
        fps: for a folder, its frames a second, which must be given; frames missing from its numbers count in the times.
            For any other source, the same as `most`.
        most: most frames a second to take, the first of each 1/`most` seconds; None takes all

    Attributes:
        read: number of frames read so far, taken or not
        number, seconds: number and time of the last frame read
        live: whether it is a camera or a network stream, which cannot be read again
        height, width: size of every picture
        rate, duration: frames a second and seconds that the source states, or None; they may be wrong and are not used

    Raises:
        ValueError: where nothing can be read, or a rate is not positive.
        OSError: where the system refuses to read a file.
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
                    raise ValueError(f"{source}: a folder of frames has no times; give how many it has a second, fps")
                self.rate, self.duration = fps, None
                self._frames = self._of_folder(Path(source), fps, most)
            else:
                self.live = _is_live(source)
                video = live(source, self.name) if self.live else VideoFile(Path(source), remark)
                self.rate, self.duration = video.rate, video.duration
                self._frames = self._of_video(video, fps or most)
            self._first = next(self._frames, None)
        except Unreadable as fault:
            raise ValueError(_advised(fault, self.name)) from fault
        if self._first is None:
            raise ValueError(_advised(Unreadable("no frame decodes"), self.name))
        self.height, self.width = self._first.picture.shape[:2]

    def __iter__(self) -> Iterator[Frame]:
        size = self.height, self.width
        while (frame := self._first or self._next()) is not None:
            self._first = None
            height, width = frame.picture.shape[:2]
            if (height, width) != size:
                size = height, width
                detail = f"{width}×{height} from {frame.seconds:.2f} s on, fitted into {self.width}×{self.height}"
                remark(Unreadable("frames of mixed size", f"{self.name}: {detail}"))
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
        """Count a frame. Where it is to be taken, return the numbers of those passed before it, otherwise None."""
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
        """Close the file, camera or connection."""
        self._frames.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def _is_live(source: str) -> bool:
    path = Path(source)
    return "://" in source or path.is_char_device() or (source.isdecimal() and not path.exists())


def _fitted(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a frame to fit into (height, width), centred, with black bars: (h, w, 3) -> (height, width, 3) uint8."""
    if frame.shape[:2] == (height, width):
        return frame
    scale = min(height / frame.shape[0], width / frame.shape[1])
    h, w = (max(1, round(scale * side)) for side in frame.shape[:2])
    frame = cv2.resize(frame, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - h) // 2, (width - w) // 2
    return cv2.copyMakeBorder(frame, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT)


def _advised(fault: Unreadable, name: str) -> str:
    """What is wrong with a video, and what to do."""
    advice = "" if fault.detail else ": see whether a video player shows it, or convert it to MP4"
    return f"{fault.sentence(name)}{advice}"
