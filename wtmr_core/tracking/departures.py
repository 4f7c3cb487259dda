"""What departs from a routine, and how surprising it is."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from scipy import stats

from wtmr_core.tracking.days import BATHROOM, FALL, LYING, MEAL, OUT, SLEEP, Day
from wtmr_core.tracking.expectation import knowledge
from wtmr_core.tracking.learning import ENOUGH, Habits, quartered
from wtmr_core.tracking.spans import HOUR, Span, midnight

COLUMNS = ("person", "day", "start", "end", "kind", "activity", "expected", "observed", "score")
KINDS = (
    "late rising", "long inactivity", "no meal", "out all night", "night without sleep", "long outing",
    "night activity", "bathroom visits", "fall", "fall and lying", "unlike any day",
)  # fmt: skip
HALF = 0.5  # of the usual mealtimes that must be spent at home and awake for a meal to be missing
OF_DAY = ("no meal", "bathroom visits", "unlike any day")  # kinds that have no moment
#: role -> kinds that cannot be told without it
NEEDS = {SLEEP: ["night without sleep"], MEAL: ["no meal"], OUT: ["out all night", "long outing"],
         BATHROOM: ["bathroom visits"], FALL: ["fall"], LYING: ["fall and lying"]}  # fmt: skip
NEAREST = 3  # learnt days that must be like a day for it to be like any
LAIN = 60  # seconds of lying after a fall that make it one followed by lying


@dataclass(frozen=True)
class Departure:
    """A departure from the routine.

    Attributes:
        person, day: who, and the day on which it begins; that it is about, for a kind of `OF_DAY`
        span: where it begins and ends, seconds since 1970 in local time
        kind: one of `KINDS`
        activity: what is concerned, "" for all
        expected, observed: in words
        score: how surprising, minus the logarithm to base 10 of its probability: 1 is once in ten days, 2 in a hundred
    """

    person: str
    day: dt.date
    span: Span
    kind: str
    activity: str
    expected: str
    observed: str
    score: float

    def row(self) -> list[str]:
        """Its values in the order of `COLUMNS`."""
        person, day, span, *words, score = astuple(self)
        return [person, str(day), *map(moment, span), *words, f"{score:.2f}"]


def moment(seconds: float) -> str:
    """Seconds since 1970 in local time as ISO 8601, to the second."""
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=round(seconds))).isoformat(sep=" ")


def hhmm(hours: float) -> str:
    """Hours since midnight on the clock.

    >>> hhmm(25.5)
    '01:30'
    """
    minutes = round(hours * 60) % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"


def judge(person: str, day: Day, habits: Habits, before: Sequence[Departure] = ()) -> list[Departure]:
    """The departures of a day, the most surprising first; none before `ENOUGH` days are learnt.

    Args:
        person: whose
        day: the day
        habits: the routine, which is left as it is
        before: departures of the day before, whose night may reach into this one
    """
    if len(habits.days) < ENOUGH:
        return []
    found = []
    for kind, rule in RULES.items():
        made = rule(day, habits, knowledge()["kinds"].get(kind, {}))
        for span, *words, chance in made:
            date = day.date if kind in OF_DAY else dt.date(1970, 1, 1) + dt.timedelta(days=int(span[0] // 86400))
            found.append(Departure(person, date, span, *words, score=-math.log10(max(chance, 1e-9))))
    if any(d.kind == "out all night" for d in found):  # which explains these
        found = [d for d in found if d.kind not in ("night without sleep", "long outing")]
    if len(found) > 1 or any(d.kind == "out all night" for d in before):  # and that is why the day is unlike any
        found = [d for d in found if d.kind != "unlike any day"]
    return sorted(found, key=lambda d: (-d.score, KINDS.index(d.kind)))


def _activity(day: Day, habits: Habits, *roles: str) -> str:
    """The activities of a role, those of the day or else of the routine."""
    of_role = sorted(name for name, role in habits.roles.items() if role in roles)
    return "; ".join([name for name in of_role if name in day.hours] or of_role)


def _late_rising(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    """Rising late or, where the night is not logged or sleep alone does not tell it, a late first activity."""
    for figure in ("wake", "first") if habits.rhythm.sleeps else ("first",):
        known, value = habits.expected(figure, day.date), day.figures.get(figure)
        unknown = figure == "first" and (not day.begun or cut_short(day, habits))
        if known is None or value is None or unknown:
            continue
        chance, late = known.over(value), value - known.usual
        if chance <= limits["chance"] and late >= limits["least"]:
            low, usual, high = map(hhmm, (known.interval()[0], known.usual, known.interval()[1]))
            end = day.spans[figure][1]
            done, activity = ("up", _activity(day, habits, SLEEP)) if figure == "wake" else ("first activity", "")
            return [((end - late * HOUR, end), "late rising", activity,
                     f"{done} at {usual} ({low} to {high})", f"{done} at {hhmm(value)}", chance)]  # fmt: skip
    return []


def _inactivity(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    known, value = habits.expected("gap", day.date), day.figures.get("gap")
    if known is None or value is None or value < limits["least"]:
        return []
    chance = known.over(value)
    if chance > limits["chance"]:
        return []
    return [(day.spans["gap"], "long inactivity", "", f"at most {known.usual:.1f} h without any activity by day "
             f"(to {known.interval()[1]:.1f} h)", f"{value:.1f} h", chance)]  # fmt: skip


def _no_meal(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    had = [d for d in habits.days if d.figures.get("meals")]
    if len(had) < ENOUGH or day.figures["meals"] or not day.begun:
        return []
    usual = HALF * float(np.median([d.figures["mealtime"] for d in had]))
    latest = max(d.figures["first_meal"] for d in had if "first_meal" in d.figures)
    enough = day.ended or (day.until - midnight(day.date)) / HOUR > latest + 1
    if day.figures["mealtime"] < usual or not enough:
        return []
    told = [not d.figures["meals"] if d.figures["mealtime"] >= usual else None for d in habits.days]
    chance, times, days = habits.chance(told, day.date)
    if chance > limits["chance"]:
        return []
    span = (
        midnight(day.date) + habits.rhythm.rises * HOUR,
        min(day.until, midnight(day.date) + habits.rhythm.retires * HOUR),
    )
    return [(span, "no meal", _activity(day, habits, MEAL), f"a meal ({times:.0f} of {days:.0f} such days without)",
             "none", chance)]  # fmt: skip


def _out_all_night(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    value = day.figures.get("out_night")
    if value is None or value < limits["least"]:
        return []
    told = [d.figures["out_night"] >= limits["least"] if "out_night" in d.figures else None for d in habits.days]
    chance, times, days = habits.chance(told, day.date)
    if chance > limits["chance"]:
        return []
    begins = midnight(day.date) + habits.rhythm.begins * HOUR
    span = (max(day.spans["out_night"][0], begins), min(day.spans["out_night"][1], begins + 36 * HOUR))
    return [(span, "out all night", _activity(day, habits, OUT), f"at home ({times:.0f} of {days:.0f} nights out)",
             f"out for {value:.1f} h of the night", chance)]  # fmt: skip


def _sleepless(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    if day.figures.get("sleeps") != 0:
        return []
    told = [d.figures["sleeps"] == 0 if "sleeps" in d.figures else None for d in habits.days]
    chance, times, days = habits.chance(told, day.date)
    if chance > limits["chance"]:
        return []
    return [(day.spans["sleeps"], "night without sleep", _activity(day, habits, SLEEP),
             f"sleep ({times:.0f} of {days:.0f} nights without)", "none", chance)]  # fmt: skip


def _more(figure: str, kind: str, unit: str, *roles: str) -> Callable:
    """A rule for more of a figure than usual."""

    def rule(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
        known, value = habits.expected(figure, day.date), day.figures.get(figure)
        if known is None or value is None:
            return []
        chance = known.over(value)
        few = value - known.usual < limits["least"] or value < limits.get("ratio", 1) * known.usual
        if chance > limits["chance"] or few:
            return []
        low, high = known.interval()
        return [(day.spans[figure], kind, _activity(day, habits, *roles) if roles else "",
                 f"{known.usual:.1f} {unit} ({low:.1f} to {high:.1f})", f"{value:.1f} {unit}", chance)]  # fmt: skip

    return rule


def _falls(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    chance, times, days = habits.chance([bool(d.figures.get("falls")) for d in habits.days], day.date)
    return [
        (span, "fall and lying" if lain >= LAIN else "fall", _activity(day, habits, FALL, LYING),
         f"no fall ({times:.0f} of {days:.0f} days with one)",
         f"fell at {moment(span[0])[11:16]}" + (f" and lay for {lain / 60:.0f} min" if lain >= LAIN else ""),
         chance)
        for span, lain in day.lain
    ]  # fmt: skip


def profile(quarters: Mapping[str, np.ndarray], names: Mapping[str, int]) -> np.ndarray:
    """Hours of each activity in each quarter of a day, as one row of numbers; activities not in `names` together."""
    row = np.zeros((len(names) + 1, 4))
    for name, hours in quarters.items():
        row[names.get(name, -1)] += hours
    return row.ravel()


def cut_short(day: Day, habits: Habits) -> bool:
    """Whether a day has about as many rows as usual, and they fill less than half of the usual time: an ill log."""
    known = [[d.figures[name] for d in habits.days if name in d.figures] for name in ("rows", "logged")]
    if not all(known) or not day.whole:
        return False
    rows, logged = map(np.median, known)
    return bool(day.figures["rows"] > 0.7 * rows and day.figures["logged"] < 0.5 * logged)


def _unlike(day: Day, habits: Habits, limits: Mapping) -> list[tuple]:
    """A day far from all but a few before it: the third nearest counts, so that no single one excuses it."""
    kept = [d for d in habits.days if d.hours]
    if len(kept) < 2 * ENOUGH or not day.whole or cut_short(day, habits):
        return []
    names = {name: k for k, name in enumerate(sorted({name for d in kept for name in d.hours}))}
    rows = np.array([profile(d.quarters, names) for d in kept])
    own = profile({name: quartered(minutes) for name, minutes in day.hours.items()}, names)
    each = np.sort(np.abs(rows[:, None] - rows[None]).sum(-1), axis=1)[:, NEAREST]  # the first is the day itself
    apart = float(np.sort(np.abs(rows - own).sum(-1))[NEAREST - 1])
    usual = float(np.median(each))
    spread = math.hypot(1.4826 * float(np.median(np.abs(np.log(each / usual)))), 0.1) if usual else 1.0
    chance = float(stats.t.sf(math.log(apart / usual) / spread, len(kept))) if usual else 1.0
    if chance > limits["chance"] or apart < limits["ratio"] * usual:
        return []
    more = (own - rows.mean(0)).reshape(-1, 4).sum(1)
    k = int(np.abs(more).argmax())
    most = [*names, "activities never seen before"][k]
    return [((midnight(day.date) + habits.rhythm.begins * HOUR, day.until), "unlike any day", most,
             f"{usual:.1f} h in another way than on the days most like it",
             f"{apart:.1f} h, {more[k]:+.1f} h of {most}", chance)]  # fmt: skip


RULES: dict[str, Callable] = {
    "late rising": _late_rising,
    "long inactivity": _inactivity,
    "no meal": _no_meal,
    "out all night": _out_all_night,
    "night without sleep": _sleepless,
    "long outing": _more("longest_out", "long outing", "h", OUT),
    "night activity": _more("night", "night activity", "h"),
    "bathroom visits": _more("bathroom", "bathroom visits", "visits", BATHROOM),
    "fall": _falls,
    "unlike any day": _unlike,
}
