"""Reading videos and folders of numbered frames: to the end, in bounded memory, and no half of one for a whole.

A container that counts its frames, and the numbers in the names of a folder's frames, tell how many there should be.
One rule for both: where at least nine tenths of them are there the recording is kept, with a `Remark`; where fewer
are, it is `Unreadable`. What is taken as told:

- of .avi and .mp4 files and their kin the container's count less one (real HMDB51 files tell a frame more than they
  hold), of a trimmed .mp4 the part of it that is shown. Other containers only estimate: their word alone refuses
  nothing, but what lies below nine tenths of it gets the remark.
- of folders the numbers in the names, as far as they have a rhythm that a hole can break; see `filenames.missing`.
"""

from __future__ import annotations

import io
import math
import os
import struct
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from wtmr_core.datasets.filenames import IMAGES, VIDEOS, is_image, is_video, missing, natural, numbered, sequence
from wtmr_core.datasets.index import Unreadable
from wtmr_core.skeleton import JOINTS

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # a broken file is counted, not shouted about
import cv2

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

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_MOVIES = {".3g2", ".3gp", ".m4v", ".mov", ".mp4"}  # the family of .mp4
_COUNTED = {".avi", ".divx"} | _MOVIES

WHOLE = 0.9  # of the frames told must be there
PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = ("BMP", "DIB", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP")  # as Pillow calls them
PIXELS = 40_000_000  # of one picture: it and its copy in RGB take 240 MB. 7680×4320 has 33 million
USUAL_RATE = 25  # frames a second of a file that tells neither times nor a rate
KEPT_BYTES = 64_000_000  # of fitted frames; of longer recordings the chosen ones are read in a second pass


class Remark(UserWarning):
    """What is odd about a clip that was read all the same: a short `reason`, always in the same words, and a `detail`.

    Readers give it with `warnings.warn`; `clips.attempts` carries it to the index.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


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
    """Each frame of a video file or of a folder of numbered images: the seconds it is shown at, and (h, w, 3) BGR.

    Seconds rise: where the file's do not, a frame is taken to last as long as its frame rate says. Of a folder, which
    tells no times, they are NaN. Warns and raises as `read_frames`, at the end of what is there.
    """
    return _folder(path) if path.is_dir() else _video(path)


def fit(frame: np.ndarray, form: ClipFormat) -> np.ndarray:
    """(h, w, 3) BGR uint8 -> (size, size, c): the whole frame, squashed to a square, grey or RGB."""
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if form.channels == 1 else cv2.COLOR_BGR2RGB)
    shrinks = frame.shape[0] > form.size
    frame = cv2.resize(frame, (form.size, form.size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return frame.reshape(form.size, form.size, form.channels)


class _Stream(io.BufferedIOBase):
    """A file for OpenCV to read. It remembers an error of the disk, which FFmpeg would take for the file's end;
    and it has no name, which OpenCV would want in UTF-8."""

    def __init__(self, file: BinaryIO):
        self.file, self.error = file, None

    def read(self, size: int = -1) -> bytes:
        try:
            return self.file.read(size)
        except OSError as error:
            self.error = error
            return b""  # an exception here would end the process

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):  # damaged files point anywhere
            return -1


def _video(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """What `decoded` gives of a video, to its end; there it is compared with what the container tells."""
    with path.open("rb") as file:
        size, head = os.fstat(file.fileno()).st_size, file.read(8)
        if size == 0:
            raise Unreadable("zero bytes", str(path))
        if head[:4] == b"RIFF" and (told := struct.unpack("<I", head[4:])[0] + 8) > size:
            raise Unreadable("truncated", f"{path}: {size:,} bytes of {told:,}")
        seconds = _shown(file, size) if path.suffix.lower() in _MOVIES else 0
        file.seek(0)
        stream, count = _Stream(file), 0
        # in one thread: with more, what is made of a damaged frame differs from time to time
        video = cv2.VideoCapture(stream, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            _small_enough(path, video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT))
            told, rate = video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)
            at, step = -math.inf, 1 / (rate if 0 < rate < 1e6 else USUAL_RATE)
            while video.grab():
                told_at = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
                got, frame = video.retrieve()
                if got:
                    count += 1
                    at = told_at if told_at > at else at + step
                    yield at, frame
        finally:
            video.release()
        if stream.error:
            raise stream.error
    if not count:
        raise Unreadable("no frame decodes", str(path))
    told = min(told, round(seconds * rate)) if seconds else told
    detail = f"{path}: {count} of {told:.0f} frames"
    if path.suffix.lower() in _COUNTED:
        _complete(count, told - 1, "cut short", "fewer frames than told", detail)
    elif count < WHOLE * told:
        warnings.warn(Remark("fewer frames than told", f"{detail}, by its container's estimate"), stacklevel=2)


def _shown(file: BinaryIO, size: int) -> float:
    """How many seconds of a file of .mp4's family are shown (its `mvhd` box, ISO 14496-12), or 0 where it is silent.

    A trimmed recording still holds, and counts, the frames cut off.
    """
    at, length = 0, 8
    while length >= 8 and at + 48 <= size:
        file.seek(at)
        box = file.read(48)
        length, kind, long = struct.unpack(">I4sQ", box[:16])
        if kind == b"moov" and box[12:16] == b"mvhd":
            scale, duration = struct.unpack(">IQ", box[36:48]) if box[16] else struct.unpack(">II", box[28:36])
            return duration / scale if scale else 0
        length = long if length == 1 else length
        at += length
    return 0


def _folder(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """What `decoded` gives of a folder, to its end; there its numbers are looked through for holes."""
    files, numbers, others = numbered(path.iterdir())
    if not files:
        raise Unreadable("no frames", f"{path}: {len(others)} pictures, none with a number" if others else str(path))
    size = None
    for file in files:
        data = file.read_bytes()
        _small_enough(file, *_picture_size(data))
        if not _chunks_fit(data):
            raise Unreadable("an image does not decode", f"{file}: it is cut short, or its chunks are damaged")
        frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if frame is None:
            raise Unreadable("an image does not decode", str(file))
        if frame.shape != (size := size or frame.shape):
            raise Unreadable("frames of mixed size", f"{file}: {frame.shape[:2]}, before it {size[:2]}")
        yield math.nan, frame
    lost, regular = missing(numbers)
    told = len(files) + lost
    detail = f"{path}: {len(files)} of {told} frames from {files[0].name} to {files[-1].name}"
    _complete(len(files), told, "has a hole", "has a hole", detail, refuse=regular)


def _complete(count: int, told: float, short: str, odd: str, detail: str, *, refuse: bool = True) -> None:
    """The rule at the head of this file: raises `Unreadable(short)`, or warns with `Remark(odd)`."""
    if refuse and count < WHOLE * told:
        raise Unreadable(short, detail)
    if count < told:
        warnings.warn(Remark(odd, detail), stacklevel=3)


def _small_enough(path: Path, width: float, height: float) -> None:
    if width * height > PIXELS:
        raise Unreadable("too large", f"{path}: {width:.0f}×{height:.0f}, more than {PIXELS:,} pixels")


def _chunks_fit(data: bytes) -> bool:
    """Whether the chunks of a PNG end within it: the decoder takes memory for what they say, before it reads them."""
    if not data.startswith(PNG):
        return True
    at = len(PNG)
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])  # its length, its name and its sum
    return at <= len(data)


def _picture_size(data: bytes) -> tuple[float, float]:
    """Width and height of an encoded picture from its head alone, or zeros where the decoder must tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=PICTURES) as picture:
                return picture.size
        except Image.DecompressionBombError:
            return float("inf"), 1
        except Exception:  # of many kinds; whether it is a picture is decided by who decodes it
            return 0, 0
