"""Scores of a log against the truth: time, segments, their order, durations, falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from wtmr_core import files
from wtmr_core.tracking.table import read_log
from wtmr_core.tracking.truth import FALL, Clip, Course, Span, courses, read_truth, segments

TREE = "give a folder that holds the log of clip a/b.mp4 in a/b"
RATE = 5  # steps a second at which time is compared
OVERLAPS = (0.1, 0.25, 0.5)  # IoU of segments
EARLY, LATE = 1.0, 2.5  # seconds by which the start of a fall may be off

#: an activity that the truth does not distinguish counts as this one
PART_OF = {
    "sitting down": "sitting",
    "standing up": "standing",
    "bending": "standing",
    "picking up": "standing",
    "reading": "sitting",
    "sleeping": "lying",
}
COARSE = {"walking": "upright", "standing": "upright", "sitting": "sitting", "lying": "down", "falling": "down"}


@dataclass
class Counts:
    """Counts of a person in a clip, or of several together."""

    steps: int = 0
    right: int = 0
    coarse_steps: int = 0
    coarse_right: int = 0
    hits: dict[float, int] = field(default_factory=lambda: dict.fromkeys(OVERLAPS, 0))
    logged: int = 0  # segments
    true: int = 0
    edits: list[float] = field(default_factory=list)
    seconds: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # activity -> true, logged
    falls: int = 0
    falls_found: int = 0
    false_falls: list[float] = field(default_factory=list)
    missed_falls: list[float] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        for name in ("steps", "right", "coarse_steps", "coarse_right", "logged", "true", "falls", "falls_found"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.hits = {overlap: self.hits[overlap] + other.hits[overlap] for overlap in OVERLAPS}
        self.edits += other.edits
        self.false_falls += other.false_falls
        self.missed_falls += other.missed_falls
        for activity, pairs in other.seconds.items():
            self.seconds.setdefault(activity, []).extend(pairs)

    def described(self) -> dict[str, Any]:
        """The scores, ready for JSON; None where the divisor is 0.

        `share` of the time that is right, and `share_coarse` in three classes (upright, sitting, down); `segment_f1` by
        IoU; `edit`, the mean over people; `durations`, activity -> true and logged seconds and the mean absolute
        `error_s` of a person; `falls`, `falls_found` among them, and `false_falls`.
        """
        return {
            "steps": self.steps,
            "share": _ratio(self.right, self.steps),
            "share_coarse": _ratio(self.coarse_right, self.coarse_steps),
            "segment_f1": {str(k): _ratio(2 * n, self.logged + self.true) for k, n in self.hits.items()},
            "edit": _ratio(sum(self.edits), len(self.edits)),
            "durations": {
                activity: {
                    "true_s": round(sum(true for true, _ in pairs), 3),
                    "logged_s": round(sum(logged for _, logged in pairs), 3),
                    "error_s": _ratio(sum(abs(logged - true) for true, logged in pairs), len(pairs)),
                }
                for activity, pairs in sorted(self.seconds.items())
            },
            "falls": self.falls,
            "falls_found": self.falls_found,
            "false_falls": len(self.false_falls),
        }


@dataclass(frozen=True)
class Score:
    """Counts in all and by clip and person, sentences on `wrong` falls, and clips without a log, counted as empty."""

    total: Counts
    people: dict[tuple[str, str], Counts]
    wrong: list[str]
    missing: list[str]

    def described(self) -> dict[str, Any]:
        """Ready for JSON."""
        people = [{"clip": clip, "person": name, **c.described()} for (clip, name), c in self.people.items()]
        return {**self.total.described(), "wrong": self.wrong, "missing": self.missing, "people": people}

    def text(self) -> str:
        """A table with a row for each person and one for all, followed by durations and errors."""
        lines = [(*key, c) for key, c in self.people.items()] + [("all", "", self.total)]
        rows = [
            {"clip": clip, "person": name, "share": d["share"], "coarse": d["share_coarse"]}
            | {f"F1@{k}": v for k, v in d["segment_f1"].items()}
            | {"edit": d["edit"], "falls": f"{d['falls_found']}/{d['falls']}", "false falls": d["false_falls"]}
            for clip, name, d in ((clip, name, counts.described()) for clip, name, counts in lines)
        ]
        durations = pd.DataFrame.from_dict(self.total.described()["durations"], orient="index")
        parts = [
            _printed(pd.DataFrame(rows).set_index(["clip", "person"])),
            _printed(durations) if len(durations) else "",
        ]
        parts += [*self.wrong, *(f"{clip} has no log" for clip in self.missing)]
        return "\n".join(part for part in parts if part)


def score(log: str | Path, truth: str | Path) -> Score:
    """Score a log, or a folder of logs, against the truth.

    Time is compared at five steps a second. Where true activities overlap, any is right; steps without one do not
    count. People are paired by name, where a name is more than a number, and otherwise for the longest agreement
    (Hungarian method); further people of the log count as false. For a truth without names, of one person, the longest
    log with an activity at a step is compared; segments are those of the longest, falls those of all.

    Segment F1 and edit score follow Lea et al., "Temporal convolutional networks for action segmentation and detection"
    (CVPR 2017), except that a true segment is matched only once; falling and the lying after it are one. A fall is
    found where `falling` starts from 1.0 s before to 2.5 s after it; one that starts earlier, or in no fall, is false.

    Args:
        log: folder or `episodes.csv` of a log, whose `log.json` names its clip; or a folder with the log of each clip
            `a/b.mp4` in `a/b`
        truth: a table that `truth.read_truth` reads

    Raises:
        ValueError: where log and truth do not belong together or one is malformed; OSError where one cannot be read.
    """
    log, truth = Path(log), Path(truth)
    clips = read_truth(truth)
    logs, missing = _logs(log, clips, truth)
    people: dict[tuple[str, str], Counts] = {}
    total, wrong = Counts(), []
    for name, table in logs.items():
        for person, counts in score_clip(table, clips[name]).items():
            people[name, person] = counts
            total.add(counts)
            place = " ".join(part for part in (name, person and f"person {person}") if part)
            wrong += [f"{place}: the fall at {start:.1f} s is missed".lstrip(": ") for start in counts.missed_falls]
            wrong += [f"{place}: a false fall at {start:.1f} s".lstrip(": ") for start in counts.false_falls]
    return Score(total, people, wrong, missing)


def score_clip(log: pd.DataFrame | None, clip: Clip) -> dict[str, Counts]:
    """Count for each person of a clip's truth, by name, and under "others" for all further people of the log (a table,
    None where there is no log)."""
    persons = {} if log is None or log.empty else courses(log)
    known = {span.activity for course in clip.people.values() for span in course.spans}
    persons = {name: _known(course, known) for name, course in persons.items()}
    longest = sorted(persons.values(), key=lambda course: -sum(span.end - span.start for span in course.spans))
    if set(clip.people) == {""}:
        return {"": compare(clip.people[""], longest, clip.seconds)}
    pairs = _paired(persons, clip)
    counts = {
        name: compare(true, [persons[pairs[name]]] if name in pairs else [], clip.seconds)
        for name, true in clip.people.items()
    }
    if others := [course for name, course in persons.items() if name not in pairs.values()]:
        counts["others"] = Counts(
            logged=sum(len(course.segments) for course in others),
            false_falls=[span.start for course in others for span in course.spans if span.activity == "falling"],
        )
    return counts


def compare(true: Course, logged: Sequence[Course], seconds: float) -> Counts:
    """Count for one person of a clip of this length in seconds. `logged` are the people of the log to compare with: at
    each step the first of them that has an activity."""
    counts = Counts()
    truths = _steps(true.spans, seconds)
    candidates = [_steps(course.spans, seconds) for course in logged]
    answers = [_first(labels) if known else None for known, *labels in zip(truths, *candidates, strict=True)]
    for known, answer in zip(truths, answers, strict=True):
        coarse = {COARSE[name] for name in known if name in COARSE}
        counts.steps += bool(known)
        counts.right += answer in known
        counts.coarse_steps += bool(coarse)
        counts.coarse_right += bool(coarse) and COARSE.get(PART_OF.get(answer, answer)) in coarse
    for activity in {name for known in truths for name in known} | set(answers) - {None}:
        durations = sum(activity in known for known in truths) / RATE, answers.count(activity) / RATE
        counts.seconds[activity] = [durations]
    counted = [span for span in logged[0].segments if _is_known(span, true)] if logged else []
    counts.logged, counts.true = len(counted), len(true.segments)
    counts.hits = {overlap: hits(counted, true.segments, overlap) for overlap in OVERLAPS}
    if counted or true.segments:
        order = sorted(true.segments, key=lambda span: span.start)
        counts.edits = [edit([s.activity for s in counted], [s.activity for s in order])]
    _count_falls(counts, true, [s.start for course in logged for s in course.spans if s.activity == "falling"])
    return counts


def hits(logged: Sequence[Span], true: Sequence[Span], overlap: float) -> int:
    """Count the logged segments whose IoU with a true segment of the same activity, not matched before, is at least
    `overlap`."""
    taken: set[int] = set()
    for span in logged:
        free = [(iou(span, other), k) for k, other in enumerate(true) if other.activity == span.activity]
        best, k = max((pair for pair in free if pair[1] not in taken), default=(0.0, -1))
        if k >= 0 and best >= overlap:
            taken.add(k)
    return len(taken)


def iou(a: Span, b: Span) -> float:
    """Intersection over union of two spans of time, 0 to 1."""
    union = max(a.end, b.end) - min(a.start, b.start)
    return max(0.0, min(a.end, b.end) - max(a.start, b.start)) / union if union > 0 else float(a.start == b.start)


def edit(logged: Sequence[str], true: Sequence[str]) -> float:
    """Edit score of two sequences of activities, from 0 to 1 (the same order): 1 minus their Levenshtein distance over
    the length of the longer one; repetitions count once."""
    a, b = ([name for name, _ in groupby(names)] for names in (logged, true))
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for k, y in enumerate(b, 1):
            before, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, before + (x != y))
    return 1 - row[-1] / max(len(a), len(b), 1)


def _count_falls(counts: Counts, true: Course, starts: Sequence[float]) -> None:
    falls = [span for span in true.segments if span.activity == FALL]
    counts.falls = len(falls)
    for fall in falls:
        if any(fall.start - EARLY <= start <= fall.start + LATE for start in starts):
            counts.falls_found += 1
        else:
            counts.missed_falls.append(fall.start)
    counts.false_falls = [s for s in starts if not any(f.start - EARLY <= s <= f.end for f in falls)]


def _steps(spans: Sequence[Span], seconds: float) -> list[list[str]]:
    """The activities at each step of a clip, in the order of the spans."""
    times = np.arange(int(seconds * RATE)) / RATE
    steps: list[list[str]] = [[] for _ in times]
    for span in spans:
        first, last = np.searchsorted(times, (span.start, span.end))
        for labels in steps[first:last]:
            labels.append(span.activity)
    return steps


def _first(people: Sequence[Sequence[str]]) -> str | None:
    """The activity of the first of several people that has one."""
    return next((labels[0] for labels in people if labels), None)


def _is_known(span: Span, true: Course) -> bool:
    """Whether the truth has an activity around the middle of a logged segment."""
    middle = [span.start + (k + 0.5) / 10 * (span.end - span.start) for k in range(3, 7)]
    return any(other.start <= t < other.end for other in true.spans for t in middle)


def _known(course: Course, known: set[str]) -> Course:
    """A course with the activities that the truth distinguishes."""
    spans = [
        span if span.activity in known else span._replace(activity=PART_OF.get(span.activity, span.activity))
        for span in course.spans
    ]
    return Course(spans, segments(spans))


def _paired(persons: dict[str, Course], clip: Clip) -> dict[str, str]:
    """Name in the truth -> name in the log."""
    pairs = {name: name for name in clip.people if name in persons and not name.isdecimal()}
    true = [name for name in clip.people if name not in pairs]
    logged = [name for name in persons if name not in pairs]
    truths = [_steps(clip.people[name].spans, clip.seconds) for name in true]
    logs = [_steps(persons[name].spans, clip.seconds) for name in logged]
    agreed = np.array([[sum(map(_agree, a, b)) for b in logs] for a in truths]).reshape(len(true), len(logged))
    rows, columns = linear_sum_assignment(agreed, maximize=True)
    return pairs | {true[i]: logged[k] for i, k in zip(rows, columns, strict=True) if agreed[i, k] > 0}


def _agree(true: Sequence[str], logged: Sequence[str]) -> bool:
    return bool(logged) and logged[0] in true


def _logs(log: Path, clips: dict[str, Clip], truth: Path) -> tuple[dict[str, pd.DataFrame | None], list[str]]:
    """The table of each clip's log, None where there is none, and the names of the clips without one."""
    needed = ("person", "activity", "start_s", "end_s")
    if log.is_file() or (log / "episodes.csv").is_file():
        name = next(iter(clips), "")
        if len(clips) > 1:
            summary = (log.parent if log.is_file() else log) / "log.json"
            video = files.read_json(summary, ["video"])["video"]["name"] if summary.is_file() else ""
            names = [name for name in clips if name == video or Path(name).name == video]
            if len(names) != 1:
                raise ValueError(f"{log} is the log of one video, {truth} the truth of {len(clips)}: {TREE}")
            (name,) = names
        return {name: read_log(log, needed)}, []
    folders = {name: log / Path(name).with_suffix("") for name in clips}
    logs = {n: read_log(f, needed) if (f / "episodes.csv").is_file() else None for n, f in folders.items()}
    missing = [name for name, table in logs.items() if table is None]
    if len(missing) == len(logs):
        raise ValueError(f"{log} holds no log of any clip of {truth}: {TREE}")
    return logs, missing


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _printed(table: pd.DataFrame) -> str:
    return table.to_string(float_format="%.3f", na_rep="-")
