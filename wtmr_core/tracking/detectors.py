"""Detectors of people: the protocol, the choice by name, and the detectors of OpenCV.

`auto` is MoveNet where it is installed, else HOG, which finds the most people of those that need no further package.
`benchmarks/people.py` compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import supervision as sv

from wtmr_core.datasets.faults import remark
from wtmr_core.datasets.index import Unreadable
from wtmr_core.tracking.boxes import detections
from wtmr_core.tracking.movenet import MoveNet
from wtmr_core.tracking.people import NotInstalled


class Detector(Protocol):
    """Finds people in a picture; `joints` says whether it finds their joints too."""

    name: str
    joints: bool

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8; `boxes` describes the result."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenCV search with one thread: several add what they detect in the order in which they happen to end."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


class Hog:
    """OpenCV's detector of standing or walking people: histograms of gradients and a linear SVM (Dalal, Triggs 2005).

    Its window has a margin on every side, which is cut off: the people it was trained on filled 96 of 128 rows.

    Args:
        side: pixels of the longer side to which pictures are scaled, so that people are larger than the window of 128
    """

    name, joints = "hog", False
    MARGIN = np.array([0.32, 0.22])  # of the window's width and height, both sides together
    UNSURE = 2.4  # makes windows with a score of 0.25, from which a track may start, right nine times in ten

    def __init__(self, side: int = 960):
        self.side = side
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8.

        The score is 1 - exp(-d / `UNSURE`), where d is the distance from the SVM's plane.
        """
        scale = min(self.side / max(picture.shape[:2]), 4)  # enlarging further adds no detail
        scaled = cv2.resize(picture, None, fx=scale, fy=scale)
        if scaled.shape[0] < self._hog.winSize[1] or scaled.shape[1] < self._hog.winSize[0]:
            return detections([], [], picture.shape[:2])
        with one_thread():
            windows, distances = self._hog.detectMultiScale(scaled, winStride=(8, 8), padding=(8, 8), scale=1.05)
        scores = 1 - np.exp(-np.ravel(distances) / self.UNSURE)
        corners = without_margin(windows, self.MARGIN) / scale
        return detections(corners, scores, picture.shape[:2]).with_nms(threshold=0.5)


