"""Videos as FFmpeg (PyAV) decodes them, frame by frame: a file, a camera or a stream.

How many frames there should be: in .avi, .mp4 and related files the container's count less one (real HMDB51 files
state a frame more than they hold), in a trimmed .mp4 the part that is shown. Other containers only estimate the count:
a file is never refused for that, but one with less than nine tenths of it gets a remark.
"""

from __future__ import annotations

import io
import math
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.error import ExitError, FFmpegError, InvalidDataError
from av.video.reformatter import Interpolation, VideoReformatter

from wtmr_core.datasets import faults
from wtmr_core.datasets.faults import WHOLE, Verdict, complete, remark, small_enough
from wtmr_core.datasets.index import Unreadable

MOVIES = {".3g2", ".3gp", ".m4v", ".mov", ".mp4"}  # the family of .mp4
COUNTED = {".avi", ".divx"} | MOVIES
USUAL_RATE = 25  # frames a second of a source that states neither times nor a rate
PATIENCE = 10.0  # seconds that a camera or stream has to open, and for each frame
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}")}  # input format and name of a camera
#: for a file: no invented times, whose order would be wrong, and no access to other files or the network
OPTIONS = {"fflags": "-genpts", "protocol_whitelist": "none"}

_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}  # by quarters


class Container:
    """An open source; iterating yields, once, the seconds and the frame of everything that decodes.

    Seconds are the source's own, since the first frame, so that a variable rate is no special case. They always ascend:
    where the source's do not, a frame lasts as long as the rate says. Packets that do not decode are skipped, and
    counted in a `Remark` at the end.

    Args:
        source: what PyAV opens
        name: name of the source in messages
        options: further arguments of `av.open`

    Attributes:
        rate, duration: frames a second and seconds that the source states, or None; either may be wrong

    Raises:
        Unreadable: where there is no video in it.
    """

    def __init__(self, source: BinaryIO | str, name: object, **options):
        self.name, self._reformatter = name, VideoReformatter()
        try:
            self._container = av.open(source, metadata_errors="replace", **options)
        except FFmpegError as error:  # also for lack of memory: damaged files state absurd sizes
            detail = str(name) if isinstance(error, InvalidDataError) else f"{name}: {_in_words(error)}"
            raise Unreadable("no frame decodes", detail) from error
        try:
            self._stream = self._pictures()
        except BaseException:
            self._container.close()
            raise
        rate, duration = self._stream.guessed_rate, self._container.duration
        self.rate = float(rate) if rate and 0 < rate < 1e6 else None
        self.duration = duration / av.time_base if duration and duration > 0 else None

    def _pictures(self) -> av.VideoStream:
        """The first video stream, ready to decode; FFmpeg by itself would choose the largest one."""
        if not self._container.streams.video:
            raise Unreadable("no frame decodes", f"{self.name}: there are no pictures in it")
        stream = self._container.streams.video[0]
        if stream.codec_context is None:
            detail = "FFmpeg does not know what its pictures are coded with; convert it to an .mp4 file with H.264"
            raise Unreadable("no frame decodes", f"{self.name}: {detail}")
        small_enough(self.name, stream.width, stream.height)
        # one thread: with more, damaged frames decode differently from run to run
        stream.codec_context.thread_count, stream.codec_context.thread_type = 1, "NONE"
        stream.codec_context.options = {"max_pixels": str(faults.PIXELS)}
        return stream

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        time, step, origin = -math.inf, 1 / (self.rate or USUAL_RATE), None
        damaged, first = 0, 0.0
        for frame in self._frames():
            if isinstance(frame, FFmpegError):
                first = first if damaged else max(time, 0.0)
                damaged += 1
                continue
            following = max(time + step, 0.0)
            stamp = frame.dts if frame.pts is None else frame.pts  # an .avi has only times of decoding
            if stamp is not None:
                stated = float(stamp * self._stream.time_base)
                origin = stated - following if origin is None else origin
                following = stated - origin if stated - origin > time else following
            time = following
            yield time, frame
        if damaged:
            detail = f"{damaged} of its packets cannot be read, the first of them after {first:.2f} s"
            remark(Unreadable("damaged", f"{self.name}: {detail}"))

    def _frames(self) -> Iterator[av.VideoFrame | FFmpegError]:
        """Each frame, or the error of each packet that does not decode."""
        for packet in self._packets():
            try:
                yield from self._stream.decode(packet)
            except FFmpegError as error:
                yield error

    def _packets(self) -> Iterator[av.Packet | None]:
        """The packets to decode; None where the source breaks off, to flush the frames left in the decoder."""
        try:
            yield from self._container.demux(self._stream)
        except FFmpegError as error:
            remark(Unreadable("broken off", f"{self.name}: {_in_words(error)}"))
            yield None

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """Convert a frame to (h, w, 3) BGR uint8, rotated as its file says."""
        quarters = round(frame.rotation / 90) % 4
        shown = self._reformatter.reformat(frame, format="bgr24", interpolation=Interpolation.BICUBIC, threads=1)
        return (
            cv2.rotate(shown.to_ndarray(), _TURNS[quarters]) if quarters else np.ascontiguousarray(shown.to_ndarray())
        )

    def close(self) -> None:
        """Close the source."""
        self._container.close()


