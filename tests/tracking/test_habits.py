"""Habits from logs to departures: planted in synthetic weeks and in real homes, and whatever else a log may be."""

import csv
import datetime as dt
import json
import time

import numpy as np
import pandas as pd
import pytest

from benchmarks import habits as benchmark
from wtmr_core.__main__ import main
from wtmr_core.miniature.weeks import KINDS, weeks, write
from wtmr_core.tracking import habit_scores
from wtmr_core.tracking.day_table import DayTable, read
from wtmr_core.tracking.departures import COLUMNS, NEEDS
from wtmr_core.tracking.departures import KINDS as FOUND
from wtmr_core.tracking.habits import habits, report
from wtmr_core.tracking.routine import Routine

HEAD = "start,end,activity\n"


def run(capsys, *arguments):
    code = main(["habits", *map(str, arguments)])
    return code, *capsys.readouterr()


def table(made) -> DayTable:
    rows = pd.DataFrame(made.rows).astype({"start": "datetime64[ms]", "end": "datetime64[ms]"})
    return DayTable(rows.sort_values("start").reset_index(drop=True))


@pytest.fixture(scope="module")
def home():
    """A home of two people over twelve weeks, what is true of it, and what is found."""
    made = weeks(11, 2, 84)
    return made, habits(table(made))


def test_planted_departures_of_each_kind_are_found_and_ordinary_days_left_alone(home):
    made, found = home
    ordinary = {name: [d for d in days if d in found.people[name].judged] for name, days in made.ordinary.items()}
    alarms = [(d.person, d.day, d.kind) for d in found.departures]
    scores = habit_scores.by_kind(alarms, made.planted, ordinary).set_index("kind")
    assert set(KINDS) <= set(FOUND)
    assert scores.loc["all", "recall"] > 0.9
    assert (scores.loc[list(KINDS), "recall"] > 0.5).all()
    assert scores.loc["all", "precision"] > 0.8
    assert scores.loc["all", "false_a_week"] < 0.5
    assert sum(map(len, ordinary.values())) > 60


def test_every_departure_says_when_what_and_how_surprising(home):
    _, found = home
    for d in found.departures:
        assert d.person in ("Anna", "Bruno")
        assert d.kind in FOUND
        assert d.expected
        assert d.observed
        assert d.score > 0.5
        assert d.span[0] <= d.span[1]
        assert abs((d.span[0] / 86400) - (d.day - dt.date(1970, 1, 1)).days) < 1.5
        assert len(d.row()) == len(COLUMNS)


def real(recordings, name):
    file = recordings / "habits" / f"{name}.csv"
    if not file.exists():
        pytest.skip("logs of real homes are not among the recordings")
    return read([file])


def test_real_homes_nine_in_ten_planted_departures_at_one_untouched_day_in_ten(recordings):
    planted, quiet = [], []
    for name in ("hh102", "kasterenA", "mit1", "ordonezA"):
        one = benchmark.measured(name, real(recordings, name), 0, every=3)
        planted += one[0]
        quiet += one[1]
    assert np.mean([bool(p["made"]) for p in planted]) >= 0.9
    assert np.mean([bool(q["made"]) for q in quiet]) <= 0.1
    assert len(planted) >= 36


def test_rows_of_a_real_home_that_end_before_they_start_are_counted(recordings, tmp_path, capsys):
    real(recordings, "ordonezA")
    code, out, _ = run(capsys, recordings / "habits" / "ordonezA.csv", "--out", tmp_path, "--json", "--learn-until",
                       "2011-12-06", "--no-pictures")  # fmt: skip
    told = json.loads(out)
    assert code == 0
    assert told["rows_refused"] == {"ends before it starts": 3}
    assert (told["days_learnt"], told["days_judged"]) == (9, 5)
    assert told["roles"]["Leaving"] == "out"


def test_the_command_writes_routine_departures_and_their_pictures(tmp_path, capsys):
    log = write(tmp_path / "home", weeks(5, 1, 27))
    code, out, err = run(capsys, log, "--out", tmp_path / "out", "--json")
    told, out = json.loads(out), tmp_path / "out"
    assert code == 0
    with (out / "departures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["person", "day", "start", "end", "kind", "activity", "expected", "observed", "score"]
    assert len(rows) == told["departures"] > 0
    assert (told["days_learnt"], told["rows_refused"]) == (14, {})
    assert told["days_learnt"] + told["days_judged"] == 28  # the last morning is of a day of its own
    pictures = {file.name for file in out.glob("*.png")}
    assert pictures == set(told["pictures"]) >= {"routine-Anna.png", "calendar-Anna.png"}
    assert sum(name.startswith("day-") for name in pictures) >= 1
    assert all(file.stat().st_size > 5000 for file in out.glob("*.png"))
    assert all(word in err for word in ("days are learnt: what happens less often", "no activity means"))
    assert Routine.load(out / "routine.json").people["Anna"].days


def test_learning_goes_on_where_it_was(tmp_path):
    made = weeks(7, 1, 56)
    log = write(tmp_path, made)
    whole = report([log], tmp_path / "whole", pictures=False)
    until = dt.date(2026, 2, 10)
    report([log], tmp_path / "first", until=until, pictures=False)
    then = report([log], tmp_path / "then", routine=tmp_path / "first" / "routine.json", pictures=False)
    assert then["days_learnt"] == 0
    one, two = (json.loads((tmp_path / name / "routine.json").read_text()) for name in ("whole", "then"))
    assert [d["day"] for d in one["people"]["Anna"]["days"]] == [d["day"] for d in two["people"]["Anna"]["days"]]
    assert one == two
    late = [
        line for line in (tmp_path / "whole" / "departures.csv").read_text().splitlines() if line[5:15] > str(until)
    ]
    assert late
    assert set(late) <= set((tmp_path / "then" / "departures.csv").read_text().splitlines())
    assert whole["days_learnt"] == 14


def test_the_same_log_gives_the_same_files_whatever_the_order_of_its_rows(tmp_path):
    made = weeks(9, 2, 30)
    log = write(tmp_path / "a", made)
    lines = log.read_text().splitlines()
    shuffled = tmp_path / "b.csv"
    order = np.random.default_rng(0).permutation(len(lines) - 1) + 1
    shuffled.write_text("\n".join([lines[0], *(lines[k] for k in order)]) + "\n")
    for source, out in ((log, "x"), (shuffled, "y")):
        report([source], tmp_path / out, pictures=False)
    for name in ("routine.json", "departures.csv"):
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "the logs hold no row that can be used: nothing is learnt and nothing is judged"),
        (HEAD + "2026-03-01 08:00,2026-03-01 08:30,breakfast\n", "0 whole days are learnt, and 7 are needed"),
        (HEAD + "2026-03-01 08:00,2026-03-01 07:30,breakfast\n", "no row that can be used"),
    ],
)
def test_a_log_of_nothing_or_a_day_is_told_in_a_sentence(tmp_path, capsys, text, said):
    (tmp_path / "log.csv").write_text(text)
    code, out, err = run(capsys, tmp_path / "log.csv", "--out", tmp_path / "out", "--json")
    assert code == 0
    assert said in err
    assert json.loads(out)["departures"] == json.loads(out)["days_judged"] == 0
    assert (tmp_path / "out" / "departures.csv").read_text().splitlines() == [",".join(COLUMNS)]


