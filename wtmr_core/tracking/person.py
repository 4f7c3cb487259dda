"""What stays of a person while a video runs: where they were, and how probable each activity was.

Axes: t frame, n step, k class.
"""

from __future__ import annotations

import math
from array import array

import numpy as np

from wtmr_core.classifier import Classifier
from wtmr_core.tracking import activity
from wtmr_core.tracking.episodes import Live
from wtmr_core.tracking.people import Sighting

BRIDGE = 0.5  # seconds between two sightings across which boxes are taken to move evenly
NEAR = 0.5  # seconds: who was seen so shortly before or after is taken to be where they were


class Person:
    """What stays of somebody: where they were, and how probable each activity was."""

    def __init__(self, classifier: Classifier):
        self.activity = activity.of(classifier)
        self.live = Live(classifier.classes)
        self.seconds, self._boxes = array("d"), array("f")
        self._steps: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """Take a sighting, with the picture that it is in where that is still there."""
        self.seconds.append(sighting.seconds)
        self._boxes.extend(sighting.box.tolist())
        self.activity.add(sighting, picture)

    def news(self, now: float = math.inf) -> list:
        """What is new at the second `now`, at last of everything: the events of `Live`."""
        steps, probabilities = self.activity.ready(now)
        if not len(steps):
            return []
        self._steps.append(steps)
        self._probabilities.append(probabilities)
        return [event for step, row in zip(steps, probabilities, strict=True) for event in self.live.add(step, row)]

    @property
    def boxes(self) -> np.ndarray:
        """(t, 4) one at each of `seconds`."""
        return np.frombuffer(self._boxes, np.float32).reshape(-1, 4) if self._boxes else np.zeros((0, 4), np.float32)

    def at(self, seconds: float) -> np.ndarray | None:
        """The box at a moment, None where nothing was seen near it in time."""
        times = np.asarray(self.seconds)
        nearest = int(np.abs(times - seconds).argmin())
        return self.boxes[nearest] if abs(times[nearest] - seconds) <= NEAR else None

    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """All steps (n,) in seconds, and the probabilities (n, k) at each."""
        if not self._steps:
            return np.zeros(0), np.zeros((0, 0))
        return np.concatenate(self._steps), np.concatenate(self._probabilities)

    def sighting(self, seconds: float) -> Sighting | None:
        """Where somebody was at a moment, the box moving evenly between two sightings; None where it is not known."""
        times = np.asarray(self.seconds)
        after = int(times.searchsorted(seconds))
        if after < len(times) and abs(times[after] - seconds) < 1e-6:
            return Sighting(0, seconds, self.boxes[after], 1.0)
        if not 0 < after < len(times) or times[after] - times[after - 1] > BRIDGE:
            return None
        part = (seconds - times[after - 1]) / (times[after] - times[after - 1])
        return Sighting(0, seconds, (1 - part) * self.boxes[after - 1] + part * self.boxes[after], 1.0)
