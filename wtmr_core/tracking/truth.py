"""The true activities of people in videos, read from a table, to score logs against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wtmr_core.tracking.table import read_log

FALL = "fall"  # a fall and the lying after it, as one segment
GAP = 0.5  # seconds, at most, between the two
FALLING = 1.2  # seconds of falling where the truth does not separate it from the lying after it
HOMES = {"walking": "walking", "standing": "standing", "sitting": "sitting", "sleeping": "lying"}


class Span(NamedTuple):
    """An activity from `start` to `end`, in seconds of the video."""

    activity: str
    start: float
    end: float


@dataclass(frozen=True)
class Course:
    """The activities of a person in a video: `spans`, which may overlap, and `segments`, in which a fall and the lying
    after it are one."""

    spans: list[Span]
    segments: list[Span]


@dataclass(frozen=True)
class Clip:
    """The truth of a video: its length in `seconds` and the courses of its `people` by name, "" where the truth has no
    names."""

    seconds: float
    people: dict[str, Course]


def read_truth(path: str | Path) -> dict[str, Clip]:
    """Read the truth of one or more videos.

    Two kinds of table are read. One has the columns of a log: `person`, `activity`, `start_s`, `end_s`, and `clip` if
    it covers several videos. The other, as of GMDCSA-24 (Alam et al. 2024), has one person in each clip, not named, and
    the columns `clip`, `activity`, `start_s`, `end_s` and `duration_s`, the length of the clip. There "Falling …" lasts
    until the end of the clip: its first 1.2 s count as falling and the rest as lying. Sleeping counts as lying;
    activities that are no posture (reading, eating) are left out.

    Returns:
        name of the clip -> its truth; the name is "" in a table of one video without a column `clip`

    Raises:
        OSError: where the file cannot be read.
        ValueError: where it is neither kind of table; the message names file and line.
    """
    table = read_log(path, ("activity", "start_s", "end_s"))
    if "person" not in table.columns:
        if missing := [name for name in ("clip", "duration_s") if name not in table.columns]:
            raise ValueError(f"{path} has no column person; a table without it needs {missing[0]}, which it lacks")
        return {str(name): _home(rows) for name, rows in table.groupby("clip", sort=False)}
    named = table.groupby("clip", sort=False) if "clip" in table.columns else [("", table)]
    return {str(name): Clip(float(rows["end_s"].max()) if len(rows) else 0.0, courses(rows)) for name, rows in named}


def courses(table: pd.DataFrame) -> dict[str, Course]:
    """The course of each person, by name, in a table with the columns of a log."""
    people: dict[str, list[Span]] = {}
    for row in table.itertuples(index=False):
        people.setdefault(str(row.person), []).append(Span(plain(row.activity), row.start_s, row.end_s))
    return {name: Course(spans, segments(spans)) for name, spans in people.items()}


def segments(spans: Iterable[Span]) -> list[Span]:
    """Sort spans by start, and merge falling with the lying that follows it within half a second."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if span.activity == "lying" and merged and merged[-1].activity == FALL and span.start - merged[-1].end < GAP:
            merged[-1] = Span(FALL, merged[-1].start, span.end)
        else:
            merged.append(span._replace(activity=FALL) if span.activity == "falling" else span)
    return merged


def plain(activity: str) -> str:
    """The name of an activity in the form in which names are compared: lower case, with spaces."""
    return activity.strip().lower().replace("_", " ")


def _home(table: pd.DataFrame) -> Clip:
    """The truth of a clip from a table without persons."""
    seconds = float(table["duration_s"].iloc[0])
    spans, whole = [], []
    for row in table.itertuples(index=False):
        activity = plain(row.activity)
        if activity.startswith("falling"):
            middle = min(row.start_s + FALLING, seconds)
            spans += [Span("falling", row.start_s, middle), Span("lying", middle, seconds)]
            whole.append(Span(FALL, row.start_s, seconds))
        elif activity in HOMES:
            spans.append(Span(HOMES[activity], row.start_s, row.end_s))
            whole.append(spans[-1])
    return Clip(seconds, {"": Course(spans, whole)})
