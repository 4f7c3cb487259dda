"""From logs of days to a person's routine, and to what departs from it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wtmr_core import files
from wtmr_core.tracking import day_table
from wtmr_core.tracking.day_table import DayTable
from wtmr_core.tracking.days import Day, Rows, dates, observe
from wtmr_core.tracking.departures import COLUMNS, NEEDS, Departure, cut_short, judge
from wtmr_core.tracking.learning import ENOUGH, Habits, begin, weekend
from wtmr_core.tracking.routine import Routine
from wtmr_core.tracking.spans import HOUR, midnight

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORTNIGHT = 14  # days that are learnt before the first is judged, unless told otherwise
TWICE = 0.3  # share of the time with several activities at once, from which two people are suspected; alone it is 0.01


@dataclass
class Course:
    """What was made of the log of one person.

    Attributes:
        rows: the person's rows
        learnt, judged: days that were only learnt, and days that were held against the routine
        days: the days, by date
        departures: by the day that they were found on
        doubtful: judged days on which rather the log than the person is out of order
        remarks: sentences on what cannot be known
    """

    rows: Rows
    learnt: list[dt.date] = field(default_factory=list)
    judged: list[dt.date] = field(default_factory=list)
    days: dict[dt.date, Day] = field(default_factory=dict)
    departures: dict[dt.date, list[Departure]] = field(default_factory=dict)
    doubtful: list[dt.date] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass
class Findings:
    """A routine, and what became of each person's days by it."""

    routine: Routine
    people: dict[str, Course] = field(default_factory=dict)

    @property
    def departures(self) -> list[Departure]:
        """All departures, person by person, in order of days."""
        return [d for course in self.people.values() for found in course.departures.values() for d in found]


def habits(
    table: DayTable,
    learn_until: dt.date | None = None,
    until: dt.date | None = None,
    routine: Routine | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
) -> Findings:
    """Learn the routine of each person, and judge the days after those that are only learnt.

    A day runs from the middle of the usual night to the next one. Days that the log does not cover from beginning to
    end are not learnt, and judged only by what was seen whole. Every whole day is learnt after it was judged.

    Args:
        table: rows of the logs
        learn_until: the last day that is only learnt; by default the fourteenth, or none where there is a `routine`
        until: the last day, by default that of the log
        routine: one that is known already and goes on; the days in it are passed over
        roles: role -> words for it, beside those of `habits.yaml`
    """
    found = Findings(routine or Routine())
    names = day_table.roles_of(table.rows["activity"].unique(), roles)
    for person, part in table.rows.groupby("person", sort=True):
        rows = Rows.of(part, names)
        if until:
            rows = rows.where(rows.start < midnight(until) + 36 * HOUR)
            if not len(rows.start):
                continue
        known = found.routine.people.get(person)
        if known is None:
            first = rows.start.min() // 86400
            last = learn_until or dt.date(1970, 1, 1) + dt.timedelta(days=int(first) + FORTNIGHT - 1)
            last = min(last, until) if until else last
            habits, days = begin(rows, names, last, _covered(rows))
            found.routine.people[person] = habits
            for day in days:
                habits.learn(day)
            habits.settle()
        else:
            habits, days, last = known, [], max([d.date for d in known.days], default=dt.date.min)
            habits.roles |= names
        if until:
            rows = rows.where(rows.start < midnight(until) + (24 + habits.rhythm.begins) * HOUR)
        course = Course(rows, [day.date for day in days], days={day.date: day for day in days})
        found.people[person] = course
        _go_on(person, habits, course, last, learn_until, until)
        course.remarks += _remarks(habits, course)
    return found


def _go_on(
    person: str, habits: Habits, course: Course, last: dt.date, learn_until: dt.date | None, until: dt.date | None
) -> None:
    """Judge and learn the days after `last`."""
    for date in dates(course.rows, habits.rhythm.begins):
        if date <= last or (until and date > until):
            continue
        day = course.days[date] = observe(course.rows, date, habits.rhythm, _covered(course.rows))
        made: list[Departure] = []
        if learn_until and date <= learn_until:
            course.learnt += [date] if day.whole else []
        elif len(habits.days) >= ENOUGH:
            made = judge(person, day, habits, course.departures.get(date - dt.timedelta(days=1), ()))
            course.judged.append(date)
            course.doubtful += [date] if cut_short(day, habits) else []
        if made:
            course.departures[date] = made
        if day.whole:
            habits.learn(day, bool(made))


def _covered(rows: Rows) -> tuple[float, float]:
    """The first and last second of a log."""
    return float(rows.start.min()), float(max(rows.start.max(), rows.end.max()))


