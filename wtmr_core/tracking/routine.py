"""The routines of the people of a home, as a file that reads without this program."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from wtmr_core import files, literals
from wtmr_core.tracking.day_table import HabitsError
from wtmr_core.tracking.days import Rhythm
from wtmr_core.tracking.expectation import knowledge
from wtmr_core.tracking.learning import Habits, Learnt, weekend

VERSION = 1


@dataclass
class Routine:
    """The routines of the people of a home, by name, "" where the log names none."""

    people: dict[str, Habits] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the routine as JSON.

        It has for each person `rhythm` and `roles`; `usual`, what is expected of a weekday and of a weekend day, with
        bounds for nine days in ten; `clock`, mean minutes of each activity by hour; and `days`, from which all this is
        learnt, and with which learning goes on.
        """
        people = {}
        for name, habits in self.people.items():
            days = [
                {
                    "day": str(d.date),
                    "weight": d.weight,
                    "departed": d.departed,
                    "figures": d.figures,
                    "minutes_by_hour": d.hours,
                }
                for d in habits.days
            ]
            people[name] = {
                "rhythm": asdict(habits.rhythm),
                "roles": habits.roles,
                "usual": {kind: usual(habits, kind == "weekend") for kind in ("weekday", "weekend")},
                "clock": {name: [round(float(m), 1) for m in minutes] for name, minutes in habits.clock().items()},
                "days": days,
            }
        files.write_json(path, {"format": "wtmr routine", "version": VERSION, "people": people})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a routine.

        Raises:
            HabitsError: where it is of another version, or no routine; RunError where it cannot be read.
        """
        path = Path(path)
        held = files.read_json(path)
        if held.get("format") != "wtmr routine":
            raise HabitsError(f"{path} is no routine: give the routine.json that wtmr habits wrote")
        if held.get("version") != VERSION:
            raise HabitsError(
                f"{path} is a routine of version {literals.shown(held.get('version'))}, and version {VERSION} is read "
                "here: learn it anew from the logs"
            )
        try:
            return cls({name: _person(value) for name, value in held["people"].items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HabitsError(
                f"{path} is damaged ({type(error).__name__}: {error}): learn it anew from the logs"
            ) from error


def _person(value: Mapping[str, Any]) -> Habits:
    days = [
        Learnt(
            dt.date.fromisoformat(d["day"]),
            float(d["weight"]),
            {name: float(x) for name, x in d["figures"].items()},
            {name: [int(m) for m in minutes] for name, minutes in d["minutes_by_hour"].items()},
            bool(d["departed"]),
        )
        for d in value["days"]
    ]
    rhythm = Rhythm(**value["rhythm"] | {"meals": tuple(map(float, value["rhythm"]["meals"]))})
    return Habits(rhythm, days, dict(value["roles"]))


def usual(habits: Habits, of_weekend: bool) -> dict[str, Any]:
    """Figure -> expected, low, high (nine days in ten lie between) and the number of days behind it, on such a day."""
    if not habits.days:
        return {}
    date = habits.days[-1].date + dt.timedelta(days=1)
    while weekend(date) != of_weekend:
        date += dt.timedelta(days=1)
    found = {name: habits.expected(name, date) for name in knowledge()["figures"]}
    return {
        name: {"expected": round(e.usual, 2), "low": round(e.interval()[0], 2), "high": round(e.interval()[1], 2),
               "days": round(e.days, 1)}
        for name, e in found.items() if e
    }  # fmt: skip