class Haar:
    """OpenCV's cascades of Haar features for the full body, the upper body and the face, as in the paper.

    Boxes of the full body lose the margin of their window; those of the upper body and the face are extended to the
    whole body.

    Args:
        parts: the cascades to use, among `PARTS`
        smallest: the smallest height of a person, as a share of the picture's
    """

    name, joints = "haar", False
    #: part -> its cascade, and left, top, right, bottom of the body in widths and heights of the cascade's window;
    #: for the full body set on pedestrians, for the others medians against MoveNet's boxes at home
    PARTS = {  # noqa: RUF012
        "body": ("fullbody", (0.15, 0.1, 0.85, 0.9)),
        "upper body": ("upperbody", (0.15, 0.1, 0.85, 2.3)),
        "face": ("frontalface_default", (-0.75, -0.5, 1.75, 6.0)),
    }

    def __init__(self, parts: tuple[str, ...] = tuple(PARTS), smallest: float = 0.1):
        self._cascades = [(_cascade(self.PARTS[part][0]), np.array(self.PARTS[part][1])) for part in parts]
        self.smallest = smallest

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8; the score is n / (n + 4) for n overlapping windows."""
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        corners, scores = [np.empty((0, 4))], [np.empty(0)]
        for cascade, body in self._cascades:
            w, h = cascade.getOriginalWindowSize()
            least = self.smallest * len(grey) / (body[3] - body[1])
            with one_thread():
                windows, agreeing = cascade.detectMultiScale2(
                    grey, scaleFactor=1.1, minNeighbors=4, minSize=(int(least * w / h), int(least))
                )
            windows, agreeing = np.reshape(windows, (-1, 4)).astype(float), np.ravel(agreeing)
            corners.append(np.tile(windows[:, :2], 2) + body * np.tile(windows[:, 2:], 2))
            scores.append(agreeing / (agreeing + 4))
        return detections(np.concatenate(corners), np.concatenate(scores), picture.shape[:2]).with_nms(threshold=0.5)


class Published:
    """The paper's detector: the full-body cascade on each frame, its boxes unchanged and in its order."""

    name, joints = "published", False

    def __init__(self):
        self._cascade = _cascade("fullbody")

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find the people in a picture (h, w, 3) BGR uint8; every score is 1."""
        with one_thread():
            windows = self._cascade.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 1.1, 4)
        windows = np.reshape(windows, (-1, 4))
        return detections(sv.xywh_to_xyxy(windows), np.ones(len(windows)), picture.shape[:2])


class Motion:
    """Finds what moves in front of a still background: a mixture of Gaussians for each pixel (Zivkovic 2004).

    It remembers earlier pictures, so give one detector one video, in order. The first picture is taken for background:
    people in it are missed, and where they leave, the place they leave is detected.

    Args:
        memory: pictures after which somebody who stands still becomes part of the background
        smallest: the smallest height of a person, as a share of the picture's
    """

    name, joints = "motion", False

    def __init__(self, memory: int = 300, smallest: float = 0.1):
        self.memory, self.smallest = memory, smallest
        self._background: cv2.BackgroundSubtractorMOG2 | None = None
        self._size: tuple[int, int] | None = None

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        """Find what moves in a picture (h, w, 3) BGR uint8; the score is the share of its box that moves."""
        if picture.shape[:2] != self._size:
            self._size = picture.shape[:2]
            self._background = cv2.createBackgroundSubtractorMOG2(history=self.memory, detectShadows=True)
            self._background.apply(picture)
        moving = cv2.medianBlur((self._background.apply(picture) == 255).astype(np.uint8), 5)
        height = self.smallest * self._size[0]
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (max(1, int(height / 8)), max(1, int(height / 3))))
        _, _, regions, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(moving, cv2.MORPH_CLOSE, kernel))
        regions = regions[1:].astype(float)  # the first is the background
        regions = regions[regions[:, 2:4].max(axis=1) >= height]
        share = regions[:, 4] / regions[:, 2:4].prod(axis=1)
        return detections(sv.xywh_to_xyxy(regions[:, :4]), share, self._size)


NAMES = ("auto", "movenet", "hog", "haar", "motion", "published")


def load(name: str = "auto", **options) -> Detector:
    """Load a detector by name.

    `auto` warns with a `Remark` where MoveNet is not installed and HOG takes its place.

    Args:
        name: one of `NAMES`, or `torchvision`
        options: arguments of the detector's class

    Raises:
        NotInstalled: where a package or file that it needs is missing.
        ValueError: for an unknown name.

    >>> detector = load("hog")
    >>> people = detector(picture)  # doctest: +SKIP
    """
    if name == "torchvision":
        from wtmr_core.tracking.rcnn import TorchVision  # takes seconds to import

        return TorchVision(**options)
    detectors = {"movenet": MoveNet, "hog": Hog, "haar": Haar, "motion": Motion, "published": Published}
    if name == "auto":
        try:
            return MoveNet(**options)
        except NotInstalled as error:
            remark(Unreadable("hog in the place of movenet", str(error)))
            return Hog()
    if name not in detectors:
        raise ValueError(f"there is no detector called {name!r}: take one of {', '.join(NAMES)}")
    return detectors[name](**options)


def poses() -> Detector | None:
    """Load the detector that finds joints as well as boxes; None where it is not installed."""
    try:
        return MoveNet()
    except NotInstalled:
        return None


def without_margin(windows: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Cut the margin off windows.

    Args:
        windows: (n, 4) x y w h
        margin: (2,) the shares of width and height to cut off, both sides together

    Returns:
        (n, 4) x1 y1 x2 y2
    """
    windows = np.reshape(windows, (-1, 4)).astype(float)
    cut = windows[:, 2:] * margin / 2
    return np.concatenate([windows[:, :2] + cut, windows[:, :2] + windows[:, 2:] - cut], axis=1)


def _cascade(name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / f"haarcascade_{name}.xml"))