def _remarks(habits: Habits, course: Course) -> list[str]:
    """What cannot be known of a person, in sentences."""
    said = []
    if (n := len(habits.days)) < ENOUGH:
        return [f"{n} whole days are learnt, and {ENOUGH} are needed: nothing is judged"]
    if not course.judged:
        said.append("every day is learnt and none is left to judge: --learn-until names an earlier one")
    ends = [sum(weekend(d.date) == kind for d in habits.days) for kind in (False, True)]
    if min(ends) < 4:
        said.append(
            f"weekdays and weekend days are not told apart: {ends[0]} and {ends[1]} are learnt, 4 of each are needed"
        )
    if n < 28:
        said.append(
            f"{n} days are learnt: what happens less often than once in {n} days cannot be told from what never "
            "happens, nor a habit of single days of the week, of the month or of the season from chance"
        )
    roles = set(habits.roles.values())
    for role, kinds in NEEDS.items():
        if role not in roles:
            said.append(f"no activity means {role}, so there is no {' or '.join(kinds)}; --roles names further words")
    if not habits.rhythm.sleeps:
        said.append("nights are not logged: the first activity of a day stands for rising, the last for going to bed")
    if course.doubtful:
        days = ", ".join(map(str, course.doubtful))
        said.append(
            f"{days}: as many rows as usual fill less than half of the time; rather the log than the day is unusual"
        )
    if (share := _twice(course.rows)) > TWICE:
        said.append(f"{share:.0%} of the time several activities are logged at once: are two people under one name?")
    return said


def _twice(rows: Rows) -> float:
    """The share of the time with any activity that has several at once."""
    times = np.r_[rows.start, rows.end]
    order = np.argsort(times, kind="stable")
    count = np.cumsum(np.r_[np.ones(len(rows.start)), -np.ones(len(rows.end))][order])[:-1]
    length = np.diff(times[order])
    return float(length[count >= 2].sum() / max(length[count >= 1].sum(), 1))


def report(
    logs: Iterable[str | Path],
    out: str | Path,
    days: Sequence[str] = (),
    learn_until: dt.date | None = None,
    until: dt.date | None = None,
    routine: str | Path | None = None,
    roles: str | Path | None = None,
    pictures: bool = True,
) -> dict[str, Any]:
    """`wtmr habits`: write `routine.json`, `departures.csv` and their pictures into the folder `out`.

    Arguments are those of `day_table.read` and `habits`; `routine` and `roles` are files.

    Returns:
        `days_learnt`, `days_judged`, `departures`, `days_flagged`; `rows_kept`, `rows_refused` (reason -> number);
        `roles` (activity -> role), `remarks` (sentences), `people` (the same by person), and `pictures`, files of `out`

    Raises:
        HabitsError: where a log, a routine or roles cannot be used; RunError or OSError where a file cannot.
    """
    table = day_table.read(logs, days)
    known = Routine.load(routine) if routine else None
    found = habits(table, learn_until, until, known, day_table.read_roles(Path(roles)) if roles else None)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    found.routine.save(out / "routine.json")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(d.row() for d in found.departures)
    files.write_text(out / "departures.csv", text.getvalue())
    made = _pictures(found, out) if pictures else []
    return _summary(table, found) | {"pictures": made}


def _summary(table: DayTable, found: Findings) -> dict[str, Any]:
    people = {
        person: {
            "days_learnt": len(course.learnt),
            "days_judged": len(course.judged),
            "departures": sum(map(len, course.departures.values())),
            "days_flagged": len({d.day for made in course.departures.values() for d in made}),
            "remarks": course.remarks,
        }
        for person, course in found.people.items()
    }
    remarks = list(table.remarks)
    if not people:
        remarks.append("the logs hold no row that can be used: nothing is learnt and nothing is judged")
    for person, one in people.items():
        remarks += [f"{person}: {remark}" if person else remark for remark in one["remarks"]]
    roles = {name: role for habits in found.routine.people.values() for name, role in habits.roles.items()}
    counts = ("days_learnt", "days_judged", "departures", "days_flagged")
    return {name: sum(one[name] for one in people.values()) for name in counts} | {
        "rows_kept": len(table.rows),
        "rows_refused": dict(table.refused),
        "roles": dict(sorted(roles.items())),
        "remarks": remarks,
        "people": people,
    }


def _pictures(found: Findings, out: Path) -> list[str]:
    """Draw routine and calendar of each person, and each day with a departure; the names of the files."""
    import matplotlib as mpl
    from PIL import Image

    from wtmr_core.tracking import habit_pictures as drawn

    names = []
    for old in out.glob("day-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*.png"):  # of an earlier call
        old.unlink()

    def draw(name: str, figure: Figure) -> None:
        figure.savefig(held := io.BytesIO(), dpi=100, pil_kwargs={"compress_level": 0})
        picture = Image.open(held).convert("RGB").quantize(96)  # a third of the size, and looks the same
        files.write(out / f"{name}.png", lambda path: picture.save(path))
        names.append(f"{name}.png")

    with mpl.rc_context(drawn.STYLE):
        for person, course in found.people.items():
            habits, mark = found.routine.people[person], f"-{_plain(person)}" if person else ""
            draw(f"routine{mark}", drawn.clock(habits, person))
            draw(f"calendar{mark}", drawn.calendar(course, person))
            for date in course.departures:
                draw(f"day-{date}{mark}", drawn.day(course, habits, date, person))
    return names


def _plain(person: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", person).strip("-") or f"{sum(map(ord, person)):x}"
