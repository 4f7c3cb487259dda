"""The people of one frame after another with their ids: detected and tracked, or listed in a file."""

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
    """The people of one frame after another with their ids, as a detector and a tracker have them.

    `poses`: a detector of poses that adds joints to the boxes of one that has none.
    """

    def __init__(self, detector: Detector, tracker: Tracker, poses: Detector | None = None):
        self.name = detector.name
        self._detector, self._tracker, self._poses = detector, tracker, poses

    def __call__(self, frame: Frame) -> list[tuple[int, Sighting]]:
        """The sightings that a frame adds, some of them of frames before; see `Tracker.update`."""
        people = self._detector(frame.picture)
        if self._poses:
            people = boxes.with_joints(people, self._poses(frame.picture))
        return self._tracker.update(people, frame.number, frame.seconds)

    def known(self, number: int) -> dict[int, Sighting]:
        """The people of a frame that was not looked at: none."""
        return {}

    def rest(self) -> list[tuple[int, Sighting]]:
        """Those that nothing but the end of the video confirms."""
        return self._tracker.close()

    def check_end(self, number: int) -> None:
        """Nothing can be amiss when the video has ended."""


class Listed:
    """The people of a MOT text file with the ids that it gives, and joints where a detector of `poses` sees them."""

    name = "boxes"

    def __init__(self, path: Path, poses: Detector | None):
        self._people, self._poses, self._path = boxes.read_boxes(path), poses, path

    def __call__(self, frame: Frame) -> list[tuple[int, Sighting]]:
        """The sightings in a frame."""
        people = self._people.get(frame.number)
        if people is None:
            return []
        if self._poses:
            people = boxes.with_joints(people, self._poses(frame.picture))
        return boxes.sightings(people, frame.number, frame.seconds)

    def known(self, number: int) -> dict[int, Sighting]:
        """The people of a frame that was not looked at, by their ids, as the file has them."""
        people = self._people.get(number)
        return {} if people is None else dict(boxes.sightings(people, number, 0.0))

    def rest(self) -> list[tuple[int, Sighting]]:
        """None: every sighting was given with its frame."""
        return []

    def check_end(self, number: int) -> None:
        """Say what boxes are left over where `number` is that of the video's last frame."""
        if beyond := sum(len(people) for frame, people in self._people.items() if frame > number):
            what = f"{self._path}: {beyond:,} are of frames after the video's last, {number + 1}"
            remark(Unreadable("boxes left out", what))
