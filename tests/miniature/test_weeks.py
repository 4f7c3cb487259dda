"""Synthetic weeks: the same from the same seed, whole, and with what is planted in them."""

import csv
import datetime as dt
from collections import Counter
from itertools import pairwise

import pytest

from wtmr_core.miniature import weeks as module
from wtmr_core.miniature.weeks import APART, FIRST, KINDS, NAMES, QUIET, weeks, write


def hours(row) -> tuple[float, float]:
    return tuple((dt.datetime.fromisoformat(row[k]) - dt.datetime.combine(FIRST, dt.time())).total_seconds() / 3600
                 for k in ("start", "end"))  # fmt: skip


def test_a_seed_gives_the_same_weeks_and_another_others():
    assert weeks(3, 2, 30) == weeks(3, 2, 30)
    assert weeks(3, 2, 30).rows != weeks(4, 2, 30).rows
    one, two = weeks(3, 1, 30), weeks(3, 2, 30)
    assert one.rows == [row for row in two.rows if row["person"] == NAMES[0]]  # nobody depends on who else lives there


def test_every_kind_is_planted_in_turn_and_never_in_the_first_fortnight():
    made = weeks(0, 2, 98)
    assert {p["kind"] for p in made.planted} == KINDS.keys()
    for name in NAMES[:2]:
        own = [p for p in made.planted if p["person"] == name]
        days = [dt.date.fromisoformat(p["day"]) for p in own]
        assert min(days) >= FIRST + dt.timedelta(days=QUIET)
        assert all((b - a).days >= APART - 1 for a, b in pairwise(days))  # a night may begin after 24:00
        count = Counter(p["kind"] for p in own)
        assert max(count.values()) - min(count[k] for k in KINDS) <= 1
        assert not set(days) & set(made.ordinary[name])
        assert len(made.ordinary[name]) > 98 / 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_planted_is_there(kind):
    made = weeks(1, 1, 40, [kind])
    assert made.planted
    for planted in made.planted:
        begin, end = hours(planted)
        inside = [row for row in made.rows if hours(row)[0] < end and hours(row)[1] > begin]
        names = Counter(row["activity"] for row in inside)
        match kind:
            case "late rising":
                assert names.keys() == {"sleeping"}
                assert end - begin == pytest.approx(3, abs=0.01)
            case "long inactivity":
                assert not [r for r in inside if hours(r)[0] > begin + 0.01 and hours(r)[1] < end - 0.01]
            case "no meal":
                assert not names.keys() & {"breakfast", "lunch", "dinner"}
            case "out all night":
                assert names["outdoors"]
                assert names.keys() <= {"outdoors", "sleeping"}
            case "night activity":
                assert names["television"]
            case "bathroom visits":
                assert names["toilet"] >= 8
            case "fall and lying":
                assert {"falling", "lying"} <= names.keys()
            case "unlike any day":
                assert names["visitors"]


def test_ordinary_weeks_have_sleep_meals_and_no_row_that_ends_before_it_starts():
    made = weeks(2, 1, 21, [])
    assert made.planted == []
    assert len(made.ordinary[NAMES[0]]) == 21
    assert all(end >= start for start, end in map(hours, made.rows))
    per_day = Counter((int(hours(r)[0] // 24), r["activity"]) for r in made.rows)
    for d in range(21):
        assert all(per_day[d, meal] == 1 for meal in ("breakfast", "lunch", "dinner"))
        assert sum(min(hours(r)[1], 24 * d + 36) - hours(r)[0] for r in made.rows
                   if r["activity"] == "sleeping" and 24 * d + 18 <= hours(r)[0] < 24 * d + 36) > 5  # fmt: skip


def test_files_hold_what_was_drawn(tmp_path):
    made = weeks(0, 2, 20)
    log = write(tmp_path / "home", made)
    for file, rows in ((log, made.rows), (log.with_name("truth.csv"), made.planted)):
        with file.open(encoding="utf-8", newline="") as stream:
            assert list(csv.DictReader(stream)) == rows


def test_impossible_numbers_are_refused():
    for arguments, message in (
        ({"people": 0}, "0 people over 84 days; 1 to 6 people"),
        ({"days": 13}, "over 13 days"),
        ({"kinds": ["flying"]}, "there is no kind 'flying'; there are late rising"),
    ):
        with pytest.raises(ValueError, match=message):
            weeks(**arguments)
    assert module.QUIET == 14
