"""What stays of a person while a video runs: where they were, and how probable each activity was.

Axes: t frame, n step, k class.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wtmr_core.classifier import Classifier
from wtmr_core.tracking import activity
from wtmr_core.tracking.episodes import Event, Live, smooth
from wtmr_core.tracking.motion import movement
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.poses import GAP, RATE

BRIDGE = 0.5  # seconds between two sightings across which boxes are taken to move evenly
GONE = 3.0  # seconds after which somebody unseen is taken to have ended what they did
NEAR = 0.5  # seconds: who was seen so shortly before or after is taken to be where they were


class Person:
    """What stays of somebody: where they were, and how probable each activity was."""

    def __init__(self, classifier: Classifier, stills: bool = False):
        self._classes, self._stills = classifier.classes, stills
        self._activity = activity.Stills(classifier) if stills else activity.of(classifier)
        self._live = Live(classifier.classes)
        self.seconds, self._boxes = array("d"), array("f")
        self._steps: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """Take a sighting, with the picture that it is in where that is still there."""
        self.seconds.append(sighting.seconds)
        self._boxes.extend(sighting.box.tolist())
        self._activity.add(sighting, picture)

    def news(self, now: float = math.inf) -> list[Event]:
        """What has become certain by the second `now`; without it, all that is left when the video is over."""
        steps, probabilities = self._activity.ready(now)
        if len(steps):
            self._steps.append(steps)
            self._probabilities.append(probabilities)
        if self._stills:
            return []
        events = [event for step in zip(steps, probabilities, strict=True) for event in self._live.add(*step)]
        if now - self.seconds[-1] > GONE:  # at the end of the video, too
            events += self._live.close()
        return events

    def episodes(self) -> list[Episode]:
        """What somebody did, smoothed over the whole video: by the network, or, of whom it was shown less than half of
        the time, whether they walked or were still, by their boxes."""
        times, probabilities = self.probabilities()
        if self._stills:
            return _runs(times, probabilities, self._classes)
        known = smooth(times, probabilities, self._classes) if len(times) else []
        moves = movement([Sighting(0, *seen, 1.0) for seen in zip(self.seconds, self.boxes, strict=True)])
        told, seen = (sum(episode.duration for episode in episodes) for episodes in (known, moves))
        return known if known and told >= seen / 2 else moves

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


def _runs(times: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> list[Episode]:
    """The most probable of `classes` at each of `times` (n,), as long as it stays the same."""
    best = probabilities.argmax(axis=1) if len(times) else np.zeros(0, int)
    edges = [0, *(np.flatnonzero((np.diff(best) != 0) | (np.diff(times) > GAP)) + 1), len(times)]
    ends = np.append(times[1:], times[-1:] + 1 / RATE)
    episodes = []
    for first, behind in pairwise(edges):
        if behind > first:
            start, end = float(times[first]), float(min(ends[behind - 1], times[behind - 1] + GAP))
            score = float(probabilities[first:behind].max(axis=1).mean())
            episodes.append(Episode(classes[best[first]], start, end, end - start, score))
    return episodes
