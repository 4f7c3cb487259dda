"""Departures from the habits of real homes: how many planted ones are found, and how many ordinary days are flagged.

    python benchmarks/habits.py [DIR] [--seeds N]
    python benchmarks/habits.py --time

The first reads the logs in DIR (hh102, MIT 1, Ordonez A and Kasteren A beside the project), learns the first two thirds
of the days of each, and plants one departure at a time into a copy of each remaining day: rising three hours late, no
meal all day, out all night, six hours by day without any activity. Found is one whose day has a departure; `own kind`
counts those whose kind is right. The second learns and judges a year of 100,000 episodes, without and with pictures.
"""

import argparse
import copy
import datetime as dt
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from wtmr_core.miniature.weeks import weeks
from wtmr_core.tracking import day_table
from wtmr_core.tracking.day_table import DayTable
from wtmr_core.tracking.days import BATHROOM, MEAL, OUT, SLEEP, SNACK
from wtmr_core.tracking.departures import Departure
from wtmr_core.tracking.expectation import knowledge
from wtmr_core.tracking.habits import habits, report

HERE = Path(__file__).resolve().parents[1]
H = pd.Timedelta(hours=1)
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
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
    parts = [rows[~inside], before.assign(end=begin), after.assign(start=end)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


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
    """What is found on days with a planted departure, every `every`-th day, and on all days left untouched."""
    until, rest = days(table.rows)
    roles = day_table.roles_of(table.rows.activity.unique())
    plain = habits(table, until).departures
    quiet = [{"home": name, "day": day, "made": [d for d in plain if d.day == day]} for day in rest]
    planted, routine = [], None
    for n, day in enumerate(rest):
        routine = habits(table, until, day - dt.timedelta(days=1), routine).routine  # all before it is as it was
        for kind, plant in KINDS.items() if n % every == 0 else ():
            rng = np.random.default_rng([seed, n, list(KINDS).index(kind)])
            rows = plant(table.rows, roles, pd.Timestamp(day), rng).sort_values("start", ignore_index=True)
            made = habits(DayTable(rows), until, day + dt.timedelta(days=1), copy.deepcopy(routine)).departures
            planted.append({"home": name, "kind": kind, "day": day, "made": [d for d in made if d.day == day]})
    return planted, quiet


def write_year(path: Path, episodes: int) -> Path:
    """A year of a synthetic person, its rows cut into pieces until there are as many episodes."""
    table = pd.DataFrame(weeks(0, 1, 366).rows).astype({"start": "datetime64[s]", "end": "datetime64[s]"})
    pieces = -(-episodes // len(table))
    step = (table.end - table.start) / pieces
    cut = [table.assign(start=table.start + k * step, end=table.start + (k + 1) * step) for k in range(pieces)]
    pd.concat(cut).sort_values("start").to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
    return path


def table_of(planted: pd.DataFrame, quiet: pd.DataFrame, limit: float = 1.0) -> pd.DataFrame:
    """Home by home what is found and flagged, where chances are `limit` times those of `habits.yaml`."""
    usual = {kind: value["chance"] for kind, value in knowledge()["kinds"].items()}

    def alarms(made: list[Departure]) -> set[str]:
        return {d.kind for d in made if 10**-d.score <= limit * usual.get(d.kind, 1)}

    found = planted.made.map(alarms)
    own = [bool(kinds & ANSWERS[kind]) for kinds, kind in zip(found, planted.kind, strict=True)]
    shown = planted.assign(found=found.map(bool), own=own)
    by_kind = shown.pivot_table(index="home", columns="kind", values="found", margins=True, margins_name="all")
    flagged = quiet.assign(flagged=quiet.made.map(lambda made: bool(alarms(made)))).groupby("home").flagged
    sums = {"own kind": [*shown.groupby("home").own.mean(), shown.own.mean()]}
    return by_kind.assign(**sums, flagged=[*flagged.sum(), flagged.sum().sum()], of=[*flagged.size(), len(quiet)])


def left_out(planted: pd.DataFrame, quiet: pd.DataFrame) -> pd.DataFrame:
    """Each home with the factor on all chances that was best, of `FACTORS`, for the three others."""
    rows = []
    for home in quiet.home.unique():
        others = [frame[frame.home != home] for frame in (planted, quiet)]
        tried = {factor: table_of(*others, factor).loc["all"] for factor in FACTORS}
        allowed = {factor: one for factor, one in tried.items() if one.flagged <= one.of / 10}
        best = max(allowed, key=lambda factor: (allowed[factor]["all"], -abs(np.log(factor))))
        own = table_of(*(frame[frame.home == home] for frame in (planted, quiet)), best).loc[home]
        rows.append({"home": home, "factor": best, "recall": own["all"], "flagged": own.flagged, "of": own.of})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent / "shared" / "data" / "habits")
    parser.add_argument("--seeds", type=int, default=1, help="number of times that departures are planted")
    parser.add_argument("--time", action="store_true", help="learn and judge a year of 100,000 episodes instead")
    options = parser.parse_args()
    if options.time:
        with tempfile.TemporaryDirectory() as folder:
            log = write_year(Path(folder) / "year.csv", 100_000)
            for pictures in (False, True):
                start, cpu = time.perf_counter(), time.process_time()
                told = report([log], folder, pictures=pictures)
                drawn = f", {len(told['pictures'])} pictures" if pictures else ""
                took = f"{time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} s of one core"
                print(f"{told['rows_kept']:,} rows, {told['days_judged']} days judged{drawn}: {took}")
        return
    chances = {kind: value["chance"] for kind, value in knowledge()["kinds"].items()}
    for kind, value in knowledge()["kinds"].items():  # whatever any factor lets through is kept
        value["chance"] = chances[kind] * max(FACTORS)
    planted, quiet = [], []
    for file in sorted(options.folder.glob("*.csv")):
        for seed in range(options.seeds):
            one = measured(file.stem, day_table.read([file]), seed)
            planted += one[0]
            quiet += one[1] if seed == 0 else []
    for kind, value in knowledge()["kinds"].items():
        value["chance"] = chances[kind]
    planted, quiet = pd.DataFrame(planted), pd.DataFrame(quiet)
    print(table_of(planted, quiet).round(2).to_string())
    print("\nwith the factor on the chances that is best for the other homes")
    print(left_out(planted, quiet).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
