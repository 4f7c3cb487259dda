"""A person's history in a video: boxes, and probabilities of the activities.

Axes: t frame, n step, k class.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise, product
from operator import attrgetter

import numpy as np

from wtmr_core.classifier import Classifier
from wtmr_core.tracking import activity
from wtmr_core.tracking.episodes import BRIDGE as GONE
from wtmr_core.tracking.episodes import Event, Live, smooth
from wtmr_core.tracking.motion import movement
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.poses import GAP, RATE
from wtmr_core.tracking.privacy import head

BRIDGE = 0.5  # seconds between two sightings across which boxes are interpolated
NEAR = 0.5  # seconds from a moment within which a sighting tells where the person was


class Person:
    """The history of one person: times, boxes and heads, and the probabilities of the activities.

    Args:
        classifier: the network that judges the activities
        stills: whether to judge single sightings, as the paper does, without smoothing
    """

    def __init__(self, classifier: Classifier, stills: bool = False):
        self._classes, self._stills = classifier.classes, stills
        self._activity = activity.Stills(classifier) if stills else activity.of(classifier)
        self._live = Live(classifier.classes)
        self.seconds, self._boxes, self._heads = array("d"), array("f"), array("f")
        self._steps, self._probabilities = array("d"), array("f")

    def add(self, sighting: Sighting, picture: np.ndarray | None) -> None:
        """Add a sighting, and the picture (h, w, 3) BGR that shows it where that is still held."""
        self.seconds.append(sighting.seconds)
        self._boxes.extend(sighting.box.tolist())
        self._heads.extend(head(sighting.box, sighting.joints).tolist())
        self._activity.add(sighting, picture)

    def join(self, other: Person) -> None:
        """Add the history of somebody who is the same person, first seen after this one was last seen."""
        for name in ("seconds", "_boxes", "_heads", "_steps", "_probabilities"):
            getattr(self, name).extend(getattr(other, name))

    def parted(self, seconds: float) -> tuple[Person, Person]:
        """The history before a moment and the one from it on, as two people."""
        parts = copy(self), copy(self)
        sighting, step = bisect_left(self.seconds, seconds), bisect_left(self._steps, seconds)
        places = {"seconds": sighting, "_boxes": 4 * sighting, "_heads": 4 * sighting, "_steps": step}
        places["_probabilities"] = len(self._classes) * step
        for name, place in places.items():
            values = getattr(self, name)
            setattr(parts[0], name, values[:place])
            setattr(parts[1], name, values[place:])
        return parts

    def news(self, now: float = math.inf) -> list[Event]:
        """Return the events that have become certain.

        Args:
            now: seconds of the video that have been read; infinite at its end
        """
        steps, probabilities = self._activity.ready(now)
        self._steps.extend(steps.tolist())
        self._probabilities.extend(probabilities.ravel().tolist())
        if self._stills:
            return []
        events = [event for step in zip(steps, probabilities, strict=True) for event in self._live.add(*step)]
        if now - self.seconds[-1] > GONE:  # at the end of the video, too
            events += self._live.close()
        return events

    def episodes(self) -> list[Episode]:
        """The person's episodes, smoothed over the whole video.

        Where the network covers less than half of the time they were seen, these are `still` and `walking`, by boxes;
        where it covers more, the rest of that time is.
        """
        times, probabilities = self.probabilities()
        if self._stills:
            return _runs(times, probabilities, self._classes)
        known = smooth(times, probabilities, self._classes) if len(times) else []
        moves = movement([Sighting(0, *seen, 1.0) for seen in zip(self.seconds, self.boxes, strict=True)])
        judged, seen = (sum(episode.duration for episode in episodes) for episodes in (known, moves))
        return (
            sorted([*known, *_rest(moves, known)], key=attrgetter("start")) if known and judged >= seen / 2 else moves
        )

    @property
    def boxes(self) -> np.ndarray:
        """(t, 4) boxes in pixels, one at each of `seconds`."""
        return np.array(self._boxes, np.float32).reshape(-1, 4)

    def box_at(self, seconds: float) -> np.ndarray | None:
        """The box (4,) at a moment, None where there is no sighting within `NEAR` seconds."""
        nearest = min(self._around(seconds), key=lambda n: abs(self.seconds[n] - seconds))
        return self._box(nearest) if abs(self.seconds[nearest] - seconds) <= NEAR else None

    def place_at(self, seconds: float) -> tuple[np.ndarray, np.ndarray] | None:
        """Box and head, (4,) each, at a moment, interpolated between two sightings; None where they are unknown."""
        before, after = self._around(seconds)
        interval = self.seconds[after] - self.seconds[before]
        if not self.seconds[before] - 1e-6 <= seconds <= self.seconds[after] + 1e-6 or interval > BRIDGE:
            return None
        part = (seconds - self.seconds[before]) / interval if interval > 0 else 0.0
        box, head = ((1 - part) * place(before) + part * place(after) for place in (self._box, self._head))
        return box, head

    def _around(self, seconds: float) -> tuple[int, int]:
        """Numbers of the sightings before and after a moment: the same at a sighting and beyond the first and last."""
        after = min(bisect_left(self.seconds, seconds - 1e-6), len(self.seconds) - 1)
        return (after if self.seconds[after] <= seconds + 1e-6 or after == 0 else after - 1), after

    def _box(self, number: int) -> np.ndarray:
        return np.array(self._boxes[4 * number : 4 * number + 4])

    def _head(self, number: int) -> np.ndarray:
        return np.array(self._heads[4 * number : 4 * number + 4])

    def probabilities(self) -> tuple[np.ndarray, np.ndarray]:
        """All steps so far: times (n,) in seconds and probabilities (n, k)."""
        steps = np.array(self._steps)
        return steps, np.array(self._probabilities, np.float32).reshape(len(steps), len(self._classes))


def _rest(moves: Sequence[Episode], known: Sequence[Episode]) -> list[Episode]:
    """The parts of `moves` that lie before, between and after the `known` episodes, those of `GAP` seconds or more."""
    edges = [-math.inf, *(edge for episode in known for edge in (episode.start, episode.end)), math.inf]
    parts = []
    for move, (first, last) in product(moves, zip(edges[::2], edges[1::2], strict=True)):
        start, end = max(move.start, first), min(move.end, last)
        if end - start >= GAP:
            parts.append(replace(move, start=start, end=end, duration=end - start))
    return parts


def _runs(times: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> list[Episode]:
    """Runs of the most probable class, as episodes, without smoothing."""
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
