"""Weeks of people at home as logs, with departures from their habits planted on some days, and what is true of these.

Each person has hours of their own for rising, meals, going out and bed, which vary from day to day and at weekends. The
same seed gives the same weeks.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MINUTE, HOUR = 60.0, 3600.0
FIRST = dt.date(2026, 1, 5)  # a Monday
QUIET = 14  # days before the first that may have a departure
APART = 3  # days from one departure of a person to the next, at least
NAMES = ("Anna", "Bruno", "Clara", "David", "Edith", "Felix")

Row = tuple[float, float, str]  # start and end in seconds after the midnight of the first day, activity


@dataclass(frozen=True)
class Person:
    """Usual hours of a person, and how much they vary from day to day, all in hours."""

    rises: float
    retires: float
    out: float
    away: float
    varies: float
    lies_in: float  # at weekends
    visits: float  # hours from one visit to the bathroom to the next

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Person:
        return cls(
            rng.uniform(6, 8.5), rng.uniform(21.5, 23.5), rng.uniform(9.5, 11), rng.uniform(1, 2.5),
            rng.uniform(0.2, 0.8), rng.uniform(0, 1), rng.uniform(2.5, 4),
        )  # fmt: skip


@dataclass(frozen=True)
class Weeks:
    """Logs of some people over some days.

    Attributes:
        rows: `person`, `start`, `end`, `activity`, in order of start
        planted: `person`, `day`, `start`, `end`, `kind`, one a departure
        ordinary: person -> days that no departure touches
    """

    rows: list[dict[str, str]]
    planted: list[dict[str, str]]
    ordinary: dict[str, list[dt.date]]


def weeks(seed: int = 0, people: int = 2, days: int = 84, kinds: Sequence[str] | None = None) -> Weeks:
    """Draw the weeks of a home.

    Args:
        seed: of all that is drawn
        people: one to six
        days: at least `QUIET`; later ones may have a departure, one in four on average
        kinds: the kinds of departure to plant, by default all of `KINDS`, which take turns

    Raises:
        ValueError: for numbers that cannot be, or an unknown kind.
    """
    kinds = list(KINDS) if kinds is None else list(kinds)
    if not 1 <= people <= len(NAMES) or days < QUIET:
        raise ValueError(
            f"{people} people over {days} days; 1 to {len(NAMES)} people over {QUIET} days or more can be had"
        )
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"there is no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    rows, planted, ordinary = [], [], {}
    for k in range(people):
        rng = np.random.default_rng([seed, k])
        own, events, quiet = _life(Person.drawn(rng), days, kinds, rng)
        name = NAMES[k]
        rows += [{"person": name, "start": _moment(s), "end": _moment(e), "activity": a} for s, e, a in own]
        planted += [
            {"person": name, "day": _moment(s)[:10], "start": _moment(s), "end": _moment(e), "kind": kind}
            for kind, s, e in events
        ]
        ordinary[name] = [FIRST + dt.timedelta(days=d) for d in quiet]
    return Weeks(sorted(rows, key=lambda row: (row["start"], row["person"])), planted, ordinary)


def write(folder: Path, made: Weeks) -> Path:
    """Write `log.csv` and `truth.csv`, the planted departures, into a folder and return the log's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows, columns in (
        ("log.csv", made.rows, ("person", "start", "end", "activity")),
        ("truth.csv", made.planted, ("person", "day", "start", "end", "kind")),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder / "log.csv"


def _life(
    person: Person, days: int, kinds: Sequence[str], rng: np.random.Generator
) -> tuple[list[Row], list[tuple[str, float, float]], list[int]]:
    """All rows of a person, the departures (kind, start, end), and the days that none of them touches."""
    rises = [_about(person.rises + person.lies_in * (d % 7 >= 5), person.varies, rng) for d in range(days + 1)]
    retires = [_about(person.retires, person.varies, rng) for _ in range(days + 1)]
    rows: list[Row] = []
    for d in range(days):
        rows += _day(person, d * 24 * HOUR, rises[d], retires[d], rises[d + 1] + 24, rng)
    rows = sorted([(max(0.0, (retires[-1] - 24) * HOUR), rises[0] * HOUR, "sleeping"), *rows])
    events, touched, d, turn = [], set(), QUIET + int(rng.integers(APART)), 0
    while kinds and d < days - 1:
        kind = kinds[turn % len(kinds)]
        rows, start, end = KINDS[kind](rows, d * 24 * HOUR, (rises[d], retires[d], rises[d + 1] + 24), rng)
        events.append((kind, start, end))
        touched |= {d, d + 1}
        turn, d = turn + 1, d + APART + int(rng.integers(3))
    return sorted(rows), events, [d for d in range(days) if d not in touched]


