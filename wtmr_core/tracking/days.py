"""A person's days: when each began and ended, and its figures, such as the longest time without any activity."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from wtmr_core.tracking.day_table import LONGEST
from wtmr_core.tracking.spans import HOUR, Span, covered, longest_gap, midnight, union

CHAIN = 1.5  # hours between two sleeps of one night, at most
NIGHT = 0.5  # hours of sleep that make a night, at least
MARGIN = 1.0  # hours after the usual bedtime, and before the usual rising, that are no night yet
HOLE = 3  # days without any row that are looked at
VISIT = 300  # seconds between two rows of one visit, at most
SLEEP, BATHROOM, OUT, MEAL, SNACK, FALL, LYING, RETURN = (
    "sleep", "bathroom", "out", "meal", "snack", "fall", "lying", "return",
)  # fmt: skip


@dataclass(frozen=True)
class Rhythm:
    """When a person's days begin, and what is day and night in them: hours since the midnight that a day is named by.

    Attributes:
        begins: hour at which a day begins, the middle of the usual night
        rises: usual hour of rising
        retires: usual hour of going to bed, over 24 after midnight
        sleeps: whether nights are logged; otherwise the first and the last activity bound the day
        meals: (24,) share of the meals that begin in each hour of the clock
    """

    begins: float = 4.0
    rises: float = 8.0
    retires: float = 22.0
    sleeps: bool = False
    meals: tuple[float, ...] = (1 / 24,) * 24


@dataclass
class Day:
    """A day: its figures, where they lie, and what was done in each hour.

    Attributes:
        date: the day it is named by
        begun, ended: whether the log covers it from its beginning, and to its end
        rows: number of rows that lie in it
        until: seconds at which it ends, or the log does
        figures: name -> number, those that can be known. In hours since midnight: `wake`, `bed`, `first` (the first
            activity after rising), `last`, `first_meal`. In hours: `asleep`, `out`, `longest_out`, `out_night`, `gap`
            (the longest time by day without any activity), `night` (activity by night), `logged` (what rows fill).
            Counts: `meals`, `bathroom` (visits), `sleeps` (of the following night), `falls`, `rows`. `mealtime` is the
            share of the usual mealtimes that was spent at home and awake.
        spans: figure -> where it lies
        hours: activity -> (24,) minutes in each hour of the clock
        lain: seconds of lying after each fall
    """

    date: dt.date
    begun: bool
    ended: bool
    rows: int
    until: float
    figures: dict[str, float] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    hours: dict[str, np.ndarray] = field(default_factory=dict)
    lain: list[tuple[Span, float]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the log covers it all, and tells of it."""
        return self.begun and self.ended and self.rows > 0


@dataclass(frozen=True)
class Rows:
    """The rows of one person: seconds since 1970 in local time (n,), names and roles, "" for none (n,)."""

    start: np.ndarray
    end: np.ndarray
    activity: np.ndarray
    role: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, roles: Mapping[str, str]) -> Rows:
        """The rows of a table as `day_table.read` gives them.

        Where a log tells both leaving and coming home, as short rows, the time between them is one of being out.
        """
        start, end = (table[name].to_numpy("datetime64[ms]").astype("int64") / 1000 for name in ("start", "end"))
        activity = table["activity"].to_numpy(object)
        role = np.array([roles.get(name, "") for name in activity], dtype=object)
        leaves, returns = np.flatnonzero(role == OUT), start[role == RETURN]
        if len(returns) and len(leaves):
            k = np.searchsorted(returns, end[leaves])
            back = np.append(returns, np.inf)[k]
            other = np.append(start[(role != RETURN)], np.inf)
            following = other[np.searchsorted(other, end[leaves], side="right")]
            close = (back - end[leaves] < 86400) & (following >= back)
            end[leaves[close]] = back[close]
        return cls(start, end, activity, role)

    def where(self, some: np.ndarray) -> Rows:
        """Those that a mask (n,) chooses."""
        return Rows(self.start[some], self.end[some], self.activity[some], self.role[some])

    def within(self, begin: float, end: float) -> Rows:
        """Those that overlap or lie in [begin, end), uncut."""
        return self.where((self.start < end) & ((self.end > begin) | (self.start >= begin)))

    def having(self, *roles: str) -> Rows:
        """Those of the given roles."""
        return self.where(np.isin(self.role, roles))

    def lacking(self, *roles: str) -> Rows:
        """Those of other roles."""
        return self.where(~np.isin(self.role, roles))


