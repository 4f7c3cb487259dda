"""Folders of numbered pictures, read as the frames of one recording."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wtmr_core.datasets.faults import Verdict, complete, refuse, remark, small_enough
from wtmr_core.datasets.filenames import missing, numbered
from wtmr_core.datasets.index import Unreadable

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a broken file is counted, not shouted about

PNG = b"\x89PNG\r\n\x1a\n"
FORMATS = ("BMP", "DIB", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP")  # as Pillow calls them


def pictures(path: Path, verdict: Verdict = refuse) -> Iterator[tuple[int, Path, np.ndarray]]:
    """Each frame of a folder of numbered pictures: its place (see `places`), its file, and (h, w, 3) BGR uint8.

    At the end its numbers are looked through for holes: what they tell, as far as they have a rhythm that a hole can
    break, is said at `filenames.missing`. `verdict` is given on holes, and on pictures that do not decode or are too
    large, which are left out. Raises `Unreadable` where there are no frames.
    """
    files, numbers, others = numbered(path.iterdir())
    if not files:
        raise Unreadable("no frames", f"{path}: {len(others)} pictures, none with a number" if others else str(path))
    for place, file in zip(places(numbers), files, strict=True):
        try:
            frame = _decoded(file)
        except Unreadable as fault:
            verdict(fault)
            continue
        yield place, file, frame
    lost, regular = missing(numbers)
    told = len(files) + lost
    detail = f"{path}: {len(files)} of {told} frames from {files[0].name} to {files[-1].name}"
    complete(len(files), told, "has a hole", "has a hole", detail, verdict if regular else remark)


def places(numbers: list[int]) -> list[int]:
    """How many frames before each one a folder has, by its frames' ascending numbers: those that are lost count too.

    >>> places([1, 2, 3, 6, 7])
    [0, 1, 2, 5, 6]
    >>> places([10, 15, 20, 30])
    [0, 1, 2, 4]

    Where the numbers have no rhythm (see `filenames.missing`) the frames themselves are counted.
    """
    steps = Counter(after - before for before, after in pairwise(numbers))
    if steps and missing(numbers)[1]:
        common = min(steps, key=lambda step: (-steps[step], step))
        counted = [round((number - numbers[0]) / common) for number in numbers]
        if all(before < after for before, after in pairwise(counted)):
            return counted
    return list(range(len(numbers)))


def _decoded(file: Path) -> np.ndarray:
    data = file.read_bytes()
    small_enough(file, *_size(data))
    if not _chunks_fit(data):
        raise Unreadable("an image does not decode", f"{file}: it is cut short, or its chunks are damaged")
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if frame is None:
        raise Unreadable("an image does not decode", str(file))
    return frame


def _chunks_fit(data: bytes) -> bool:
    """Whether the chunks of a PNG end within it: the decoder takes memory for what they say, before it reads them."""
    if not data.startswith(PNG):
        return True
    at = len(PNG)
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])  # its length, its name and its sum
    return at <= len(data)


def _size(data: bytes) -> tuple[float, float]:
    """Width and height of an encoded picture from its head alone, or zeros where the decoder must tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                return picture.size
        except Image.DecompressionBombError:
            return float("inf"), 1
        except Exception:  # of many kinds; whether it is a picture is decided by who decodes it
            return 0, 0
