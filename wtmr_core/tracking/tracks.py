"""Tracking: from the detections in each frame to persons.

The trackers of the package `trackers` link boxes from frame to frame. This adds what they leave open: boxes that no
longer overlap, because somebody falls or because there is only one frame a second; when a track is a person and not an
error of the detector, and the sightings before that; and tracks that end where another soon begins.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import supervision as sv
from trackers import ByteTrackTracker, OCSORTTracker, SORTTracker
from trackers.core.base import BaseTracker
from trackers.utils.iou import BaseIoU

from wtmr_core.tracking import boxes
from wtmr_core.tracking.people import Sighting

KINDS = ("ocsort", "bytetrack", "sort", "published")
RATE = 10.0  # frames a second for which the trackers' motion model is set; real times scale its steps
REACH, SPEED = 0.5, 1.0  # body lengths that somebody may be from the predicted place, and body lengths a second more
DOUBT = 10.0  # seconds of sightings that are kept for a track that is not a person yet
SHRINK = 0.5  # smallest ratio of two boxes of one person, as when they lie with the feet to the camera


class Nearness(BaseIoU):
    """Nearness of two boxes, from 1 (same centre) to 0 (`reach` lengths of the longer one apart, or further).

    It takes the place of the trackers' IoU: the boxes of somebody who falls, or walks at one frame a second, hardly
    overlap, and those of people side by side often do. It is 0 where one box is more than twice as long as the other.
    """

    def __init__(self) -> None:
        self.reach = REACH

    def after(self, seconds: float) -> None:
        """Set the reach for people last seen this many seconds ago."""
        self.reach = REACH + SPEED * seconds

    def _compute(self, boxes_1: np.ndarray, boxes_2: np.ndarray) -> np.ndarray:
        centres = [(b[:, :2] + b[:, 2:]) / 2 for b in (boxes_1, boxes_2)]
        lengths = [(b[:, 2:] - b[:, :2]).max(axis=1) for b in (boxes_1, boxes_2)]
        longer = np.maximum.outer(*lengths)
        apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1) / longer
        return np.clip(1 - apart / self.reach, 0, 1) * (np.minimum.outer(*lengths) >= SHRINK * longer)


@dataclass
class _Track:
    """A track of the package.

    Attributes:
        pending: sightings not returned yet
        last: its last sighting
        best: its highest score
        person: the person that it is, 0 while that is open
    """

    pending: deque[Sighting]
    last: Sighting
    best: float = 0.0
    person: int = 0


class Tracker:
    """Turns detections, frame by frame, into sightings of persons numbered from 1.

    A track becomes a person at its second sighting or later, `confirm` seconds after the first; its earlier sightings,
    of up to ten seconds, are then returned too.

    Args:
        kind: `ocsort` (Cao et al. 2023), `bytetrack` (Zhang et al. 2022), `sort` (Bewley et al. 2016), or `published`,
            the paper's method, where the n-th box of a frame is person n
        keep: lowest score of a detection that is used
        start: lowest score that can start a person; lower ones only continue one
        confirm: seconds from the first sighting after which a track is a person
        lost: seconds without a sighting after which a track ends
        stitch: seconds after the last sighting within which somebody who appears near that place is the same person

    Raises:
        ValueError: for an unknown kind.

    >>> tracker = Tracker()
    >>> for frame, (seconds, picture) in enumerate(decoded(path)):  # doctest: +SKIP
    ...     for person, sighting in tracker.update(detector(picture), frame, seconds):
    ...         print(person, sighting.seconds, sighting.box)
    >>> last = tracker.close()
    """

    def __init__(
        self,
        kind: str = "ocsort",
        *,
        keep: float = 0.05,
        start: float = 0.25,
        confirm: float = 0.3,
        lost: float = 2.0,
        stitch: float = 3.0,
    ):
        if kind not in KINDS:
            raise ValueError(f"there is no tracker called {kind!r}: take one of {', '.join(KINDS)}")
        self.kind, self.keep, self.start, self.confirm, self.stitch = kind, keep, start, confirm, stitch
        self._nearness, self._at_rest = Nearness(), Nearness()
        self._tracker = _tracker(kind, keep, start, lost, self._nearness)
        self._tracks: dict[int, _Track] = {}  # by the package's id
        self._strays: list[Sighting] = []  # sightings of the last frame without an id
        self._persons = 0
        self._forget = max(lost, stitch)
        self._begun = self._seconds = -math.inf

    def update(self, people: sv.Detections, frame: int, seconds: float) -> list[tuple[int, Sighting]]:
        """Add a frame, and return (person, sighting) pairs in order of time.

        The sightings of somebody new come together, as soon as the track is a person.

        Args:
            people: the detections in the frame
            frame: number of the frame, from 0
            seconds: time of the frame, later than the last

        Raises:
            ValueError: for boxes without area or scores, and for times that do not ascend.
        """
        boxes.check(people, frame)
        if not seconds > self._seconds:
            raise ValueError(f"frame {frame} is at {seconds} s, the one before at {self._seconds} s: times must rise")
        if self._begun == -math.inf:
            self._begun = seconds
        elapsed, self._seconds = min(seconds - self._seconds, self._forget), seconds
        if self.kind == "published":
            people = replace(people, tracker_id=np.arange(len(people)) + 1)
            return boxes.sightings(people, frame, seconds)
        self._nearness.after(elapsed)
        people = self._tracker.update(people[people.confidence >= self.keep], timestamp=seconds)
        strays, self._strays = self._strays, []
        for track, sighting in boxes.sightings(people, frame, seconds):
            if track < 0:
                self._strays.append(sighting)
            else:
                self._add(track, sighting, strays)
        news = self._news()
        self._tracks = {n: t for n, t in self._tracks.items() if seconds - t.last.seconds <= self._forget}
        return news

    def close(self) -> list[tuple[int, Sighting]]:
        """Return the sightings left at the end of a video that was too short to confirm anybody."""
        if self._seconds - self._begun < self.confirm:
            for number, stray in enumerate(self._strays, 1):
                self._tracks[-number] = _Track(deque([stray]), stray, stray.score)
            for track in self._tracks.values():
                if not track.person and track.best >= self.start:
                    self._name(track)
        self._strays = []
        return self._news()

    def _add(self, number: int, sighting: Sighting, strays: list[Sighting]) -> None:
        """Add a sighting to its track. The package gives ids from the second sighting on: the first is a stray."""
        if number not in self._tracks:
            near = [self._nearness.compute(sighting.box[None], stray.box[None])[0, 0] for stray in strays]
            first = deque([strays.pop(int(np.argmax(near)))] if max(near, default=0) > 0 else [])
            self._tracks[number] = _Track(first, sighting, max((s.score for s in first), default=0))
        track = self._tracks[number]
        track.pending.append(sighting)
        while sighting.seconds - track.pending[0].seconds > DOUBT:
            track.pending.popleft()
        track.last, track.best = sighting, max(track.best, sighting.score)
        length = sighting.seconds - track.pending[0].seconds
        if not track.person and len(track.pending) > 1 and length >= self.confirm and track.best >= self.start:
            self._name(track)

    def _name(self, track: _Track) -> None:
        """Give a track its person: one whose track ended nearby shortly before, or a new one."""
        first = track.pending[0]
        ended = [
            n
            for n, t in self._tracks.items()
            if t.person and not t.pending and 0 < first.seconds - t.last.seconds <= self.stitch
        ]
        near = [self._at_rest.compute(self._tracks[n].last.box[None], first.box[None])[0, 0] for n in ended]
        if max(near, default=0) > 0:
            track.person = self._tracks.pop(ended[int(np.argmax(near))]).person
        else:
            self._persons += 1
            track.person = self._persons

    def _news(self) -> list[tuple[int, Sighting]]:
        """Return, and clear, the pending sightings of all persons."""
        news = []
        for track in self._tracks.values():
            if track.person:
                news += [(track.person, sighting) for sighting in track.pending]
                track.pending.clear()
        return sorted(news, key=lambda row: (row[1].frame, row[0]))


def _tracker(kind: str, keep: float, start: float, lost: float, nearness: Nearness) -> BaseTracker | None:
    """The package's tracker, None for `published`. Its buffer is counted in frames of 1/30 s."""
    options = {
        "lost_track_buffer": max(1, round(30 * lost)),
        "frame_rate": RATE,
        "minimum_iou_threshold": 1e-3,
        "minimum_consecutive_frames": 1,
        "iou": nearness,
    }
    if kind == "ocsort":
        return OCSORTTracker(high_conf_det_threshold=keep, **options)
    if kind == "bytetrack":
        return ByteTrackTracker(
            high_conf_det_threshold=max(keep, 0.8 * start), track_activation_threshold=start, **options
        )
    return SORTTracker(track_activation_threshold=start, **options) if kind == "sort" else None
