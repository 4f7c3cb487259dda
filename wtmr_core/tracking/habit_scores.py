"""Departures that were found against those that were planted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

COLUMNS = ["kind", "planted", "found", "recall", "alarms", "right", "beside", "precision", "false_a_week"]


def by_kind(
    alarms: Iterable[tuple[str, dt.date, str]],
    planted: Iterable[Mapping[str, str]],
    ordinary: Mapping[str, Sequence[dt.date]],
) -> pd.DataFrame:
    """Recall and precision of each kind, and false alarms a week of ordinary days.

    A planted departure is found, and an alarm right, where person, day and kind are the same. An alarm of another kind
    on the day of a planted departure, or the day after, on which it may still tell, is `beside`: not right, but not
    false.

    Args:
        alarms: person, day and kind of each departure found
        planted: `person`, `day` and `kind` of each
        ordinary: person -> judged days that no planted departure touches

    Returns:
        a row for each kind and a last one, `all`, with the columns `COLUMNS`; `precision` is the share of alarms that
        are right, NaN where there are none
    """
    wanted = {(p["person"], dt.date.fromisoformat(p["day"]), p["kind"]) for p in planted}
    alarms = set(alarms)
    touched = {(person, day + dt.timedelta(days=k)) for person, day, _ in wanted for k in (0, 1)}
    quiet = {(person, day) for person, days in ordinary.items() for day in days}
    rows = []
    for kind in [*sorted({k for *_, k in wanted | alarms}), "all"]:
        due = [p for p in wanted if kind in (p[2], "all")]
        own = [a for a in alarms if kind in (a[2], "all")]
        right = len(set(due) & set(own))
        beside = sum(a not in wanted and a[:2] in touched for a in own)
        false = sum(a[:2] in quiet for a in own)
        rows.append([kind, len(due), right, _ratio(right, len(due)), len(own), right, beside, _ratio(right, len(own)),
                     _ratio(7 * false, len(quiet))])  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
