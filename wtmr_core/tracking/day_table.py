"""Logs of days: rows of start, end, activity and person, kept or refused by stated rules."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from wtmr_core import files, literals

KNOWLEDGE = Path(__file__).with_name("habits.yaml")
LONGEST = 7 * 86400  # seconds of a row
EARLIEST, LATEST = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")
_OFFSET = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")


class HabitsError(ValueError):
    """A log, or what goes with it, cannot be used; the message says what, where and what to do."""


@dataclass(frozen=True)
class DayTable:
    """The rows of one or several logs.

    Attributes:
        rows: `person`, `activity`, `start` and `end` (datetime64 in the home's local time), in order of start
        refused: reason -> number of rows that are not among them
        remarks: sentences on what was found
    """

    rows: pd.DataFrame
    refused: Mapping[str, int] = field(default_factory=dict)
    remarks: Sequence[str] = ()


def read(paths: Iterable[str | Path], days: Sequence[str] = ()) -> DayTable:
    """Read logs as one table.

    A row is kept, whatever it overlaps, unless one of these is true, in this order; it is then counted under it.

    * *has too few or too many cells* for the first line of its file
    * *lacks an activity*, *lacks a time*, *is no time*: a cell is empty, or holds something else
    * *lies in another kind of time*: it has no offset from UTC among rows of which most have one, or the reverse
    * *ends before it starts*
    * *lasts over a week*
    * *repeated*: person, activity and times are those of a row before

    Times are those on the wall of the home. Where they have offsets (`+02:00`, `Z`) a row's length is the true one,
    also over a change of clocks, and its hours are as written; a row whose offset differs by more than an hour from the
    most common is converted to that. Without offsets the night of 25 hours has an hour twice: what lies in it is read
    as written, and is refused where it ends before it starts.

    Args:
        paths: CSV files with `start,end,activity` (ISO 8601), or `start_s,end_s,activity`, as `wtmr track` writes, or
            its folder; `person` is optional. Who has a name in the log of a video is that person in all logs; the
            others are told apart by number alone
        days: the day, or day and time, of second 0, of each log in seconds, in order

    Raises:
        HabitsError: where a file is no table with these columns, or days and logs in seconds are not as many.
        OSError: where a file cannot be read.
    """
    paths = [Path(path) / "episodes.csv" if Path(path).is_dir() else Path(path) for path in paths]
    tables = [_cells(path) for path in paths]
    in_seconds = [path for path, table in zip(paths, tables, strict=True) if "start_s" in table]
    if len(days) != len(in_seconds):
        names = ", ".join(map(str, in_seconds))
        wanted = f"{names} {'is' if len(in_seconds) == 1 else 'are'} in seconds" if names else "no log is in seconds"
        raise HabitsError(
            f"{wanted}, and --day, the time of second 0, is given {len(days)} times: give it once for each log in "
            "seconds, in order, such as --day 2026-03-01T08:30"
        )
    zeros, remarks, refused, parts = iter(days), [], Counter(), []
    for path, table in zip(paths, tables, strict=True):
        part = _timed(table, _zero(next(zeros)) if "start_s" in table else None, path, remarks)
        parts.append(part)
    of_videos = [part for path, part in zip(paths, parts, strict=True) if path.with_name("log.json").is_file()]
    if shared := sorted({n for a, b in combinations(of_videos, 2) for n in {*a.person} & {*b.person} if n.isdecimal()}):
        remarks.append(
            f"several logs have a person {', '.join(shared)}, taken for one: wtmr who tells people apart, by names"
        )
    frame = pd.concat(parts, ignore_index=True)
    frame.loc[frame.why.eq("") & frame.duplicated(["person", "activity", "start", "end"]), "why"] = "repeated"
    refused.update(frame.why[frame.why.ne("")])
    rows = (
        frame[frame.why.eq("")].drop(columns="why").sort_values(["start", "end", "person", "activity"], kind="stable")
    )
    return DayTable(rows.reset_index(drop=True), dict(sorted(refused.items())), tuple(remarks))


def _cells(path: Path) -> pd.DataFrame:
    """The cells of a file as text, and whether a line has too few or too many."""
    try:
        reader = csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
        head, *lines = [line for line in reader if any(map(str.strip, line))] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise HabitsError(f"{path} is no CSV in UTF-8 ({error}): save it as one") from error
    names = [name.strip().lower() for name in head]
    needed = ("start_s", "end_s") if {"start_s", "end_s"} <= set(names) and "start" not in names else ("start", "end")
    if missing := [name for name in (*needed, "activity") if names.count(name) != 1]:
        found = ", ".join(names) or "nothing"
        raise HabitsError(f"{path} must name {missing[0]} once in its first line, which names {found}")
    uneven = [len(line) != len(names) for line in lines]
    columns = {
        name: ["" if odd else line[names.index(name)].strip() for line, odd in zip(lines, uneven, strict=True)]
        for name in (*needed, "activity", *(["person"] if "person" in names else []))
    }
    table = pd.DataFrame({"person": "", **columns}, index=range(len(lines)), dtype=object)
    table["person"] = table.person.replace(_named(path))
    return table.assign(uneven=np.array(uneven, bool))


def _named(path: Path) -> dict[str, str]:
    """Number -> name of the people whom a gallery named in the log of a video."""
    log = path.with_name("log.json")
    if path.name != "episodes.csv" or not log.is_file():
        return {}
    people = files.read_json(log, ["people"])["people"]
    try:
        names = {str(one["person"]): one.get("name") for one in people}
    except (TypeError, KeyError):
        raise HabitsError(f"{log} is damaged (its people lack their numbers): track the video again") from None
    return {number: name for number, name in names.items() if name}


def _zero(day: str) -> pd.Timestamp:
    try:
        zero = pd.Timestamp(dt.datetime.fromisoformat(day))
    except ValueError:
        raise HabitsError(f"--day is {day!r}; it is a day, such as 2026-03-01, or 2026-03-01T08:30") from None
    return zero.tz_localize(None)


def _timed(table: pd.DataFrame, zero: pd.Timestamp | None, path: Path, remarks: list[str]) -> pd.DataFrame:
    """Person, activity, start, end, and why a row is refused, "" where it is not."""
    names = ("start", "end") if zero is None else ("start_s", "end_s")
    texts = [table[name] for name in names]
    if zero is None:
        (start, end, length), foreign = _of_clock(texts, path, remarks)
    else:
        seconds = [pd.to_numeric(text, errors="coerce").where(lambda s: s.abs() < 1e9) for text in texts]
        start, end = (zero + pd.to_timedelta(s.round(3), unit="s") for s in seconds)
        length, foreign = (end - start).dt.total_seconds(), pd.Series(False, table.index)
    reasons = {
        "has too few or too many cells": table.uneven,
        "lacks an activity": table.activity.eq(""),
        "lacks a time": texts[0].eq("") | texts[1].eq(""),
        "is no time": ~start.between(EARLIEST, LATEST) | ~end.between(EARLIEST, LATEST),
        "lies in another kind of time": foreign,
        "ends before it starts": length < 0,
        "lasts over a week": length > LONGEST,
    }
    why = np.select([mask.to_numpy() for mask in reasons.values()], list(reasons), "")
    return pd.DataFrame(
        {"person": table.person, "activity": table.activity, "start": start, "end": end, "why": why}
    ).astype({"start": "datetime64[ms]", "end": "datetime64[ms]"})


def _of_clock(texts: list[pd.Series], path: Path, remarks: list[str]) -> tuple[list[pd.Series], pd.Series]:
    """Start, end and length in seconds of rows in ISO times, and which lie in another kind of time than most."""
    offsets = [text.str.extract(f"({_OFFSET.pattern})", flags=re.IGNORECASE)[0] for text in texts]
    bare = [
        text.where(offset.isna(), text.str.replace(_OFFSET, "", regex=True)) if offset.notna().any() else text
        for text, offset in zip(texts, offsets, strict=True)
    ]
    clock = [pd.to_datetime(text, errors="coerce", format="ISO8601") for text in bare]
    with_zone = offsets[0].notna() & offsets[1].notna()
    mixed = offsets[0].notna() | offsets[1].notna()
    zoned = with_zone.any() and with_zone.sum() >= len(with_zone) - mixed.sum()
    foreign = ~with_zone if zoned else mixed
    if not zoned:
        return [*clock, (clock[1] - clock[0]).dt.total_seconds()], foreign
    minutes = [_minutes(offset) for offset in offsets]
    common = int(minutes[0][with_zone].mode()[0])
    true = [c - pd.to_timedelta(m, unit="min") for c, m in zip(clock, minutes, strict=True)]
    length = (true[1] - true[0]).dt.total_seconds()
    far = with_zone & ((minutes[0] - common).abs() > 60)
    if far.any():
        remarks.append(f"{path.name}: {far.sum()} rows lie in another time zone and are converted to {_shown(common)}")
    start = clock[0].where(~far, true[0] + pd.Timedelta(minutes=common))
    return [start, start + pd.to_timedelta(length, unit="s"), length], foreign


def _minutes(offset: pd.Series) -> pd.Series:
    digits = offset.fillna("+0000").str.upper().replace("Z", "+0000").str.replace(":", "")
    sign = digits.str[0].map({"+": 1, "-": -1})
    return sign * (digits.str[1:3].astype(int) * 60 + digits.str[3:5].astype(int))


def _shown(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def roles_of(activities: Iterable[str], more: Mapping[str, Sequence[str]] | None = None) -> dict[str, str]:
    """The role of each activity that has one, by the words in `habits.yaml`.

    Args:
        activities: their names
        more: role -> words, which go before those of the file

    >>> roles_of(["Preparing-breakfast", "Bed_to_Toilet", "go-to-bed", "Watching-TV"])
    {'Preparing-breakfast': 'meal', 'Bed_to_Toilet': 'bathroom', 'go-to-bed': 'sleep'}
    """
    table = literals.read(KNOWLEDGE.read_text(encoding="utf-8"))["roles"]
    order = [*(more or {}).items(), *table.items()]
    found = {}
    for activity in activities:
        words = [word.lower() for word in _WORDS.findall(activity)]
        role = next((role for role, patterns in order if any(_has(words, p) for p in patterns)), None)
        if role and role != "none":
            found[activity] = role
    return found


def read_roles(path: Path) -> dict[str, list[str]]:
    """Read a user's own roles, a YAML of role -> list of words; the role `none` takes a role away.

    Raises:
        HabitsError: where the file is something else.
    """
    known = [*literals.read(KNOWLEDGE.read_text(encoding="utf-8"))["roles"], "none"]
    try:
        roles = literals.read(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise HabitsError(f"{path} is no YAML as roles need it: {error}") from error
    if not isinstance(roles, dict) or not all(isinstance(v, list) and v for v in roles.values()):
        raise HabitsError(f"{path} must hold roles with their words, such as sleep: [schlafen, nap]")
    if unknown := [role for role in roles if role not in known]:
        raise HabitsError(f"{path} has the role {literals.shown(unknown[0])}; there are {', '.join(known)}")
    return {role: [str(word) for word in words] for role, words in roles.items()}


def _has(words: Sequence[str], pattern: str) -> bool:
    stems = [word.lower() for word in _WORDS.findall(pattern)]
    if pattern.startswith("="):
        return list(words) == stems
    if pattern.startswith("*"):
        return any(stems[0] in word for word in words)
    return any(
        all(word.startswith(stem) for word, stem in zip(words[i:], stems, strict=False))
        for i in range(len(words) - len(stems) + 1)
    )