def test_an_activity_never_seen_before_is_judged_and_drawn(tmp_path):
    made = weeks(3, 1, 30, [])
    day = dt.date(2026, 1, 28)
    rows = [r for r in made.rows if r["start"][:10] != str(day) or r["start"][11:13] < "10" or r["start"][11:13] > "19"]
    rows.append({"person": "Anna", "start": f"{day} 10:00:00", "end": f"{day} 19:30:00", "activity": "juggling <b>$x$"})
    changed = type(made)(rows, [], made.ordinary)
    told = report([write(tmp_path, changed)], tmp_path / "out")
    text = (tmp_path / "out" / "departures.csv").read_text()
    assert f"Anna,{day}" in text
    assert any(name.startswith(f"day-{day}") for name in told["pictures"])


def test_two_people_under_one_name_are_suspected(tmp_path):
    made = weeks(4, 2, 30, [])
    alone = report([write(tmp_path / "a", made)], tmp_path / "x", pictures=False)
    assert not any("two people" in remark for remark in alone["remarks"])
    together = [row | {"person": "Anna"} for row in made.rows]
    both = report([write(tmp_path / "b", type(made)(together, [], {}))], tmp_path / "y", pictures=False)
    assert any("are two people under one name?" in remark for remark in both["remarks"])


def test_a_role_that_a_home_lacks_is_told_and_has_no_departures():
    made = weeks(6, 1, 60)
    rows = [row for row in made.rows if row["activity"] not in ("outdoors", "toilet")]
    found = habits(table(type(made)(rows, [], {})))
    remarks = " ".join(found.people["Anna"].remarks)
    assert "no activity means out, so there is no out all night or long outing" in remarks
    assert "no activity means bathroom" in remarks
    assert not {d.kind for d in found.departures} & {*NEEDS["out"], *NEEDS["bathroom"]}


def test_days_that_begin_or_end_the_log_are_not_missing_a_meal():
    made = weeks(8, 1, 30, [])
    whole = habits(table(made), dt.date(2026, 1, 20))
    assert not [d for d in whole.departures if d.kind == "no meal"]
    for hour in ("06", "09", "11"):
        rows = [r for r in made.rows if r["end"] < f"2026-01-25 {hour}:00:00"]
        cut = habits(table(type(made)(rows, [], {})), dt.date(2026, 1, 20))
        assert dt.date(2026, 1, 25) in cut.people["Anna"].judged
        assert not [d for d in cut.departures if d.day == dt.date(2026, 1, 25)]


def test_a_hole_in_the_log_is_not_one_departure_a_day_for_ever():
    made = weeks(8, 1, 60, [])
    rows = [r for r in made.rows if not "2026-02-02" <= r["start"][:10] <= "2026-02-20"]
    found = habits(table(type(made)(rows, [], {})))
    days = {d.day for d in found.departures if "2026-02-01" < str(d.day) < "2026-02-20"}
    assert 1 <= len(days) <= 4


def test_a_year_of_a_hundred_thousand_episodes_takes_seconds(tmp_path):
    log = benchmark.write_year(tmp_path / "year.csv", 100_000)
    start = time.process_time()
    told = report([log], tmp_path / "out", pictures=False)
    assert told["rows_kept"] >= 100_000
    assert told["days_judged"] >= 350
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learn-until", "tomorrow"], "'tomorrow' is no date, such as 2026-03-01"),
        (["--routine", "other.json"], "is a routine of version 9, and version 1 is read here"),
        (["--roles", "roles.yaml"], "has the role 'bed'"),
        (["--day", "2026-03-01"], "no log is in seconds, and --day, the time of second 0, is given 1 times"),
    ],
)
def test_bad_arguments_are_told(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.csv").write_text(HEAD)
    (tmp_path / "other.json").write_text('{"format": "wtmr routine", "version": 9, "people": {}}')
    (tmp_path / "roles.yaml").write_text("bed: [bett]\n")
    try:
        code, _, err = run(capsys, "log.csv", "--out", "out", *arguments)
    except SystemExit as ended:
        code, err = ended.code, capsys.readouterr().err
    assert code == 2
    assert message in err
    assert not (tmp_path / "out").exists()
