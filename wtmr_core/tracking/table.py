"""The rows of a log and its table, written and read."""

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
    """An episode of a person as the log has it: with the `zone` it was in ("" for none), its `context` (see
    `context.describe`), and the files of its key frames at start, middle and best, relative to the folder of the log
    ("" for none)."""

    person: int
    episode: Episode
    zone: str = ""
    context: str = ""
    keyframes: tuple[str, str, str] = ("", "", "")


def table(rows: Iterable[Row]) -> pd.DataFrame:
    """The rows of a log as a table with the columns `COLUMNS`."""
    frame = pd.DataFrame([values(row) for row in rows], columns=list(COLUMNS))
    return frame.astype({"person": "int64"} | dict.fromkeys(NUMBERS, "float64"))


def rows(table: pd.DataFrame) -> list[Row]:
    """The rows of a log that `table` or `read_log` gave as a table."""
    return [
        Row(int(v[0]), Episode(v[1], *map(float, v[2:6])), v[6], v[7], (v[8], v[9], v[10]))
        for v in table[list(COLUMNS)].itertuples(index=False, name=None)
    ]


def read_log(path: str | Path, needed: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """Read `episodes.csv`, or that of a folder, as a table: numbers for times and score, and for persons where all of
    them are whole numbers; text for the others.

    Columns other than `needed` may be absent. Raises `ValueError`, naming the line, where the file is no log: a column
    is absent or named twice, a line is shorter or longer, a time or score is no number, an end lies before its start;
    `OSError` where it cannot be read.
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
    if absent := [name for name in needed if name not in columns]:
        raise ValueError(f"{path} has no column {absent[0]}: its first line names {', '.join(columns) or 'none'}")
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
    """The values of a line, numbers as numbers."""
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
    """The cells of a row in the order of `COLUMNS`, times to a thousandth of a second."""
    e = row.episode
    numbers = [round(float(value), 3) + 0.0 for value in (e.start, e.end, e.duration, e.score)]
    return [row.person, e.activity, *numbers, row.zone, row.context, *row.keyframes]


def described(row: Row) -> dict[str, Any]:
    """A row as JSON has it, by the names of `COLUMNS`."""
    return dict(zip(COLUMNS, values(row), strict=True))


def check(row: Row) -> None:
    """Raise `ValueError` for an episode that cannot be one."""
    e = row.episode
    text = [e.activity, row.zone, row.context, *row.keyframes]
    if not all(value.isprintable() for value in text) or not e.activity:
        raise ValueError(
            f"person {row.person}: an episode's texts are printable and its activity has a name, not {text}"
        )
    if not (np.isfinite([e.start, e.end, e.duration]).all() and e.start <= e.end and 0 <= e.score <= 1):
        raise ValueError(f"person {row.person}: {e} ends before it starts, or has times or a score that cannot be")
