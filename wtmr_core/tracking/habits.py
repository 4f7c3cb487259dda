"""From logs of days to a person's routine, and to what departs from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from wtmr_core.tracking import day_table
from wtmr_core.tracking.day_table import DayTable, HabitsError
from wtmr_core.tracking.days import HOUR, Day, Rows, dates, midnight, observe
from wtmr_core.tracking.departures import Departure, judge
from wtmr_core.tracking.routine import ENOUGH, Habits, Routine, begin


@dataclass
class Findings:
    routine: Routine
    departures: list[Departure] = field(default_factory=list)
    learnt: int = 0
    judged: int = 0
    days: dict = field(default_factory=dict)
    rows: dict = field(default_factory=dict)


def habits(table: DayTable, learn_until: dt.date | None = None, routine: Routine | None = None, roles: Mapping[str, str] | None = None) -> Findings:
    routine = routine or Routine()
    found = Findings(routine)
    roles = day_table.roles_of(table.rows.activity.unique())
    for person, part in table.rows.groupby("person", sort=True):
        rows = Rows.of(part, roles)
        log = (float(rows.start.min()), float(max(rows.end.max(), rows.start.max())))
        h = routine.people.get(person)
        if h is None:
            h, days = begin(rows, roles, learn_until, log)
            routine.people[person] = h
            for day in days:
                h.learn(day)
            found.learnt += len(days)
            h.settle()
        found.rows[person] = rows
        for date in dates(rows, h.rhythm.begins):
            if date <= learn_until:
                continue
            day = observe(rows, date, h.rhythm, log)
            made = judge(person, day, h)
            found.departures += made
            found.judged += 1
            found.days[person, date] = day
            if day.begun and day.ended and day.rows:
                h.learn(day, bool(made))
    return found
