"""The table of a log: its rows, its columns, and reading it from a file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wtmr_core.tracking.people import Episode

COLUMNS = (
    "person",
    "activity",
    "start_s",
    "end_s",
    "duration_s",
    "score",
    "zone",
    "context",
    "keyframe_start",
    "keyframe_middle",
    "keyframe_best",
)
NUMBERS = ("start_s", "end_s", "duration_s", "score")


@dataclass(frozen=True)
class Row:
    """A row of the log: an episode of a person.

    Attributes:
        person: id of the person
        episode: the episode
        zone: name of its zone, "" for none
        context: the person's surroundings, see `context.describe`
        keyframes: files of its start, middle and best moment, relative to the folder of the log, "" for none
    """

    person: int
    episode: Episode
    zone: str = ""
    context: str = ""
    keyframes: tuple[str, str, str] = ("", "", "")


def table(rows: Iterable[Row]) -> pd.DataFrame:
    """Make a table, with the columns `COLUMNS`, of the rows of a log."""
    frame = pd.DataFrame([values(row) for row in rows], columns=list(COLUMNS))
    return frame.astype({"person": "int64"} | dict.fromkeys(NUMBERS, "float64"))


def rows(table: pd.DataFrame) -> list[Row]:
    """The rows of a table as `table` makes it or `read_log` reads it."""
    return [
        Row(int(v[0]), Episode(v[1], *map(float, v[2:6])), v[6], v[7], (v[8], v[9], v[10]))
        for v in table[list(COLUMNS)].itertuples(index=False, name=None)
    ]


def read_log(path: str | Path, needed: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """Read the table of a log.

    Args:
        path: an `episodes.csv`, or the folder that holds one
        needed: columns that must be there

    Returns:
        a table with numbers for times and scores, and for persons where all are whole numbers; text otherwise

    Raises:
        OSError: where the file cannot be read.
        ValueError: where a column is missing or named twice, a line has too few or too many values, a time or score is
            not a number, or an episode ends before it starts; the message names the line.
    """
    path = Path(path)
    path = path / "episodes.csv" if path.is_dir() else path
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        head, *lines = [(reader.line_num, line) for line in reader if line] or [(1, [])]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: give the episodes.csv of a log") from error
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    columns = [name.strip() for name in head[1]]
    if missing := [name for name in needed if name not in columns]:
        raise ValueError(f"{path} has no column {missing[0]}: its first line names {', '.join(columns) or 'none'}")
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path}, line 1: a column is named twice")
    rows = [_parsed(dict(zip(columns, _as_long(line, columns, path, n), strict=True)), path, n) for n, line in lines]
    frame = pd.DataFrame(rows, columns=columns).astype({name: "float64" for name in NUMBERS if name in columns})
    if "person" in columns and rows and frame["person"].str.fullmatch(r"[0-9]{1,9}").all():
        frame["person"] = frame["person"].astype("int64")
    return frame


def _as_long(line: list[str], columns: list[str], path: Path, number: int) -> list[str]:
    if len(line) != len(columns):
        raise ValueError(f"{path}, line {number} has {len(line)} values, not {len(columns)} as the first line")
    return line


def _parsed(values: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    """Convert and check the values of a line."""
    for name in NUMBERS:
        if name not in values:
            continue
        try:
            value = float(values[name])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{path}, line {number}: {name} is {values[name]!r}, not a number")
        values[name] = value
    if values.get("end_s", math.inf) < values.get("start_s", -math.inf):
        raise ValueError(f"{path}, line {number}: it ends at {values['end_s']:g} s, before its start")
    if not 0 <= values.get("score", 0.0) <= 1:
        raise ValueError(f"{path}, line {number}: score is {values['score']:g}; it is from 0 to 1")
    return values


def values(row: Row) -> list[Any]:
    """The values of a row in the order of `COLUMNS`, numbers rounded to three decimals."""
    e = row.episode
    numbers = [round(float(value), 3) + 0.0 for value in (e.start, e.end, e.duration, e.score)]
    return [row.person, e.activity, *numbers, row.zone, row.context, *row.keyframes]


def described(row: Row) -> dict[str, Any]:
    """A row as a dictionary with the keys `COLUMNS`, ready for JSON."""
    return dict(zip(COLUMNS, values(row), strict=True))


def check(row: Row) -> None:
    """Raise `ValueError` for a row with impossible times, score or text."""
    e = row.episode
    text = [e.activity, row.zone, row.context, *row.keyframes]
    if not all(value.isprintable() for value in text) or not e.activity:
        raise ValueError(f"person {row.person}: texts must be printable and an activity must have a name, not {text}")
    if not (np.isfinite([e.start, e.end, e.duration]).all() and e.start <= e.end and 0 <= e.score <= 1):
        raise ValueError(f"person {row.person}: {e} ends before it starts, or its times or score are impossible")
