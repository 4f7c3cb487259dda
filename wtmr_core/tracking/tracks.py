"""Who is who from frame to frame: detections of one picture after another -> persons.

The trackers of the package `trackers` say which box goes on from which; added here is what they leave open: boxes that
no longer overlap, because somebody falls or because there is one picture a second; when a track is somebody and no
error of the detector; what became of the first sightings until then; and tracks that end where another soon begins.
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
RATE = 10.0  # pictures a second that the trackers' model of motion is set for; real times scale its steps
REACH, SPEED = 0.5, 1.0  # lengths of a body, and more of them a second: how far somebody may have gone unforeseen
DOUBT = 10.0  # seconds of sightings that wait for somebody to be a person
SHRINK = 0.5  # and how much smaller they may seem: somebody who lies with the feet to the camera


class Nearness(BaseIoU):
    """How near two boxes are, from 1 (the same centre) to 0 (`reach` lengths of the longer one apart, or further).

    It stands where trackers have the overlap: the boxes of somebody who falls, or walks at one picture a second, hardly
    overlap, and people beside each other often do. Of boxes of which one is more than twice as long it is 0.
    """

    def __init__(self) -> None:
        self.reach = REACH

    def after(self, seconds: float) -> None:
        """Let people have gone on for `seconds` since they were last seen."""
        self.reach = REACH + SPEED * seconds

    def _compute(self, boxes_1: np.ndarray, boxes_2: np.ndarray) -> np.ndarray:
        centres = [(b[:, :2] + b[:, 2:]) / 2 for b in (boxes_1, boxes_2)]
        lengths = [(b[:, 2:] - b[:, :2]).max(axis=1) for b in (boxes_1, boxes_2)]
        longer = np.maximum.outer(*lengths)
        apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1) / longer
        return np.clip(1 - apart / self.reach, 0, 1) * (np.minimum.outer(*lengths) >= SHRINK * longer)


@dataclass
class _Track:
    """What is known of a track of the package: the person it is, once that is known, and its last sighting.

    `waiting` are the sightings not yet handed on.
    """

    waiting: deque[Sighting]
    last: Sighting
    best: float = 0.0
    person: int = 0


class Tracker:
    """Persons, numbered from 1, out of detections picture by picture.

    `kind`: `ocsort` (Cao et al. 2023), `bytetrack` (Zhang et al. 2022), `sort` (Bewley et al. 2016), or `published`,
    the paper's own way, in which the n-th box of a picture is person n.

    Scores below `keep` count for nothing, those below `start` only go on with a person. Somebody is a person from the
    second sighting on, `confirm` seconds after the first; the sightings until then, those of the last ten seconds, are
    handed on with it. Somebody not seen for `lost` seconds is gone, but who appears near that place up to `stitch`
    seconds after is taken for them.

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
        self._tracks: dict[int, _Track] = {}  # by the id that the package gives
        self._strays: list[Sighting] = []  # of the picture before, without an id
        self._persons = 0
        self._forget = max(lost, stitch)
        self._begun = self._seconds = -math.inf

    def update(self, people: sv.Detections, frame: int, seconds: float) -> list[tuple[int, Sighting]]:
        """What `people`, seen in `frame` (from 0) at `seconds`, add: sightings, each with its person, in time order.

        Those of somebody new come late, all at once, as soon as it is clear that there is somebody. Raises `ValueError`
        for boxes that are none and for times that do not rise.
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
        """The sightings still to come: of a video, or a picture, too short for anybody to be confirmed."""
        if self._seconds - self._begun < self.confirm:
            for number, stray in enumerate(self._strays, 1):
                self._tracks[-number] = _Track(deque([stray]), stray, stray.score)
            for track in self._tracks.values():
                if not track.person and track.best >= self.start:
                    self._name(track)
        self._strays = []
        return self._news()

    def _add(self, number: int, sighting: Sighting, strays: list[Sighting]) -> None:
        """Put a sighting to its track. A new track has an id from its second sighting on: the first is a stray."""
        if number not in self._tracks:
            near = [self._nearness.compute(sighting.box[None], stray.box[None])[0, 0] for stray in strays]
            first = deque([strays.pop(int(np.argmax(near)))] if max(near, default=0) > 0 else [])
            self._tracks[number] = _Track(first, sighting, max((s.score for s in first), default=0))
        track = self._tracks[number]
        track.waiting.append(sighting)
        while sighting.seconds - track.waiting[0].seconds > DOUBT:
            track.waiting.popleft()
        track.last, track.best = sighting, max(track.best, sighting.score)
        lasted = sighting.seconds - track.waiting[0].seconds
        if not track.person and len(track.waiting) > 1 and lasted >= self.confirm and track.best >= self.start:
            self._name(track)

    def _name(self, track: _Track) -> None:
        """Give a track its person: somebody whose track ended near its beginning, shortly before, or a new one."""
        first = track.waiting[0]
        ended = [
            n
            for n, t in self._tracks.items()
            if t.person and not t.waiting and 0 < first.seconds - t.last.seconds <= self.stitch
        ]
        near = [self._at_rest.compute(self._tracks[n].last.box[None], first.box[None])[0, 0] for n in ended]
        if max(near, default=0) > 0:
            track.person = self._tracks.pop(ended[int(np.argmax(near))]).person
        else:
            self._persons += 1
            track.person = self._persons

    def _news(self) -> list[tuple[int, Sighting]]:
        """The waiting sightings of all persons, which then wait no more."""
        news = []
        for track in self._tracks.values():
            if track.person:
                news += [(track.person, sighting) for sighting in track.waiting]
                track.waiting.clear()
        return sorted(news, key=lambda row: (row[1].frame, row[0]))


def _tracker(kind: str, keep: float, start: float, lost: float, nearness: Nearness) -> BaseTracker | None:
    """The tracker of the package. It counts what it remembers in frames of a thirtieth of a second."""
    same = {
        "lost_track_buffer": max(1, round(30 * lost)),
        "frame_rate": RATE,
        "minimum_iou_threshold": 1e-3,
        "minimum_consecutive_frames": 1,
        "iou": nearness,
    }
    if kind == "ocsort":
        return OCSORTTracker(high_conf_det_threshold=keep, **same)
    if kind == "bytetrack":
        return ByteTrackTracker(
            high_conf_det_threshold=max(keep, 0.8 * start), track_activation_threshold=start, **same
        )
    return SORTTracker(track_activation_threshold=start, **same) if kind == "sort" else None
