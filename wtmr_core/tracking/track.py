"""From a video to the log of its people: who did what, when, for how long and where.

Frames → detections → persons → activities → episodes → log, all while the video runs. Memory hardly grows with its
length: for each person boxes and class probabilities are kept, ten a second, from which the log is corrected at the
end.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wtmr_core import errors, files
from wtmr_core.classifier import Classifier
from wtmr_core.datasets.faults import remark
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.stream import Frame, Stream
from wtmr_core.datasets.video import Remark
from wtmr_core.tracking import detectors
from wtmr_core.tracking.annotation import write_annotated
from wtmr_core.tracking.appearance import Appearance, Appearances
from wtmr_core.tracking.context import describe
from wtmr_core.tracking.episodes import Event
from wtmr_core.tracking.gallery import Gallery, as_day, checked
from wtmr_core.tracking.keyframes import KeyFrames
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.movenet import INSTALL
from wtmr_core.tracking.page import write_page
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.person import BRIDGE, Person
from wtmr_core.tracking.poses import RATE
from wtmr_core.tracking.render import contact_sheet, save, timeline
from wtmr_core.tracking.reunion import Reunion
from wtmr_core.tracking.sightings import Followed, Listed
from wtmr_core.tracking.table import Row, described
from wtmr_core.tracking.tracks import Tracker
from wtmr_core.tracking.who import remember
from wtmr_core.tracking.zones import Zones

VIDEO = "annotated.mp4"
PAGE = ("page.html", "timeline.png", "contact_sheet.jpg")
HOME = Path(__file__).with_name("home")  # the network that comes with the package
DELAY = 0.5  # seconds that a frame waits for people who are confirmed only later
PLACES = 15  # moments of an episode at which its zone is looked up


@dataclass
class Moment:
    """A frame that waits for the last of its people to be confirmed."""

    frame: Frame
    people: dict[int, Sighting] = field(default_factory=dict)


class Unwatchable(ValueError):
    """Nothing of a video can be read; the message says why."""


class Tracking:
    """One pass over a video: `step` takes its frames in order, `finish` returns the rows of the log.

    Args:
        people: source of the people in each frame
        classifier: the network that judges their activities
        log: the log to write
        keyframes: chooses and writes the key frames
        zones: the zones of the camera
        tell: called with each episode that has ended and each fall that has begun, while the video runs: a dictionary
            of `event`, `person`, the values of the log, `at_s` (seconds of the video read by then) and `delay_s`
            (seconds since the end of the episode or the start of the fall)
        stills: whether to judge single pictures, as the paper does, without smoothing
        looks: collects what people look like; `finish` then gives the people who left and came back, or
            whom the tracker exchanged, their first number again, where that is sure
    """

    def __init__(
        self,
        people: Followed | Listed,
        classifier: Classifier,
        log: LogWriter,
        keyframes: KeyFrames,
        zones: Zones | None = None,
        tell: Callable[[dict[str, Any]], None] = lambda event: None,
        stills: bool = False,
        looks: Appearances | None = None,
    ):
        self.persons: dict[int, Person] = {}
        self._people, self._log, self._keyframes, self._zones, self._tell = people, log, keyframes, zones, tell
        self._person, self._looks = partial(Person, classifier, stills=stills), looks
        self.looks: dict[int, Appearance] = {}
        self._moments: deque[Moment] = deque()
        self._before: Moment | None = None
        self._now = 0.0

    def step(self, frame: Frame) -> None:
        """Process the next frame."""
        self._now = frame.seconds
        self._moments.append(Moment(frame))
        self._add(self._people(frame))
        while self._now - self._moments[0].frame.seconds >= DELAY:
            self._settle(self._moments.popleft())
        for number, person in self.persons.items():
            self._report(number, person.news(self._now))

    def finish(self) -> list[Row]:
        """Return the final rows of the log, smoothed over the whole video."""
        self._add(self._people.rest())
        while self._moments:
            self._settle(self._moments.popleft())
        for number, person in self.persons.items():
            self._report(number, person.news())
        if self._looks:
            self._reunite(self._looks)
        rows = []
        for number, person in sorted(self.persons.items()):
            rows += [self._row(number, episode) for episode in person.episodes()]
        return rows

    @property
    def spans(self) -> dict[int, tuple[float, float]]:
        """Seconds of the first and the last sighting of each person."""
        return {number: (person.seconds[0], person.seconds[-1]) for number, person in self.persons.items()}

    def _reunite(self, seen: Appearances) -> None:
        """Give people who left and came back, or whom the tracker exchanged, the number that they had first."""
        reunion = Reunion(self.persons, seen)
        self.persons, self.looks = reunion.persons, reunion.looks
        if reunion.changed:
            self._keyframes.renumber(reunion.at)
            self._log.renumber(reunion.in_frame)

    def _report(self, number: int, events: list[Event]) -> None:
        """Report the events of a person, and log the episodes among them."""
        for event in events:
            if event.episode:
                row = self._row(number, event.episode)
                self._log.episode(row)
                report, since = {"event": "episode", **described(row)}, event.episode.end
            else:
                report, since = {"event": "fall", "person": number, "start_s": round(event.fall, 3)}, event.fall
            # where telling fails, as when a reader has closed the pipe, the log is finished without it
            tell, self._tell = self._tell, lambda event: None
            tell(report | {"at_s": round(self._now, 3), "delay_s": round(max(0.0, self._now - since), 3)})
            self._tell = tell

    def _add(self, sightings: list[tuple[int, Sighting]]) -> None:
        moments = {moment.frame.number: moment for moment in self._moments}
        for number, sighting in sightings:
            moment = moments.get(sighting.frame)
            if number not in self.persons:
                self.persons[number] = self._person()
            person = self.persons[number]
            person.add(sighting, moment and moment.frame.picture)
            if moment:
                moment.people[number] = sighting
            else:  # confirmed late
                self._log.sightings(sighting.frame, {number: sighting})

    def _settle(self, moment: Moment) -> None:
        """Log a frame whose people are known, and the frames passed over since the last one."""
        for number, people in _between(self._before, moment):
            self._log.sightings(number, self._people.known(number) or people)
        self._log.processed(moment.frame.number, moment.frame.seconds, moment.people)
        self._keyframes.add(moment.frame.picture[..., ::-1], moment.frame.seconds, moment.people)
        if self._looks:
            self._looks.add(moment.frame.picture, moment.frame.seconds, moment.people)
        self._before = moment

    def _row(self, number: int, episode: Episode) -> Row:
        """A row of the log: an episode with the zone of most of it, and the surroundings in its middle."""
        person = self.persons[number]
        zones, context = [], ""
        if self._zones:
            moments = np.linspace(episode.start, episode.end, PLACES)
            places = [box for box in map(person.box_at, moments) if box is not None]
            zones = [self._zones.at_box(box, episode.activity) for box in places]
        middle = (episode.start + episode.end) / 2
        boxes = {n: box for n, other in self.persons.items() if (box := other.box_at(middle)) is not None}
        if number in boxes:
            _, context = describe(number, episode.activity, boxes, self._zones)
        zone = max(zones, key=zones.count) if zones else ""
        return Row(number, episode, zone, context, self._keyframes.save(number, episode))


def _between(before: Moment | None, moment: Moment) -> Iterator[tuple[int, dict[int, Sighting]]]:
    """The frames passed over between two moments, with interpolated sightings of the people in both."""
    if before is None or moment.frame.seconds - before.frame.seconds > BRIDGE:
        return
    first, last = before.frame, moment.frame
    for number in last.passed:
        part = (number - first.number) / (last.number - first.number)
        seconds = first.seconds + part * (last.seconds - first.seconds)
        people = {}
        for person in before.people.keys() & moment.people.keys():
            a, b = before.people[person], moment.people[person]
            box, score = (1 - part) * a.box + part * b.box, (1 - part) * a.score + part * b.score
            people[person] = Sighting(number, seconds, box, score)
        if people:
            yield number, people


def track(
    source: str | Path,
    folder: str | Path,
    *,
    model: str | Path = "home",
    detector: str = "auto",
    fps: float | None = None,
    zones: Path | None = None,
    boxes: Path | None = None,
    annotate: bool = False,
    page: bool = False,
    blur: bool = True,
    gallery: Path | None = None,
    who: Mapping[int, str] | None = None,
    day: str = "",
    tell: Callable[[dict[str, Any]], None] = lambda event: None,
) -> dict[str, Any]:
    """Write the log of a video.

    Where the video breaks off, or the program is interrupted, the log is written up to then.

    Args:
        source: a video file, a folder of numbered frames, a camera or the address of a stream; see `Stream`
        folder: folder of the log, created if need be
        model: `home`, or the folder of a finished run of joints or of frames
        detector: one of `detectors.NAMES`
        fps: for a folder, its frames a second; otherwise how many frames a second are processed, by default 10
        zones: a file of zones, see `zones.Zones.read`
        boxes: a MOT text file with the boxes and ids of the people; then nothing is detected
        annotate: whether to write `annotated.mp4` too
        page: whether to write `page.html` too, with a timeline and a contact sheet
        blur: whether to blur heads in every picture written
        gallery: a file or folder with the people known by their looks, see `gallery.Gallery`: all are named from it and
            put into it; and where `boxes` are given, who left and came back gets the first number again, as they do
            without `boxes`
        who: number of a person of this log -> name; without `gallery` it is the one in the folder that holds the log
        day: date of the video as YYYY-MM-DD: people are compared with what they wore on that day, if that is known
        tell: called with each event while the video runs, see `Tracking`, and at its end with one that says how many
            `episodes` the log has and how many of them smoothing over the whole video `corrected`

    Returns:
        `frames`, `seconds`, `people` and `episodes` (their numbers), `detector`, `fps_processed` and `warnings`; with a
        gallery also `names`, person -> name

    Raises:
        Unwatchable: where nothing of the video can be read.
        ValueError: for zones, boxes or a network that do not fit, for a gallery that cannot be read, and for a name
            given to nobody in the log, which is then finished all the same.
        RunError: for a folder that holds no finished run, and where a file cannot be written.
        NotInstalled: for a detector that is not installed.
    """
    who = {number: checked(name) for number, name in (who or {}).items()}
    gallery = Path(folder).parent if who and gallery is None else gallery
    known = None if gallery is None else Gallery.at(gallery)
    as_day(day)
    classifier = Classifier.load(HOME if str(model) == "home" else model)
    names: dict[int, str] = {}
    with ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always", Remark)
        stream = stack.enter_context(_opened(source, fps))
        # on single small windows several threads spend more time waiting for each other than working
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        if annotate and stream.live:
            raise ValueError(f"{stream.name} cannot be read twice, as annotating requires: record it to a file first")
        size = stream.width, stream.height
        scaled = Zones.read(zones, size).scaled(size) if zones else None
        people = _people(detector, boxes, joints=not classifier.form.size)
        description = {
            "video": stream.name,
            "size": size,
            "detector": people.name,
            "model": str(model),
            "fps": stream.rate,
        }
        with LogWriter(folder, **description) as log:
            for name in (VIDEO, *PAGE):  # of an earlier log
                (log.folder / name).unlink(missing_ok=True)
            keyframes = KeyFrames(folder, anonymous=blur)
            by_looks = known is not None or not (boxes or detector == "published")  # ids that are given stay
            looks = Appearances() if by_looks else None
            tracking = Tracking(people, classifier, log, keyframes, scaled, tell, detector == "published", looks)
            complete = False
            try:
                for frame in stream:
                    tracking.step(frame)
                complete = True
                people.check_end(stream.number)
            finally:  # when interrupted, too
                rows, told = tracking.finish(), list(log.rows)
                log.warnings += [str(warning.message) for warning in caught if isinstance(warning.message, Remark)]
                log.finish(rows, frames=stream.read, seconds=stream.seconds, complete=complete)
                keyframes.finish(name for row in rows for name in row.keyframes)
                if known is not None:
                    names = remember(gallery, folder, tracking.looks, tracking.spans, who, day)
    corrected = len({_described(row) for row in rows} - {_described(row) for row in told})
    tell({"event": "log", "episodes": len(rows), "corrected": corrected})
    if annotate:
        write_annotated(source, Path(folder) / VIDEO, tracking.persons, rows, fps=fps, blur=blur)
    if page:
        save(timeline(rows, stream.seconds), Path(folder) / PAGE[1])
        save(contact_sheet(rows, folder), Path(folder) / PAGE[2])
        write_page(folder, VIDEO if annotate else "")
    summary = files.read_json(Path(folder) / "log.json")
    return {
        "frames": stream.read,
        "seconds": round(stream.seconds, 3),
        "people": len(tracking.persons),
        "episodes": len(rows),
        "detector": people.name,
        "fps_processed": summary["fps_processed"],
        "warnings": summary["warnings"],
    } | ({} if known is None else {"names": names})


def _described(row: Row) -> tuple[int, str, float, float]:
    """What is told of an episode while the video runs, to a tenth of a second."""
    return row.person, row.episode.activity, round(row.episode.start, 1), round(row.episode.end, 1)


def _opened(source: str | Path, fps: float | None) -> Stream:
    try:
        return Stream(source, fps=fps, most=RATE)
    except (ValueError, OSError) as error:
        raise Unwatchable(errors.sentence(error, "wtmr track")) from error


def _people(name: str, listed: Path | None, *, joints: bool) -> Followed | Listed:
    """The source of people: a file, or a detector with its tracker; with a detector of poses where joints are needed
    and the detector finds none."""
    detector = None if listed else detectors.load(name)
    poses = None
    if joints and not (detector and detector.joints):
        poses = detectors.poses()
        if poses is None:
            remark(Unreadable("no joints", f"without movenet only still and walking are told apart: {INSTALL}"))
    if detector is None:
        return Listed(listed, poses)
    return Followed(detector, Tracker("published") if name == "published" else Tracker(), poses)
