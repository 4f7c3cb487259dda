"""What people in videos truly did, read from a table, for logs to be scored against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wtmr_core.tracking.table import read_log

FALL = "fall"  # a fall and the lying after it, as one segment
GAP = 0.5  # seconds, at most, between the two
FALLING = 1.2  # seconds of a fall whose end the truth does not tell from the lying after it
HOMES = {"walking": "walking", "standing": "standing", "sitting": "sitting", "sleeping": "lying"}


class Span(NamedTuple):
    """An activity from `start` to `end`, in seconds of the video."""

    activity: str
    start: float
    end: float


@dataclass(frozen=True)
class Course:
    """What somebody did in a video: `spans`, which may overlap, and `segments`, the same with a fall and the lying
    after it as one."""

    spans: list[Span]
    segments: list[Span]


@dataclass(frozen=True)
class Clip:
    """The truth of a video of this length in `seconds`: the courses of its `people` by name; one without a name where
    the truth names none."""

    seconds: float
    people: dict[str, Course]


def read_truth(path: str | Path) -> dict[str, Clip]:
    """Read the truth of videos by the name of the clip, "" where a file is the truth of one video and names none.

    Two tables are read. One in the columns of a log: `person`, `activity`, `start_s`, `end_s`, and `clip` where it is
    the truth of several. And one without persons, as GMDCSA-24 (Alam et al. 2024) tells of a single person a clip, with
    `clip` and `duration_s`, the length of the clip: there "Falling …" runs to its end, so that the first 1.2 s are
    falling and what follows is lying; sleeping is lying; what is not of the body's posture (reading, eating) is left
    out.

    Raises `ValueError`, naming file and line, where it is neither, `OSError` where it cannot be read.
    """
    table = read_log(path, ("activity", "start_s", "end_s"))
    if "person" not in table.columns:
        if absent := [name for name in ("clip", "duration_s") if name not in table.columns]:
            raise ValueError(f"{path} has no column person, and for a table without persons no {absent[0]}")
        return {str(name): _home(rows) for name, rows in table.groupby("clip", sort=False)}
    named = table.groupby("clip", sort=False) if "clip" in table.columns else [("", table)]
    return {str(name): Clip(float(rows["end_s"].max()) if len(rows) else 0.0, courses(rows)) for name, rows in named}


def courses(table: pd.DataFrame) -> dict[str, Course]:
    """What each person did, by name, of a table with the columns of a log."""
    people: dict[str, list[Span]] = {}
    for row in table.itertuples(index=False):
        people.setdefault(str(row.person), []).append(Span(plain(row.activity), row.start_s, row.end_s))
    return {name: Course(spans, segments(spans)) for name, spans in people.items()}


def segments(spans: Iterable[Span]) -> list[Span]:
    """The spans in the order of their start, falling and the lying that follows it within half a second as one."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start):
        if span.activity == "lying" and merged and merged[-1].activity == FALL and span.start - merged[-1].end < GAP:
            merged[-1] = Span(FALL, merged[-1].start, span.end)
        else:
            merged.append(span._replace(activity=FALL) if span.activity == "falling" else span)
    return merged


def plain(activity: str) -> str:
    """A name of an activity as they are compared: in lower case, with spaces."""
    return activity.strip().lower().replace("_", " ")


def _home(table: pd.DataFrame) -> Clip:
    """The clip of rows without persons."""
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
