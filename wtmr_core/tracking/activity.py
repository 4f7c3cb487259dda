"""A person's activity at each moment, worked out while the video runs: from poses or from pictures of the person.

A network classifies a window of time centred on the moment, so that its result is known half a window later. Only a few
seconds are held in memory, however long the video is.

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
STEPS = 8  # windows of pictures that begin within the length of one


class Activity(Protocol):
    """The activities of one person: takes sightings as they come, returns times and class probabilities."""

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """Add a sighting, which must be later than the last one.

        Args:
            sighting: the person in one frame
            picture: (h, w, 3) BGR uint8, that frame; None where it is no longer held
        """

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """Return the steps that have become certain since the last call.

        Args:
            now: seconds of the video that have been read; infinite at its end, when all remaining steps are returned

        Returns:
            times (n,) in seconds and probabilities (n, k)
        """


def of(classifier: Classifier) -> Activity:
    """Choose `Poses` for a network of joints and `Pictures` for a network of frames.

    Raises:
        ValueError: for a network of joints whose windows are not those of `poses`.
    """
    return Pictures(classifier) if classifier.form.size else Poses(classifier)


class Poses:
    """Activities from a network of joints, at `poses.RATE` steps a second; see `poses.Stream`."""

    def __init__(self, classifier: Classifier):
        self._classifier = classifier
        self._stream = poses.Stream(classifier)
        self._steps: list[tuple[float, np.ndarray]] = []
        self._last = math.inf

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """See `Activity.add`; the picture is not used."""
        self._steps += self._stream.add(sighting)
        if sighting.joints is not None:
            self._last = sighting.seconds

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """See `Activity.ready`."""
        if now - self._last > poses.GAP or now == math.inf:
            self._steps += self._stream.close()
        steps, self._steps = self._steps, []
        if not steps:
            return _empty(self._classifier)
        return np.array([seconds for seconds, _ in steps]), np.stack([row for _, row in steps])


class Pictures:
    """Activities from a network of frames, which is shown the person's part of the picture, with a margin.

    Args:
        classifier: a trained run of frames
        seconds: length of a window; by default that of the recordings it was trained on

    Raises:
        ValueError: where neither says how long a window is.
    """

    def __init__(self, classifier: Classifier, seconds: float | None = None):
        self._classifier = classifier
        self._seconds = seconds or classifier.seconds
        if self._seconds is None:
            raise ValueError("the network does not say how long its recordings were; train it on recordings with times")
        self._step = self._seconds / STEPS
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._next = math.nan

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """See `Activity.add`; a sighting without a picture is skipped."""
        if picture is None:
            return
        if not self._frames:
            self._next = sighting.seconds if math.isnan(self._next) else max(self._next, sighting.seconds)
        self._frames.append((sighting.seconds, fit(crop(picture, sighting.box), self._classifier.form)))

    def ready(self, now: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
        """See `Activity.ready`."""
        if not self._frames:
            return _empty(self._classifier)
        last, half = self._frames[-1][0], self._seconds / 2
        finished = now - last > poses.GAP
        times, rows = [], []
        while self._next <= (last if finished else last - half):
            window = [(time, frame) for time, frame in self._frames if abs(time - self._next) <= half]
            if window:
                frames = [frame for _, frame in window]
                seconds = np.array([time for time, _ in window])
                recording = Recording(frames, seconds, float(seconds[0] + self._seconds))
                times.append(self._next)
                rows.append(self._classifier(recording, seconds=self._seconds)[0])
            self._next += self._step
        if finished:
            self._frames.clear()
        while self._frames and self._frames[0][0] < self._next - half:
            self._frames.popleft()
        return (np.array(times), np.stack(rows)) if times else _empty(self._classifier)


class Stills:
    """Activities from single sightings, as in the paper: one picture or pose, repeated for a whole window."""

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
            return _empty(self._classifier)
        times, clips = np.array(self._times), np.stack(self._clips)
        self._times, self._clips = [], []
        return times, self._classifier.of_clips(clips)


def crop(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Cut a person out of a picture: a square around the box, with a margin.

    Beyond the picture its border is repeated.

    Args:
        picture: (h, w, c)
        box: (4,) x1 y1 x2 y2 in pixels

    Returns:
        (side, side, c)
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(1, round(max(x2 - x1, y2 - y1) * (1 + 2 * MARGIN)))
    left, top = round((x1 + x2 - side) / 2), round((y1 + y2 - side) / 2)
    height, width = picture.shape[:2]
    inside = picture[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    if not inside.size:
        return picture
    borders = max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)
    return cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REPLICATE)


def _empty(classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros((0, len(classifier.classes)))