class VideoFile(Container):
    """A video file, compared at its end with the number of frames that its container states.

    Args:
        path: the file
        verdict: what to do where it is cut short
    """

    def __init__(self, path: Path, verdict: Verdict):
        self.path, self.verdict = path, verdict
        self._file = _File(path.open("rb"))
        try:
            self._size = _whole_riff(self._file.file, path, verdict)
            super().__init__(self._file, path, container_options=OPTIONS)
        except BaseException:
            self._file.file.close()
            raise

    def __iter__(self) -> Iterator[tuple[float, av.VideoFrame]]:
        count, seconds = 0, 0.0
        for seconds, frame in super().__iter__():
            count += 1
            yield seconds, frame
        if self._file.error:
            raise self._file.error
        if not count:
            raise Unreadable("no frame decodes", str(self.path))
        stated = self._stated()
        detail = f"{self.path}: {count} of {stated:.0f} frames"
        if self.path.suffix.lower() in COUNTED:
            complete(count, stated - 1, "cut short", "fewer frames than told", detail, self.verdict)
        elif count < WHOLE * stated and seconds < WHOLE * (self.duration or 0):  # not where only the rate varies
            remark(Unreadable("fewer frames than told", f"{detail}, by its container's estimate"))

    def _stated(self) -> float:
        """How many frames there should be, 0 where that is unknown."""
        rate = self.rate or 0
        stated = self._stream.frames or round((self.duration or 0) * rate)
        shown = _shown(self._file.file, self._size) if self.path.suffix.lower() in MOVIES else 0
        return min(stated, round(shown * rate)) if shown else stated

    def close(self) -> None:
        super().close()
        self._file.file.close()


def live(source: str, name: str) -> Container:
    """Open a camera or a network stream.

    Args:
        source: number or device of a camera, or address of a stream
        name: name of the source in messages

    Raises:
        Unreadable: where it does not open within `PATIENCE` seconds.
    """
    if "://" in source:
        options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
        arguments = {"container_options": options}
    elif sys.platform in CAMERAS:
        reader, device = CAMERAS[sys.platform]
        source, arguments = device.format(source) if source.isdecimal() else source, {"format": reader}
    else:
        raise Unreadable("cameras are read on Linux and macOS only", "give the address of a stream instead")
    try:
        return Container(source, name, timeout=PATIENCE, **arguments)
    except Unreadable as fault:
        raise Unreadable("cannot be opened", fault.detail) from fault


def _in_words(error: FFmpegError) -> str:
    return f"nothing came for {PATIENCE:g} s" if isinstance(error, ExitError) else error.strerror


class _File(io.RawIOBase):
    """A file for FFmpeg to read. It remembers an error of the disk, which FFmpeg would take for the end of the file,
    and has no name, which FFmpeg would want in UTF-8."""

    def __init__(self, file: BinaryIO):
        self.file, self.error = file, None

    def read(self, size: int = -1) -> bytes:
        try:
            return self.file.read(size)
        except OSError as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):  # damaged files point anywhere
            return -1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _whole_riff(file: BinaryIO, path: Path, verdict: Verdict) -> int:
    """The size of a file in bytes; `verdict` is called for an .avi that states a larger one."""
    size, head = os.fstat(file.fileno()).st_size, file.read(8)
    if size == 0:
        raise Unreadable("zero bytes", str(path))
    if head[:4] == b"RIFF" and (stated := struct.unpack("<I", head[4:])[0] + 8) > size:
        verdict(Unreadable("truncated", f"{path}: {size:,} bytes of {stated:,}"))
    file.seek(0)
    return size


def _shown(file: BinaryIO, size: int) -> float:
    """Seconds shown of a file of .mp4's family (its `mvhd` box, ISO 14496-12), or 0 where they are not stated.

    A trimmed recording still holds, and counts, the frames that were cut off.
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
