"""What a person does at each moment, worked out while the video runs: from poses, or from pictures of the person.

A network judges a window of time with the moment in its middle, so what it says of a moment is known half a window
later. Memory holds a few seconds, however long the video.

Axes: t frame, n step, h w pixels, c channel, k class.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import cv2
import numpy as np

from wtmr_core.classifier import Classifier
from wtmr_core.datasets.video import fit
from wtmr_core.recording import Recording
from wtmr_core.tracking import poses
from wtmr_core.tracking.people import Sighting

MARGIN = 0.15  # of a person's box, added on each side of it
STEPS = 8  # of a window of pictures, between two of which a new one begins


class Activity(Protocol):
    """What one person does: sightings go in as they come, times (n,) in seconds and probabilities (n, k) come out."""

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """Take a sighting, later than those before, and the picture (h, w, 3) BGR that it is in, if it is at hand."""

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """The steps that are certain at the second `now` of the video and were not given before; at last, all."""


def of(classifier: Classifier) -> Activity:
    """The way to a person's activities that suits the network: by poses or by pictures of the person.

    Raises `ValueError` for a network of joints that takes other windows than poses give.
    """
    return Pictures(classifier) if classifier.form.size else Poses(classifier)


class Poses:
    """Activities by a network of joints, at `poses.RATE` steps a second; see `poses.Stream`."""

    def __init__(self, classifier: Classifier):
        self._classifier = classifier
        self._stream = poses.Stream(classifier)
        self._steps: list[tuple[float, np.ndarray]] = []
        self._last = math.inf

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """See `Activity.add`; the picture is not looked at."""
        self._steps += self._stream.add(sighting)
        if sighting.joints is not None:
            self._last = sighting.seconds

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """See `Activity.ready`."""
        if now - self._last > poses.GAP or now == math.inf:
            self._steps += self._stream.close()
        steps, self._steps = self._steps, []
        if not steps:
            return _nothing(self._classifier)
        return np.array([seconds for seconds, _ in steps]), np.stack([row for _, row in steps])


class Pictures:
    """Activities by a network of frames, which is shown the person's part of the picture, with a margin.

    Windows are as long as the recordings that it was trained on, or `seconds`; a new one begins `STEPS` times in each.
    """

    def __init__(self, classifier: Classifier, seconds: float | None = None):
        self._classifier = classifier
        self._seconds = seconds or classifier.seconds
        if self._seconds is None:
            raise ValueError("the network does not know how long its recordings were, so it cannot serve here")
        self._step = self._seconds / STEPS
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._next = math.nan

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """See `Activity.add`; without a picture there is nothing to add."""
        if picture is None:
            return
        if not self._frames:
            self._next = sighting.seconds if math.isnan(self._next) else max(self._next, sighting.seconds)
        self._frames.append((sighting.seconds, fit(crop(picture, sighting.box), self._classifier.form)))

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """See `Activity.ready`."""
        if not self._frames:
            return _nothing(self._classifier)
        last, half = self._frames[-1][0], self._seconds / 2
        gone = now - last > poses.GAP
        times, rows = [], []
        while self._next <= (last if gone else last - half):
            window = [(at, frame) for at, frame in self._frames if abs(at - self._next) <= half]
            if window:
                frames = [frame for _, frame in window]
                seconds = np.array([at for at, _ in window])
                whole = Recording(frames, seconds, float(seconds[0] + self._seconds))
                times.append(self._next)
                rows.append(self._classifier(whole, seconds=self._seconds)[0])
            self._next += self._step
        if gone:
            self._frames.clear()
        while self._frames and self._frames[0][0] < self._next - half:
            self._frames.popleft()
        return (np.array(times), np.stack(rows)) if times else _nothing(self._classifier)


class Stills:
    """Activities as the paper has them: each sighting by itself, one picture or pose shown as if nothing moved."""

    def __init__(self, classifier: Classifier):
        self._classifier = classifier
        self._times: list[float] = []
        self._clips: list[np.ndarray] = []

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """See `Activity.add`."""
        form = self._classifier.form
        if form.size and picture is not None:
            still = fit(crop(picture, sighting.box), form)
        elif not form.size and sighting.joints is not None:
            still = poses.skeleton(sighting.joints[:, :2])[None].astype(np.float32)
        else:
            return
        self._times.append(sighting.seconds)
        self._clips.append(np.repeat(still[None], form.frames, axis=0))

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """See `Activity.ready`."""
        if not self._times:
            return _nothing(self._classifier)
        times, clips = np.array(self._times), np.stack(self._clips)
        self._times, self._clips = [], []
        return times, self._classifier.of_clips(clips)


def crop(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The part of a picture (h, w, 3) that shows a person: the square round the `box`, with a margin, as far as the
    picture goes; beyond it its border is repeated."""
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(1, round(max(x2 - x1, y2 - y1) * (1 + 2 * MARGIN)))
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    height, width = picture.shape[:2]
    inside = picture[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    if not inside.size:
        return picture
    borders = max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)
    return cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REPLICATE)


def _nothing(classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros((0, len(classifier.classes)))
