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

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # broken files are counted, not logged

PNG = b"\x89PNG\r\n\x1a\n"
FORMATS = ("BMP", "DIB", "JPEG", "JPEG2000", "PNG", "PPM", "SUN", "TIFF", "WEBP")  # Pillow's names


def pictures(path: Path, verdict: Verdict = refuse) -> Iterator[tuple[int, Path, np.ndarray]]:
    """Read a folder of numbered pictures.

    At the end the numbers are checked for gaps, see `filenames.missing`.

    Args:
        path: the folder
        verdict: what to do about gaps, and about pictures that do not decode or are too large, which are left out

    Yields:
        the place of each frame (see `places`), its file, and the picture (h, w, 3) BGR uint8

    Raises:
        Unreadable: where there are no frames.
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
    total = len(files) + lost
    detail = f"{path}: {len(files)} of {total} frames from {files[0].name} to {files[-1].name}"
    complete(len(files), total, "has a hole", "has a hole", detail, verdict if regular else remark)


def places(numbers: list[int]) -> list[int]:
    """Place of each frame of a folder, from its ascending numbers; missing frames count too.

    >>> places([1, 2, 3, 6, 7])
    [0, 1, 2, 5, 6]
    >>> places([10, 15, 20, 30])
    [0, 1, 2, 4]

    Where the numbers are not regular (see `filenames.missing`) places are 0, 1, 2 and so on.
    """
    steps = Counter(after - before for before, after in pairwise(numbers))
    if steps and missing(numbers)[1]:
        common = min(steps, key=lambda step: (-steps[step], step))
        spaced = [round((number - numbers[0]) / common) for number in numbers]
        if all(before < after for before, after in pairwise(spaced)):
            return spaced
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
    """Whether the chunks of a PNG end within it: the decoder allocates their stated lengths before it reads them."""
    if not data.startswith(PNG):
        return True
    start = len(PNG)
    while start < len(data) and data[start + 4 : start + 8] != b"IEND":
        start += 12 + int.from_bytes(data[start : start + 4])  # 12 bytes of length, type and checksum
    return start <= len(data)


def _size(data: bytes) -> tuple[float, float]:
    """Width and height of an encoded picture from its header, or zeros where it takes the decoder to know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                return picture.size
        except Image.DecompressionBombError:
            return float("inf"), 1
        except Exception:  # of any kind; the decoder decides whether it is a picture
            return 0, 0
