"""Labelled episodes of one person, found again in the videos of their logs.

A log keeps boxes, but neither joints nor pictures of a person. So the video is read again, with the people and ids of
the log's `tracks.txt`, and the network sees of each person the windows that it sees in `track`.

Axes: n step, d width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wtmr_core import files
from wtmr_core.classifier import Classifier
from wtmr_core.datasets.faults import remark
from wtmr_core.datasets.index import Unreadable
from wtmr_core.datasets.stream import Stream
from wtmr_core.recording import Recording
from wtmr_core.tracking import activity, detectors
from wtmr_core.tracking.log import VERSION
from wtmr_core.tracking.movenet import INSTALL
from wtmr_core.tracking.people import NotInstalled
from wtmr_core.tracking.poses import RATE
from wtmr_core.tracking.sightings import Listed
from wtmr_core.tracking.table import read_log
from wtmr_core.tracking.truth import plain

SLACK = 0.5  # seconds by which labels may overlap, or end after the video; what two of them claim counts for neither
NEAR = 2.0  # seconds: of one activity, what is no further apart is one episode


@dataclass(frozen=True)
class Label:
    """What a person does from `start` to `end`, in seconds of the video `clip`; clip and person are "" where they are
    not named."""

    clip: str
    person: str
    activity: str
    start: float
    end: float

    def __str__(self) -> str:
        return f"{self.activity}, {self.start:g} to {self.end:g} s" + (f" of {self.clip}" if self.clip else "")


def read_labels(path: str | Path, people: Sequence[str] = ()) -> list[Label]:
    """Read labelled episodes of one person from a table with the columns of a log, such as a corrected `episodes.csv`.

    Args:
        path: a CSV file with the columns `activity`, `start_s` and `end_s`; `person`, the number in the log, where the
            log has several people; and `clip`, the name of the video, where there are several logs
        people: the numbers whose rows are read; by default all, which must then be of one person

    Returns:
        the labels of each clip in order of time; of two that overlap by up to `SLACK`, neither has the time that both
        claim

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is no such table or holds no rows, and for rows that overlap by more.
    """
    table = read_log(path, ("activity", "start_s", "end_s"))
    if people and "person" not in table.columns:
        raise ValueError(f"{path} has no column person: leave out --person")
    rows = [
        Label(
            str(row.get("clip", "")), str(row.get("person", "")), plain(row["activity"]), row["start_s"], row["end_s"]
        )
        for row in table.to_dict("records")
    ]
    rows = [row for row in rows if not people or row.person in people]
    if not rows:
        raise ValueError(
            f"{path} has no rows{' of person ' + ', '.join(people) if people else ''}: label some episodes"
        )
    rows.sort(key=lambda row: (row.clip, row.start))
    for n in range(len(rows) - 1):
        a, b = rows[n : n + 2]
        if a.clip != b.clip or b.start >= a.end:
            continue
        if a.end - b.start > SLACK:
            do = "correct one" if a.person == b.person else "they are of two people, so choose one with --person"
            raise ValueError(f"{path}: two rows overlap, {a} and {b}: {do}")
        rows[n : n + 2] = replace(a, end=b.start), replace(b, start=a.end)
    return rows


def by_log(labels: Sequence[Label], logs: Sequence[Path]) -> dict[Path, list[Label]]:
    """Find the log of each label.

    With one log, `clip` may be absent. The log of clip `a/b.mp4` lies in a folder `a/b`, as `score` has it, or is the
    only one whose video has that name.

    Raises:
        ValueError: for a folder that holds no log, and for a label whose log is not told.
        RunError: for a log that is damaged.
    """
    videos = {log: Path(summary(log)["video"]["name"]) for log in logs}
    found: dict[Path, list[Label]] = {log: [] for log in logs}
    for label in labels:
        clip = Path(label.clip)
        folder = (clip.parent / clip.stem).parts
        lying = [log for log in logs if log.resolve().parts[-len(folder) :] == folder]
        called = [log for log, video in videos.items() if video.name == clip.name]
        chosen = (lying or called) if label.clip else list(logs)
        if len(chosen) != 1:
            which = "in a column clip, by its video" if not label.clip else "by its name: a/b.mp4 has its log in a/b"
            raise ValueError(f"{label}: {len(chosen)} of the {len(logs)} logs may be meant; say which, {which}")
        found[chosen[0]].append(label)
    for log in [log for log, rows in found.items() if not rows]:
        remark(Unreadable("no labels", f"{log} has no labelled episode"))
        del found[log]
    return found


def summary(log: Path) -> dict[str, Any]:
    """The `log.json` of a log; raises `ValueError` where the folder holds none or one of another version."""
    if not (log / "log.json").is_file():
        raise ValueError(f"{log} holds no log: give a folder that wtmr track wrote")
    value = files.read_json(log / "log.json", ["version", "video"])
    if value["version"] != VERSION:
        raise ValueError(f"{log / 'log.json'} is of version {value['version']}, not {VERSION}: run wtmr track again")
    return value


def video_of(log: Path, place: Path | None = None) -> Path:
    """Find the video of a log: as the log names it, or at `place`, which is the video or the folder it lies in.

    Raises:
        ValueError: where it is not there, as the pictures of a camera or a stream never are.
    """
    named = Path(summary(log)["video"]["name"])
    places = [named]
    if place is not None:
        places = [place / named, place / named.name] if place.is_dir() else [place]
        places += [place] if place.name == named.name else []  # a folder of frames
    for path in places:
        if path.is_file() or path.is_dir():
            return path
    raise ValueError(
        f"{log}: its video {named} is not at {places[-1]}; a log holds nothing to learn from without it, so say where "
        "it lies with --video"
    )


@dataclass(frozen=True)
class Found:
    """A labelled episode as the network sees it: `features` (n, d) of the n steps in it, none where the person is not
    seen."""

    label: Label
    features: np.ndarray


def find(classifier: Classifier, log: Path, labels: Sequence[Label], video: Path) -> list[Found]:
    """Find labelled episodes in the video of a log.

    Labels of one activity and person no more than `NEAR` seconds apart are one episode: else what is held back of it
    would be known from its neighbour.

    Args:
        classifier: the network
        log: folder of the log
        labels: those of this log, in order of time
        video: the log's video

    Raises:
        ValueError: for a video that cannot be read or is not that of the log, a label that ends after it, a person whom
            the log does not have, and a label without a person during which several are seen.
        NotInstalled: for a network of joints where no detector of joints is installed.
    """
    stated = summary(log)["video"]
    for label in labels:
        if label.end > stated["seconds"] + SLACK:
            raise ValueError(f"{label}: the video of {log} ends at {stated['seconds']:g} s; correct the label")
    poses = None if classifier.form.size else detectors.poses()
    if poses is None and not classifier.form.size:
        raise NotInstalled(f"the network takes joints, which movenet finds: {INSTALL}")
    people = Listed(log / "tracks.txt", poses)
    with Stream(video, fps=stated["fps"] if video.is_dir() else None, most=RATE) as stream:
        if (stream.width, stream.height) != (stated["width"], stated["height"]):
            size = f"{stream.width}×{stream.height} pixels, not {stated['width']}×{stated['height']}"
            raise ValueError(f"{video} is another video than that of {log}: it has {size}; give the right one")
        steps, seen = _steps(classifier, stream, people, labels)
        people.check_end(stream.number)
    episodes: list[tuple[int, Found]] = []
    for label in labels:
        number = _number(label, seen, log)
        times, features = steps[number]
        found = Found(label, features[(times >= label.start) & (times < label.end)])
        last = episodes[-1] if episodes else None
        same = last and (last[0], last[1].label.activity) == (number, label.activity)
        if same and label.start - last[1].label.end <= NEAR:
            whole = replace(last[1].label, end=label.end)
            episodes[-1] = number, Found(whole, np.concatenate([last[1].features, found.features]))
        else:
            episodes.append((number, found))
    return [found for _, found in episodes]


def _steps(
    classifier: Classifier, stream: Stream, people: Listed, labels: Sequence[Label]
) -> tuple[dict[int, tuple[np.ndarray, np.ndarray]], dict[int, np.ndarray]]:
    """Of each person: times (n,) and features (n, d) of the steps during labels, and times (t,) of the sightings."""
    network = _Features(classifier)
    wanted = {label.person for label in labels}
    activities: dict[int, activity.Activity] = defaultdict(lambda: activity.of(network))
    steps: dict[int, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
    seen: dict[int, list[float]] = defaultdict(list)

    def collect(*now: float) -> None:
        for number, steps_of in activities.items():
            times, features = steps_of.ready(*now)
            during = np.array([any(label.start <= time < label.end for label in labels) for time in times], bool)
            steps[number].append((times[during], features[during]))

    for frame in stream:
        for number, sighting in people(frame):
            seen[number].append(frame.seconds)
            if "" in wanted or str(number) in wanted:
                activities[number].add(sighting, frame.picture)
        collect(frame.seconds)
    collect()
    arrays = {
        number: tuple(np.concatenate(parts) for parts in zip(*found, strict=True)) for number, found in steps.items()
    }
    return arrays, {number: np.array(times) for number, times in seen.items()}


def _number(label: Label, seen: dict[int, np.ndarray], log: Path) -> int:
    """The number in the log of the person of a label: where it has none, of whom more than half of what is seen is."""
    if label.person:
        if not label.person.isdecimal() or int(label.person) not in seen:
            have = ", ".join(map(str, sorted(seen))) or "nobody"
            raise ValueError(f"{label}: {log} has no person {label.person}; it has {have}")
        return int(label.person)
    counts = {number: int(((times >= label.start) & (times < label.end)).sum()) for number, times in seen.items()}
    if not counts:
        raise ValueError(f"{label}: {log} has nobody in it; leave the label out")
    number = max(counts, key=lambda n: counts[n])
    if counts[number] <= sum(counts.values()) / 2 > 0:
        several = ", ".join(str(n) for n, count in counts.items() if count)
        raise ValueError(f"{label}: {log} sees the people {several} then; say which in a column person")
    return number


class _Features:
    """A classifier that answers with the d inputs of its head instead of the k probabilities."""

    def __init__(self, classifier: Classifier):
        self._classifier = classifier
        self.form, self.seconds = classifier.form, classifier.seconds
        self.classes = range(classifier.head.in_features)

    def __call__(self, recording: Recording, *, seconds: float) -> np.ndarray:
        return self._classifier.features(recording, seconds=seconds)

    def of_clips(self, clips: np.ndarray) -> np.ndarray:
        return self._classifier.features_of_clips(clips)
