"""The people of each frame with their ids: detected and tracked, or read from a file."""

from __future__ import annotations

from pathlib import Path

from wtmr_core.datasets.faults import remark
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.stream import Frame
from wtmr_core.tracking import boxes
from wtmr_core.tracking.detectors import Detector
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.tracks import Tracker


class Followed:
    """The people of each frame, from a detector and a tracker.

    Args:
        detector: the detector of people
        tracker: the tracker
        poses: a detector of poses, which adds joints where `detector` finds none
    """

    def __init__(self, detector: Detector, tracker: Tracker, poses: Detector | None = None):
        self.name = detector.name
        self._detector, self._tracker, self._poses = detector, tracker, poses

    def __call__(self, frame: Frame) -> list[tuple[int, Sighting]]:
        """Return the (id, sighting) pairs that a frame confirms, some of earlier frames; see `Tracker.update`."""
        people = self._detector(frame.picture)
        if self._poses:
            people = boxes.with_joints(people, self._poses(frame.picture))
        return self._tracker.update(people, frame.number, frame.seconds)

    def known(self, number: int) -> dict[int, Sighting]:
        """The people of a frame that was not processed: none are known."""
        return {}

    def rest(self) -> list[tuple[int, Sighting]]:
        """Return the sightings that only the end of the video confirms."""
        return self._tracker.close()

    def check_end(self, number: int) -> None:
        """Do nothing: nothing can be left over."""


class Listed:
    """The people of each frame, from a MOT text file.

    Args:
        path: the file
        poses: a detector of poses, which adds joints; None for none

    Raises:
        OSError, ValueError: as `boxes.read_boxes` does.
    """

    name = "boxes"

    def __init__(self, path: Path, poses: Detector | None):
        self._people, self._poses, self._path = boxes.read_boxes(path), poses, path

    def __call__(self, frame: Frame) -> list[tuple[int, Sighting]]:
        """Return the (id, sighting) pairs of a frame."""
        people = self._people.get(frame.number)
        if people is None:
            return []
        if self._poses:
            people = boxes.with_joints(people, self._poses(frame.picture))
        return boxes.sightings(people, frame.number, frame.seconds)

    def known(self, number: int) -> dict[int, Sighting]:
        """The people of a frame that was not processed, by id, without joints."""
        people = self._people.get(number)
        return {} if people is None else dict(boxes.sightings(people, number, 0.0))

    def rest(self) -> list[tuple[int, Sighting]]:
        """Return nothing: every sighting came with its frame."""
        return []

    def check_end(self, number: int) -> None:
        """Warn with a `Remark` of boxes after the video's last frame, `number`."""
        if beyond := sum(len(people) for frame, people in self._people.items() if frame > number):
            detail = f"{self._path}: {beyond:,} are of frames after the video's last, {number + 1}"
            remark(Unreadable("boxes left out", detail))