def dates(rows: Rows, begins: float) -> list[dt.date]:
    """The days that the rows lie in, and up to `HOLE` days without any row after each; more are a hole in the log."""
    if not len(rows.start):
        return []
    first = (rows.start - begins * HOUR) // 86400
    last = (np.maximum(rows.end - 1, rows.start) - begins * HOUR) // 86400
    held = np.unique(np.concatenate([np.minimum(first + k, last) for k in range(LONGEST // 86400 + 2)]))
    near = np.unique(np.concatenate([held + k for k in range(HOLE + 1)]))
    return [dt.date(1970, 1, 1) + dt.timedelta(days=int(n)) for n in near[near <= held[-1]]]


def night(rows: Rows, date: dt.date, begins: float) -> tuple[Span, float] | None:
    """The sleep with which a day begins: from going to bed to rising, and hours asleep; None where there is none.

    It is the longest of those that start from ten hours before the day begins to six hours after.
    """
    begin = midnight(date) + begins * HOUR
    sleeps = rows.having(SLEEP)
    some = (sleeps.start >= begin - 16 * HOUR) & (sleeps.start <= begin + 16 * HOUR)
    pieces = union(sleeps.start[some], sleeps.end[some])
    blocks = union(pieces[:, 0], pieces[:, 1], CHAIN * HOUR)
    blocks = blocks[(blocks[:, 0] >= begin - 10 * HOUR) & (blocks[:, 0] <= begin + 6 * HOUR)]
    asleep = [covered(pieces, *block) for block in blocks]
    if not asleep or max(asleep) < NIGHT:
        return None
    longest = int(np.argmax(asleep))
    return (blocks[longest, 0], blocks[longest, 1]), asleep[longest]


def clock(rows: Rows, begin: float, end: float) -> dict[str, np.ndarray]:
    """Activity -> (24,) minutes of it in each hour of the clock, in [begin, end); several at once count for each."""
    minutes: dict[str, np.ndarray] = {}
    edges = np.arange(begin // HOUR, -(-end // HOUR) + 1) * HOUR
    low, high = np.maximum(edges[:-1], begin), np.minimum(edges[1:], end)
    of_day = (edges[:-1] // HOUR % 24).astype(int)
    for name in sorted(set(rows.activity)):
        some = rows.activity == name
        spans = union(rows.start[some], rows.end[some])
        share = np.clip(np.minimum(spans[:, 1:], high) - np.maximum(spans[:, :1], low), 0, None).sum(0) / 60
        if share.any():
            minutes[str(name)] = np.bincount(of_day, share, 24)
    return minutes


def observe(rows: Rows, date: dt.date, rhythm: Rhythm, log: Span) -> Day:
    """A day and its figures.

    Args:
        rows: all rows of the person
        date: the day
        rhythm: what is day and night to the person
        log: first and last second that the log covers
    """
    base = midnight(date)
    begin, end = base + rhythm.begins * HOUR, base + (24 + rhythm.begins) * HOUR
    near = rows.within(begin - 18 * HOUR, end + 26 * HOUR)
    own = near.within(begin, end)
    until = min(end, log[1])
    day = Day(date, log[0] <= begin, log[1] >= end, len(own.start), until)
    day.hours = clock(own, begin, until)
    day.figures["rows"] = float(day.rows)
    day.figures["logged"] = covered(union(own.start, own.end), begin, until)
    _bounds(day, near, rhythm, base)
    _away(day, near, rhythm, base, log)
    _unseen(day, own, rhythm, base, begin, until)
    _meals(day, own, rhythm, begin, until)
    _falls(day, near, begin, until)
    visits = own.having(BATHROOM)
    visits = visits.start[visits.start >= begin]
    day.figures["bathroom"] = float(len(union(visits, visits, VISIT)))
    if len(visits):
        day.spans["bathroom"] = (float(visits.min()), float(visits.max()))
    return day


def _bounds(day: Day, near: Rows, rhythm: Rhythm, base: float) -> None:
    """Rising and going to bed, first and last activity."""
    begin, end = base + rhythm.begins * HOUR, base + (24 + rhythm.begins) * HOUR
    slept = night(near, day.date, rhythm.begins)
    if slept and slept[0][1] <= day.until:
        day.figures["wake"], day.figures["asleep"] = (slept[0][1] - base) / HOUR, slept[1]
        day.spans["wake"] = slept[0]
    following = night(near, day.date + dt.timedelta(days=1), rhythm.begins)
    if following and day.ended:
        day.figures["bed"] = (following[0][0] - base) / HOUR
    active = near.lacking(SLEEP, BATHROOM).within(begin, day.until)
    since = base + day.figures.get("wake", -24) * HOUR
    starts = active.start[active.start >= max(begin, since)]
    if len(starts):
        day.figures["first"], day.spans["first"] = (starts.min() - base) / HOUR, (begin, float(starts.min()))
        day.figures["last"] = (min(max(active.end.max(), starts.max()), end) - base) / HOUR


def _away(day: Day, near: Rows, rhythm: Rhythm, base: float, log: Span) -> None:
    """Time out, its longest stretch, and that of the following night."""
    begin = base + rhythm.begins * HOUR
    outs = near.having(OUT)
    spans = union(outs.start, outs.end, VISIT)
    day.figures["out"] = covered(spans, begin, day.until)
    own = spans[(spans[:, 0] >= begin) & (spans[:, 0] < day.until)]
    day.figures["longest_out"] = float((own[:, 1] - own[:, 0]).max() / HOUR) if len(own) else 0.0
    if len(own):
        longest = int(np.argmax(own[:, 1] - own[:, 0]))
        day.spans["longest_out"] = (own[longest, 0], own[longest, 1])
    dark, light = base + rhythm.retires * HOUR, base + (24 + rhythm.rises) * HOUR
    if log[1] > dark:
        day.figures["out_night"] = covered(spans, dark, light)
        inside = spans[(spans[:, 1] > dark) & (spans[:, 0] < light)]
        if len(inside):
            day.spans["out_night"] = (float(inside[0, 0]), float(inside[-1, 1]))
    if log[1] >= light and rhythm.sleeps:
        sleeps = near.having(SLEEP).within(dark - 3 * HOUR, light + 3 * HOUR)
        day.figures["sleeps"] = float(len(sleeps.start))
        day.spans["sleeps"] = (dark, light)


def _unseen(day: Day, own: Rows, rhythm: Rhythm, base: float, begin: float, until: float) -> None:
    """The longest time by day without any activity, and activity by night."""
    rises, retires = base + rhythm.rises * HOUR, base + rhythm.retires * HOUR
    woke = day.figures.get("wake" if rhythm.sleeps else "first")
    since = base + woke * HOUR if woke is not None else rises
    if rhythm.sleeps and not day.begun:
        since = max(since, float(own.start.min()) if len(own.start) else until)
    spans = union(own.start, own.end)
    end = min(max(retires, since), until)
    if since < end:
        day.spans["gap"] = longest_gap(spans, since, end)
        day.figures["gap"] = (day.spans["gap"][1] - day.spans["gap"][0]) / HOUR
    active = own.lacking(SLEEP, BATHROOM, OUT, RETURN, FALL, LYING)
    spans = union(active.start, active.end)
    windows = [(begin, rises - MARGIN * HOUR), (retires + MARGIN * HOUR, until)]
    windows = [w for w in windows if w[0] < w[1]]
    day.figures["night"] = sum(covered(spans, *w) for w in windows)
    inside = [s for w in windows for s in spans if s[1] > w[0] and s[0] < w[1]]
    if inside:
        day.spans["night"] = (min(s[0] for s in inside), max(s[1] for s in inside))


def _meals(day: Day, own: Rows, rhythm: Rhythm, begin: float, until: float) -> None:
    """Number of meals, the hour of the first, and the share of the usual mealtimes at which there could be one."""
    meals = own.having(MEAL)
    starts = meals.start[meals.start >= begin]
    day.figures["meals"] = float(len(union(starts, starts, HOUR)))
    if len(starts):
        day.figures["first_meal"] = (starts.min() - midnight(day.date)) / HOUR
    away = own.having(OUT, SLEEP)
    spans = union(away.start, away.end)
    edges = np.arange(begin, until, HOUR / 4)
    free = np.array([1 - covered(spans, t, t + HOUR / 4) * 4 for t in edges])
    share = np.asarray(rhythm.meals)[(edges // HOUR % 24).astype(int)]
    day.figures["mealtime"] = float((free * share).sum() / 4)


def _falls(day: Day, near: Rows, begin: float, until: float) -> None:
    """Falls, and how long the person lay after each: until an activity other than lying starts."""
    falls, others = near.having(FALL), near.lacking(FALL, LYING, SLEEP)
    lying = near.having(LYING, SLEEP)
    for start, end in union(falls.start, falls.end, VISIT):
        if begin <= start < until:
            later = others.start[others.start >= end]
            up = float(later.min()) if len(later) else until
            lies = up > end and bool(((lying.start >= start) & (lying.start < end + 120) & (lying.end > end)).any())
            down = lying.end[(lying.start >= start) & (lying.start < up)]
            lain = min(float(down.max()), up) - end if lies else 0.0
            day.lain.append(((float(start), float(end + max(lain, 0))), max(lain, 0.0)))
    day.figures["falls"] = float(len(day.lain))