def _day(person: Person, base: float, up: float, down: float, rises: float, rng: np.random.Generator) -> list[Row]:
    """An ordinary day from rising until rising the next day, hours since its midnight."""
    plan = [("washing up", 0.05, 0.3), ("breakfast", 0.5, 0.4)]
    rows = [_row(base, up + after + abs(rng.normal(0, 0.1)), length, name, rng) for name, after, length in plan]
    away = max(0.4, _about(person.away, 0.4, rng)) if rng.random() < 0.85 else 0.0
    leaves = max(_about(person.out, person.varies, rng), up + 1.3)
    if away:
        rows.append(_row(base, leaves, away, "outdoors", rng))
    lunch = max(_about(12.6, 0.3, rng), leaves + away + 0.3 if away else up + 2)
    dinner = _about(18.4, 0.4, rng)
    rows += [_row(base, lunch, 0.6, "lunch", rng), _row(base, dinner, 0.7, "dinner", rng)]
    busy = sorted((s, e) for s, e, _ in rows)
    t = base + (up + 1.0) * HOUR
    while t < base + (down - 0.3) * HOUR:  # what is left is filled
        name = ("reading", "television", "cleaning", "relaxing")[int(rng.integers(4))]
        end = min(t + rng.uniform(0.4, 1.6) * HOUR, *(s for s, _ in busy if s > t), base + (down - 0.1) * HOUR)
        if not any(s <= t < e for s, e in busy) and end - t > 5 * MINUTE:
            rows.append((t, end, name))
        t = max(end, *(e for s, e in busy if s <= end)) + rng.uniform(1, 20) * MINUTE
    t = base + (up + 0.02) * HOUR
    while t < base + down * HOUR:
        if not any(a == "outdoors" and s <= t < e for s, e, a in rows):
            rows.append((t, t + rng.uniform(2, 6) * MINUTE, "toilet"))
        t += max(0.7, rng.normal(person.visits, 0.6)) * HOUR
    if rng.random() < 0.4:  # once at night
        at = rng.uniform(down + 2, rises - 2)
        return [*rows, _row(base, down, at - down, "sleeping", rng), _row(base, at + 0.02, 0.08, "toilet", rng),
                (base + (at + 0.13) * HOUR, base + rises * HOUR, "sleeping")]  # fmt: skip
    return [*rows, (base + down * HOUR, base + rises * HOUR, "sleeping")]


def _row(base: float, at: float, length: float, name: str, rng: np.random.Generator) -> Row:
    start = base + at * HOUR
    exact = name in ("sleeping", "outdoors")
    return start, start + length * HOUR * (1 if exact else rng.uniform(0.7, 1.3)), name


def _about(value: float, spread: float, rng: np.random.Generator) -> float:
    return float(value + np.clip(rng.normal(0, spread), -2 * spread, 2 * spread))


def _cleared(rows: list[Row], begin: float, end: float) -> list[Row]:
    """The rows without what lies in [begin, end)."""
    kept = []
    for start, stop, name in rows:
        if stop <= begin or start >= end:
            kept.append((start, stop, name))
            continue
        kept += [(start, begin, name)] if start < begin else []
        kept += [(end, stop, name)] if stop > end else []
    return kept


Hours = tuple[float, float, float]  # of rising, going to bed, and rising the next day
Planted = tuple[list[Row], float, float]


def _late_rising(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    up = base + hours[0] * HOUR
    return [*_cleared(rows, up, up + 3 * HOUR), (up, up + 3 * HOUR, "sleeping")], up, up + 3 * HOUR


def _inactivity(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin = base + rng.uniform(hours[0] + 1, hours[1] - 7) * HOUR
    return _cleared(rows, begin, begin + 6 * HOUR), begin, begin + 6 * HOUR


def _no_meal(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin, end = base + hours[0] * HOUR, base + hours[1] * HOUR
    meals = ("breakfast", "lunch", "dinner")
    return [row for row in rows if not (begin <= row[0] < end and row[2] in meals)], begin, end


def _out_all_night(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin, end = base + (hours[1] - rng.uniform(1, 3)) * HOUR, base + hours[2] * HOUR
    return [*_cleared(rows, begin, end), (begin, end, "outdoors")], begin, end


def _night_activity(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin = base + (hours[1] + rng.uniform(2, 3)) * HOUR
    end = begin + rng.uniform(1.5, 2.5) * HOUR
    return [*_cleared(rows, begin, end), (begin, end, "television")], begin, end


def _bathroom(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin, end = base + (hours[0] + 1) * HOUR, base + hours[1] * HOUR
    times = np.linspace(begin, end, 12, endpoint=False) + rng.uniform(0, 0.5 * HOUR, 12)
    home = [t for t in times if not any(a == "outdoors" and s <= t < e for s, e, a in rows)]
    return [*rows, *((t, t + 4 * MINUTE, "toilet") for t in home)], begin, end


def _fall(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin = base + rng.uniform(hours[0] + 1, hours[1] - 2) * HOUR
    end = begin + rng.uniform(0.3, 1.5) * HOUR
    fallen = [(begin, begin + 3, "falling"), (begin + 3, end, "lying")]
    return [*_cleared(rows, begin, end), *fallen], begin, end


def _unlike(rows: list[Row], base: float, hours: Hours, rng: np.random.Generator) -> Planted:
    begin, end = base + (hours[0] + 1) * HOUR, base + (hours[1] - 1) * HOUR
    kept = [r for r in rows if not (begin <= r[0] < end) or r[2] in ("breakfast", "lunch", "dinner", "toilet")]
    return [*kept, (begin, end, "visitors")], begin, end


#: kind of departure, as `wtmr habits` names it -> what makes one of an ordinary day
KINDS: dict[str, Callable[[list[Row], float, Hours, np.random.Generator], Planted]] = {
    "late rising": _late_rising,
    "long inactivity": _inactivity,
    "no meal": _no_meal,
    "out all night": _out_all_night,
    "night activity": _night_activity,
    "bathroom visits": _bathroom,
    "fall and lying": _fall,
    "unlike any day": _unlike,
}


def _moment(seconds: float) -> str:
    start = dt.datetime.combine(FIRST, dt.time())
    return (start + dt.timedelta(seconds=round(seconds))).isoformat(sep=" ")
