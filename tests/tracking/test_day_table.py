"""The rows of logs of days: which are kept, which are refused and why, and what their activities mean."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.tracking.day_table import HabitsError, read, read_roles, roles_of


def written(tmp_path, text, name="log.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_rows_are_refused_by_the_stated_rules_and_counted(tmp_path):
    table = read([written(tmp_path, """start,end,activity
2026-03-01 08:00:00,2026-03-01 08:30:00,breakfast
2026-03-01 08:10:00,2026-03-01 08:20:00,radio
2026-03-01 08:00:00,2026-03-01 08:30:00,breakfast
2026-03-01 09:00:00,2026-03-01 08:59:59,walk
2026-03-01 09:00:00,,walk
yesterday,2026-03-01 08:59:59,walk
2026-03-01 09:00:00,2026-03-01 09:10:00,
2026-03-01 09:00:00,2026-03-09 09:10:00,outside
2026-03-01 10:00:00,2026-03-01 10:00:00,door
2026-03-01 11:00:00,2026-03-01 11:10:00,lunch,more
""")])  # fmt: skip
    assert table.refused == {
        "ends before it starts": 1, "has too few or too many cells": 1, "is no time": 1, "lacks a time": 1,
        "lacks an activity": 1, "lasts over a week": 1, "repeated": 1,
    }  # fmt: skip
    assert list(table.rows.activity) == ["breakfast", "radio", "door"]  # what overlaps and what is a moment is kept


def test_several_logs_are_one_and_people_are_apart(tmp_path):
    a = written(tmp_path, "start,end,activity,person\n2026-03-02T08:00,2026-03-02T09:00,sleep,Ann\n", "a.csv")
    b = written(tmp_path, "person,activity,start,end\nBen,sleep,2026-03-01T08:00,2026-03-01T09:00\n", "b.csv")
    rows = read([a, b]).rows
    assert list(rows.person) == ["Ben", "Ann"]
    assert len(read([a, a]).rows) == 1


def test_a_log_of_a_video_starts_on_the_day_that_is_named(tmp_path):
    path = written(tmp_path, "person,activity,start_s,end_s,score\n1,walking,3.5,10,0.9\n", "episodes.csv")
    for given_path in (path, tmp_path):  # the file, or the folder of the log
        rows = read([given_path], ["2026-03-01T08:00"]).rows
        assert rows.start[0] == pd.Timestamp("2026-03-01 08:00:03.5")
    with pytest.raises(
        HabitsError, match=r"episodes\.csv is in seconds, and --day, the time of second 0, is given 0 times"
    ):
        read([path])
    with pytest.raises(HabitsError, match="--day is 'today'; it is a day"):
        read([path], ["today"])


def test_who_has_a_name_in_the_logs_of_videos_is_one_person_and_the_others_are_told_apart_by_number(tmp_path):
    for day, people in (("mon", {3: "alice", 1: ""}), ("tue", {1: "alice", 2: ""}), ("wed", {1: ""})):
        (tmp_path / day).mkdir()
        rows = "".join(f"{n},walking,{n},{n + 5}\n" for n in people)
        written(tmp_path / day, "person,activity,start_s,end_s\n" + rows, "episodes.csv")
        named = [{"person": n} | ({"name": name} if name else {}) for n, name in people.items()]
        (tmp_path / day / "log.json").write_text(json.dumps({"people": named}))
    table = read([tmp_path / "mon", tmp_path / "tue"], ["2026-03-02", "2026-03-03"])
    assert table.rows.person.tolist() == ["1", "alice", "alice", "2"]
    assert table.remarks == ()
    table = read([tmp_path / "mon", tmp_path / "wed"], ["2026-03-02", "2026-03-04"])
    assert table.rows.person.tolist() == ["1", "alice", "1"]
    assert "several logs have a person 1, taken for one" in table.remarks[0]
    for damaged in ({"name": "alice"}, "alice", 3):
        (tmp_path / "mon/log.json").write_text(json.dumps({"people": [damaged]}))
        with pytest.raises(HabitsError, match=r"log\.json is damaged \(its people lack their numbers\): track the"):
            read([tmp_path / "mon"], ["2026-03-02"])


def test_a_change_of_clocks_keeps_true_lengths(tmp_path):
    rows = read([written(tmp_path, """start,end,activity
