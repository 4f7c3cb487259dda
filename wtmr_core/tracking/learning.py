"""A person's routine: what past days were like, and what is expected of the next."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from wtmr_core.tracking.days import MEAL, SLEEP, SNACK, Day, Rhythm, Rows, clock, dates, observe
from wtmr_core.tracking.expectation import Expected, knowledge, middle, scaled, unscaled
from wtmr_core.tracking.spans import HOUR, midnight

ENOUGH = 7  # days before anything is judged
HALF_LIFE = 45  # days after which a day weighs half
LEAST = 0.01  # weight at which a day is forgotten for good
DOUBTED = 0.1  # weight of a day with a departure,
PERSISTS = 21  # unless more than half of so many days before had one too: then it is a new habit
CLIP = 2.5  # spreads from the usual to which a figure is cut before it is learnt
PRIOR = 5  # days that the usual spread of homes is worth
OF_KIND = 8  # weekdays, or weekend days, that count as much as all days together
FIRST = 14  # days that tell when days begin, at least
DRAWN = 56  # days whose hours are kept


@dataclass
class Learnt:
    """A day as it is kept: its weight, its figures, minutes of each activity by hour (24,), if it had a departure."""

    date: dt.date
    weight: float
    figures: dict[str, float]
    hours: dict[str, list[int]] = field(default_factory=dict)
    departed: bool = False

    @cached_property
    def quarters(self) -> dict[str, np.ndarray]:
        """Activity -> (4,) hours of it in each quarter of the day."""
        return {name: quartered(minutes) for name, minutes in self.hours.items()}


def quartered(minutes: Any) -> np.ndarray:
    """Hours in each quarter of the day (4,) from minutes in each hour (24,)."""
    return np.reshape(minutes, (4, 6)).sum(1) / 60


@dataclass
class Habits:
    """The routine of one person.

    Attributes:
        rhythm: when days begin, and what is day and night
        days: what is learnt, the oldest first
        roles: activity -> role, for those that have one
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    days: list[Learnt] = field(default_factory=list)
    roles: dict[str, str] = field(default_factory=dict)
    _asked: tuple = field(default=(None, ()), repr=False, compare=False)  # what `_on` said last

    def weighed(self, figure: str, date: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values of a figure, their weights on a date, and whether each is of a day of its kind, of the week (n,)."""
        values = np.array([d.figures.get(figure, math.nan) for d in self.days])
        weights, alike = self._on(date)
        some = ~np.isnan(values)
        return values[some], weights[some], alike[some]

    def _on(self, date: dt.date) -> tuple[np.ndarray, np.ndarray]:
        """The weights of all days on a date, and whether each is a weekday, or weekend day, as it is (n,)."""
        key = (date, len(self.days), self.days[-1].date if self.days else None)
        if self._asked[0] != key:
            ages = np.array([abs((date - d.date).days) for d in self.days], float)
            weights = np.array([d.weight for d in self.days]) * 0.5 ** (ages / HALF_LIFE)
            self._asked = key, (weights, np.array([weekend(d.date) == weekend(date) for d in self.days], bool))
        return self._asked[1]

    def expected(self, figure: str, date: dt.date) -> Expected | None:
        """What a figure is expected to be on a date; None before `ENOUGH` days are learnt.

        The middle is the median, moved towards that of weekdays or weekend days the more of them there are; the spread
        is the median absolute deviation, mixed with what is usual in homes, which counts as `PRIOR` days. As a median
        bears with up to half of its values being wrong, departures among the days that are learnt do little harm.
        """
        known = knowledge()["figures"][figure]
        values, weights, alike = self.weighed(figure, date)
        if len(values) < ENOUGH:
            return None
        values = scaled(values, known["scale"])
        every = middle(values, weights)
        centres = np.full(len(values), every)
        for kind in (alike, ~alike):
            if kind.sum() >= OF_KIND / 2:
                n = weights[kind].sum()
                centres[kind] += n / (n + OF_KIND) * (middle(values[kind], weights[kind]) - every)
        centre = centres[alike][0] if alike.any() else every
        n = weights.sum()
        found = 1.4826 * middle(np.abs(values - centres), weights)
        spread = math.sqrt((n * found**2 + PRIOR * known["spread"] ** 2) / (n + PRIOR))
        return Expected(float(centre), spread * math.sqrt(1 + 1 / n), n + PRIOR - 1, float(n), known["scale"])

    def chance(self, happened: Iterable[bool | None], date: dt.date) -> tuple[float, float, float]:
        """How often something happens that did on some of the learnt days: probability, times, days.

        Args:
            happened: for each of `days`, whether it did; None where that cannot be told
            date: that of the day that is asked for
        """
        happened = list(happened)
        told = np.array([h is not None for h in happened], bool)
        events = np.array([bool(h) for h in happened], bool)[told]
        weights, alike = (each[told] for each in self._on(date))
        every = (weights[events].sum() + 0.5) / (weights.sum() + 1)
        own = (weights[events & alike].sum() + OF_KIND / 4 * every) / (weights[alike].sum() + OF_KIND / 4)
        return float(own), float(weights[events].sum()), float(weights.sum())

    def learn(self, day: Day, departed: bool = False) -> None:
        """Learn a day.

        A figure far from the usual is cut to `CLIP` spreads, and a day with a departure counts `DOUBTED`; but where
        most of the last three weeks had departures, they are a new habit, and it counts as any other day.
        """
        figures = {}
        for name, value in day.figures.items():
            known = self.expected(name, day.date) if name in knowledge()["figures"] else None
            if known:
                value = scaled(value, known.scale)
                low, high = (known.middle + side * CLIP * known.spread for side in (-1, 1))
                value = unscaled(min(max(value, low), high), known.scale)
            figures[name] = round(float(value), 3)
        hours = {name: [round(m) for m in minutes] for name, minutes in day.hours.items() if minutes.sum() >= 0.5}
        new = sum(d.departed for d in self.days[-PERSISTS:]) * 2 > PERSISTS
        self.days.append(Learnt(day.date, DOUBTED if departed and not new else 1.0, figures, hours, departed))
        self.days = [d for d in self.days if d.weight * 0.5 ** ((day.date - d.date).days / HALF_LIFE) >= LEAST]
        for old in self.days[:-DRAWN]:
            old.hours = {}
        if len(self.days) % 7 == 0:
            self.settle()

    def settle(self) -> None:
        """Take day and night from what is learnt."""
        if not self.days:
            return
        bounds = ("wake", "bed") if self.rhythm.sleeps else ("first", "last")
        found = {}
        for field_name, figure in zip(("rises", "retires"), bounds, strict=True):
            values, weights, _ = self.weighed(figure, self.days[-1].date)
            if len(values):
                found[field_name] = middle(values, weights)
        self.rhythm = replace(self.rhythm, **found)

    def clock(self) -> dict[str, np.ndarray]:
        """Activity -> (24,) mean minutes in each hour of the clock, over the days whose hours are kept."""
        kept = [d for d in self.days if d.hours]
        names = sorted({name for d in kept for name in d.hours})
        return {n: np.mean([d.hours.get(n, [0] * 24) for d in kept], axis=0) for n in names}

    def often(self) -> dict[str, np.ndarray]:
        """Activity -> (24,) share of the days whose hours are kept that have it in each hour of the clock."""
        kept = [d for d in self.days if d.hours]
        names = sorted({name for d in kept for name in d.hours})
        return {n: np.mean([np.array(d.hours.get(n, [0] * 24)) > 0 for d in kept], axis=0) for n in names}


def weekend(date: dt.date) -> bool:
    """Whether a date is a Saturday or Sunday."""
    return date.weekday() >= 5


def begin(rows: Rows, roles: Mapping[str, str], last: dt.date, log: tuple[float, float]) -> tuple[Habits, list[Day]]:
    """A new routine from the whole days of the rows until the day `last`, and those days.

    A day begins in the middle of the usual night, to the hour: the circular mean of the time asleep where at least half
    of the days have a night's sleep, else the middle of the six hours in which fewest activities begin. At least
    `FIRST` days are looked at for that.
    """
    some = rows.within(log[0], max(midnight(last), log[0] + FIRST * 24 * HOUR) + 36 * HOUR)
    habits = Habits(Rhythm(_begins(some, 1 if (some.role == SLEEP).any() else 0)), roles=dict(roles))
    found = _observed(some, habits.rhythm, last, log)
    nights = sum("wake" in d.figures for d in found)
    if found and nights * 2 < len(found):
        habits.rhythm = replace(habits.rhythm, begins=_begins(some, 0))
        found = _observed(some, habits.rhythm, last, log)
    sleeps = bool(found) and nights * 2 >= len(found)
    meal = some.start[some.role == MEAL]
    if not len(meal):
        meal = some.start[some.role == SNACK]
    shares = np.bincount((meal // HOUR % 24).astype(int), minlength=24) + 0.01
    habits.rhythm = replace(habits.rhythm, sleeps=sleeps, meals=tuple((shares / shares.sum()).round(4).tolist()))
    draft = Habits(habits.rhythm, [Learnt(d.date, 1.0, dict(d.figures)) for d in found])
    draft.settle()
    habits.rhythm = draft.rhythm
    return habits, _observed(some, habits.rhythm, last, log)


def _observed(rows: Rows, rhythm: Rhythm, last: dt.date, log: tuple[float, float]) -> list[Day]:
    days = (observe(rows, date, rhythm, log) for date in dates(rows, rhythm.begins) if date <= last)
    return [day for day in days if day.whole]


def _begins(rows: Rows, sleep: int) -> float:
    if sleep:
        some = rows.role == SLEEP
        minutes = np.zeros(24)
        for hours in clock(rows.where(some), float(rows.start.min()), float(rows.end.max())).values():
            minutes += hours
        angles = (np.arange(24) + 0.5) / 24 * 2 * np.pi
        hour = math.atan2((minutes * np.sin(angles)).sum(), (minutes * np.cos(angles)).sum()) / (2 * np.pi) * 24
        return float(round(hour))
    counts = np.bincount((rows.start // HOUR % 24).astype(int), minlength=24)
    six = [sum(counts[(h + i) % 24] for i in range(-3, 3)) for h in range(24)]
    best = [h for h in range(24) if six[h] == min(six)]
    hour = best[len(best) // 2] if best else 4
    return float(hour if hour < 18 else hour - 24)
