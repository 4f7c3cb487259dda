"""Departures from the habits of real homes: how many planted ones are found, and how many ordinary days are flagged.

    python benchmarks/habits.py [DIR] [--seeds N] [--time]

reads the logs in DIR (hh102, MIT 1, Ordonez A and Kasteren A beside the project), learns the first two thirds of the days
of each, and plants one departure at a time into a copy of each remaining day: rising three hours late, no meal all day, out
all night, six hours by day without any activity. Found is a departure whose day has a row, and, stricter, a row of its own
kind. `--time` learns and judges a year of 100,000 episodes instead.
"""

import argparse
import copy
import datetime as dt
import time
from pathlib import Path

import numpy as np
import pandas as pd

from wtmr_core.miniature.weeks import weeks
from wtmr_core.tracking import day_table
from wtmr_core.tracking.day_table import DayTable
from wtmr_core.tracking.days import BATHROOM, MEAL, OUT, SLEEP, SNACK
from wtmr_core.tracking.habits import habits

HERE = Path(__file__).resolve().parents[1]
H = pd.Timedelta(hours=1)
ANSWERS = {
    "late rising": {"late rising"},
    "no meal": {"no meal"},
    "out all night": {"out all night"},
    "six hours": {"long inactivity", "late rising"},  # from the morning on it is both
}


def cleared(rows: pd.DataFrame, begin: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """The rows without what lies in [begin, end); a row that reaches over it keeps its ends."""
    inside = (rows.start < end) & (rows.end > begin)
    before, after = rows[inside & (rows.start < begin)], rows[inside & (rows.end > end)]
    return pd.concat([rows[~inside], before.assign(end=begin), after.assign(start=end)], ignore_index=True)


def late_rising(rows, roles, date, rng):
    """The morning's sleep goes on for three hours, over all that was done in them; without sleep, nothing is done."""
    role, morning = rows.activity.map(roles), date + 4 * H
    sleeps = rows[(role == SLEEP) & (rows.end > date + 4 * H) & (rows.start < date + 10.5 * H)]
    if len(sleeps):
        last = sleeps.end.idxmax()
        up = rows.end[last]
        rows = cleared(rows, up, up + 3 * H)
        return pd.concat(
            [rows, pd.DataFrame([{"person": "", "activity": sleeps.activity[last], "start": up, "end": up + 3 * H}])]
        )
    some = rows[(rows.start >= morning) & (role != BATHROOM)]
    return cleared(rows, morning, some.start.min() + 3 * H)


def no_meal(rows, roles, date, rng):
    """No row of the date is a meal; in half of the copies no snack either."""
    role = rows.activity.map(roles)
    lost = role.isin([MEAL, SNACK] if rng.random() < 0.5 else [MEAL])
    return rows[~(lost & (rows.start >= date) & (rows.start < date + 24 * H))]


def out_all_night(rows, roles, date, rng):
    """From the evening to the morning nothing but being out."""
    begin, end = date + rng.uniform(20, 23) * H, date + (24 + rng.uniform(6, 9)) * H
    names = [name for name in rows.activity if roles.get(name) == OUT] or ["leave-house"]
    row = {"person": "", "activity": names[0], "start": begin.floor("s"), "end": end.floor("s")}
    return pd.concat([cleared(rows, begin, end), pd.DataFrame([row])])


def six_hours(rows, roles, date, rng):
    """Nothing at all for six hours, which begin between 10 and 14 o'clock."""
    begin = date + rng.uniform(10, 14) * H
    return cleared(rows, begin, begin + 6 * H)


KINDS = {"late rising": late_rising, "no meal": no_meal, "out all night": out_all_night, "six hours": six_hours}


def days(rows: pd.DataFrame) -> tuple[dt.date, list[dt.date]]:
    """The last day of the first two thirds, and the days after it."""
    every = sorted(set(rows.start.dt.date))
    every = [every[0] + dt.timedelta(days=n) for n in range((every[-1] - every[0]).days + 1)]
    cut = round(len(every) * 2 / 3)
    return every[cut - 1], every[cut:]


def measured(name: str, table: DayTable, seed: int, every: int = 1) -> tuple[list[dict], list[dict]]:
    """For each planted departure, or each `every`-th, whether it is found, and which untouched days are flagged."""
    until, rest = days(table.rows)
    roles = day_table.roles_of(table.rows.activity.unique())
    flagged: dict[dt.date, list[str]] = {}
    for d in habits(table, until).departures:
        flagged.setdefault(d.day, []).append(d.kind)
    quiet = [{"home": name, "day": day, "kinds": flagged.get(day, [])} for day in rest]
    planted, routine = [], None
    for n, day in enumerate(rest):
        routine = habits(table, until, day - dt.timedelta(days=1), routine).routine  # all before it is as it was
        for kind, plant in KINDS.items() if n % every == 0 else ():
            rng = np.random.default_rng([seed, n, list(KINDS).index(kind)])
            rows = plant(table.rows, roles, pd.Timestamp(day), rng).sort_values("start", ignore_index=True)
            made = habits(DayTable(rows), until, day + dt.timedelta(days=1), copy.deepcopy(routine)).departures
            found = {d.kind for d in made if d.day == day}
            own = bool(found & ANSWERS[kind])
            planted.append({"home": name, "kind": kind, "day": day, "found": bool(found), "own": own})
    return planted, quiet


def write_year(path: Path, episodes: int) -> Path:
    """A year of a synthetic person, its rows cut into pieces until there are as many episodes."""
    table = pd.DataFrame(weeks(0, 1, 366).rows).astype({"start": "datetime64[s]", "end": "datetime64[s]"})
    pieces = -(-episodes // len(table))
    step = (table.end - table.start) / pieces
    cut = [table.assign(start=table.start + k * step, end=table.start + (k + 1) * step) for k in range(pieces)]
    pd.concat(cut).sort_values("start").to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent / "shared" / "data" / "habits")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    planted, quiet = [], []
    for file in sorted(options.folder.glob("*.csv")):
        for seed in range(options.seeds):
            one = measured(file.stem, day_table.read([file]), seed)
            planted += one[0]
            quiet += one[1] if seed == 0 else []
    planted, quiet = pd.DataFrame(planted), pd.DataFrame(quiet)
    if options.verbose:
        print(planted[~planted.found].drop(columns=["new", "own"]).to_string())
        print(quiet[quiet.kinds.str.len() > 0].to_string())
    for column in ("found", "own"):
        print(column)
        print(planted.pivot_table(index="home", columns="kind", values=column, margins=True).round(2).to_string())
    flagged = quiet.kinds.str.len() > 0
    print(flagged.groupby(quiet.home).agg(["sum", "size"]).to_string())
    print(f"found {planted.found.sum()} of {len(planted)}, flagged {flagged.sum()} of {len(flagged)}")


if __name__ == "__main__":
    main()