2026-10-25T01:50:00+02:00,2026-10-25T02:10:00+02:00,sleep
2026-10-25T02:50:00+02:00,2026-10-25T02:10:00+01:00,toilet
2026-03-29T01:30:00+01:00,2026-03-29T03:30:00+02:00,reading
""")]).rows.set_index("activity")  # fmt: skip
    length = (rows.end - rows.start).dt.total_seconds() / 60
    assert length.to_dict() == {"sleep": 20, "toilet": 20, "reading": 60}
    assert rows.start["toilet"] == pd.Timestamp("2026-10-25 02:50")  # the hour is that on the wall


def test_without_offsets_what_jumps_back_is_refused(tmp_path):
    table = read([written(tmp_path, "start,end,activity\n2026-10-25 02:50,2026-10-25 02:10,toilet\n")])
    assert table.refused == {"ends before it starts": 1}


def test_times_in_two_zones_become_those_of_the_common_one(tmp_path):
    text = "start,end,activity\n" + "".join(
        f"2026-03-0{d}T08:00+01:00,2026-03-0{d}T09:00+01:00,sleep\n" for d in (1, 2, 3)
    )
    table = read([written(tmp_path, text + "2026-03-04T12:00-05:00,2026-03-04T13:00-05:00,lunch\n"
                          "2026-03-04 20:00,2026-03-04 21:00,dinner\n")])  # fmt: skip
    assert table.rows.start.iloc[-1] == pd.Timestamp("2026-03-04 18:00")
    assert table.refused == {"lies in another kind of time": 1}
    assert "1 rows lie in another time zone and are converted to +01:00" in table.remarks[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name start once in its first line, which names nothing"),
        ("start,end\n", "must name activity once in its first line, which names start, end"),
        (
            "start,start,end,activity\n",
            "must name start once in its first line, which names start, start, end, activity",
        ),
    ],
)
def test_what_is_no_log_is_told(tmp_path, text, message):
    with pytest.raises(HabitsError, match=message):
        read([written(tmp_path, text)])
    (tmp_path / "log.csv").write_bytes(b"start,end,activity\n\xff\xfe,,\n")
    with pytest.raises(HabitsError, match="is no CSV in UTF-8"):
        read([tmp_path / "log.csv"])


TIMES = st.one_of(
    st.datetimes(pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-20")).map(lambda t: t.isoformat(" ", "seconds")),
    st.sampled_from(["", "x", "2026-13-01", "99999-01-01", "2026-01-03T10:00+01:00"]),
)


@given(rows=st.lists(st.tuples(TIMES, TIMES, st.sampled_from(["sleep", "eat", ""])), max_size=12))
def test_every_row_is_kept_or_counted(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("log") / "log.csv"
    table = read([written(path.parent, "start,end,activity\n" + "".join(f"{','.join(row)}\n" for row in rows))])
    assert len(table.rows) + sum(table.refused.values()) == sum(any(row) for row in rows)
    assert (table.rows.end >= table.rows.start).all()
    assert table.rows.start.is_monotonic_increasing


HOMES = {
    "sleep": "sleep go-to-bed Sleeping Sleep_Out_Of_Bed nap asleep falling-asleep",
    "bathroom": "toilet use-toilet Toileting Bed_to_Toilet Guest_Bathroom bedtoilettransition",
    "meal": "mealpreperation eatingdrinking prep-dinner Breakfast Preparing-lunch Kitchen_Activity Eat_Breakfast Cook",
    "snack": "snack Preparing-a-snack",
    "out": "outdoors leave-house Leaving Going-out-to-work Leave_Home LeaveHome Step_Out Going-out-for-shopping out",
    "return": "Enter_Home",
    "chores": "Wash_Breakfast_Dishes Washing-dishes Putting-away-laundry",
    "fall": "falling fall Fallen",
    "lying": "lying",
    "": "watchtv relax Bathing Entertain_Guests Meditate Master_Bedroom_Activity workout unknown",
}


def test_words_of_real_homes_have_their_roles():
    names = {name: role for role, names in HOMES.items() for name in names.split()}
    assert {name: roles_of([name]).get(name, "") for name in names} == names


def test_a_user_s_words_go_first(tmp_path):
    path = written(tmp_path, "sleep: [schlafen]\nmeal: [essen]\nnone: [Breakfast television]\n", "roles.yaml")
    roles = roles_of(["Schlafen", "Mittag_essen", "Breakfast_Television", "breakfast"], read_roles(path))
    assert roles == {"Schlafen": "sleep", "Mittag_essen": "meal", "breakfast": "meal"}
    with pytest.raises(HabitsError, match="has the role 'bed'; there are sleep, fall"):
        read_roles(written(tmp_path, "bed: [bett]\n", "roles.yaml"))
    with pytest.raises(HabitsError, match="must hold roles with their words"):
        read_roles(written(tmp_path, "sleep: bett\n", "roles.yaml"))
