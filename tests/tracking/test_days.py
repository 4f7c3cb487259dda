"""The figures of days, worked out by hand."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.tracking.day_table import roles_of
from wtmr_core.tracking.days import Rhythm, Rows, dates, night, observe
from wtmr_core.tracking.spans import covered, longest_gap, midnight, union

DAY = dt.date(2026, 3, 2)
RHYTHM = Rhythm(begins=3, rises=7, retires=23, sleeps=True, meals=tuple(np.eye(24)[8] / 2 + np.eye(24)[12] / 2))


def rows(*spans) -> Rows:
    """Rows of (day of March, start, end, activity); an end before the start is of the next day."""
    table = pd.DataFrame(
        [{"start": pd.Timestamp(f"2026-03-{day:02} {start}"),
          "end": pd.Timestamp(f"2026-03-{day:02} {end}") + pd.Timedelta(days=int(end < start)), "activity": activity}
         for day, start, end, activity in spans]
    ).sort_values("start")  # fmt: skip
    return Rows.of(table, roles_of(table.activity.unique()))


def observed(*spans, rhythm=RHYTHM, log=None):
    made = rows((1, "22:30", "06:30", "sleep"), *spans, (2, "23:15", "07:15", "sleep"))
    return observe(made, DAY, rhythm, log or (midnight(DAY) - 86400, midnight(DAY) + 2 * 86400))


def test_a_day_by_hand():
    day = observed(
        (2, "06:40", "06:45", "toilet"), (2, "08:00", "08:30", "breakfast"), (2, "08:20", "10:00", "radio"),
        (2, "12:30", "15:00", "outdoors"), (2, "15:03", "18:00", "leave-house"), (2, "19:00", "19:40", "dinner"),
        (2, "19:45", "19:46", "toilet"), (2, "19:50", "19:55", "toilet"), (2, "22:00", "22:20", "radio"),
    )  # fmt: skip
    assert day.begun
    assert day.ended
    assert day.whole
    expected = {
        "wake": 6.5, "asleep": 8.0, "bed": 23.25, "first": 8.0, "last": 22 + 1 / 3, "out": 5.5, "longest_out": 5.5,
        "out_night": 0.0, "gap": 2.5, "night": 0.0, "meals": 2.0, "first_meal": 8.0, "mealtime": 0.75, "bathroom": 2.0,
        "falls": 0.0, "sleeps": 1.0,
    }  # fmt: skip
    assert {name: day.figures[name] for name in expected} == pytest.approx(expected)
    assert day.spans["gap"] == (midnight(DAY) + 10 * 3600, midnight(DAY) + 12.5 * 3600)  # 10:00 to 12:30
    assert day.hours["radio"][[8, 9, 22]] == pytest.approx([40, 60, 20])


def test_what_lies_in_the_night():
    day = observed(
        (2, "01:00", "02:00", "television"), (3, "00:30", "02:00", "television"), (2, "04:00", "04:30", "radio")
    )
    assert day.figures["night"] == pytest.approx(1.5 + 0.5)  # that of the night before is of the day before
    out = observed((2, "20:00", "23:00", "outdoors"), (2, "23:10", "05:00", "out"))
    assert out.figures["out_night"] == pytest.approx(6 - 10 / 60)
    assert out.spans["out_night"] == (midnight(DAY) + 23 * 3600 + 600, midnight(DAY) + 29 * 3600)


def test_rising_is_the_end_of_the_night_however_often_it_was_broken():
    broken = rows((1, "22:00", "03:00", "sleep"), (2, "03:10", "06:00", "sleep"), (2, "07:20", "08:00", "sleep"),
                  (2, "13:00", "15:00", "sleep"))  # fmt: skip
    (begin, end), asleep = night(broken, DAY, 3)
    assert (begin, end) == (midnight(DAY) - 2 * 3600, midnight(DAY) + 8 * 3600)
    assert asleep == pytest.approx(5 + 2 + 50 / 60 + 40 / 60)
    assert night(rows((2, "13:00", "15:00", "sleep")), DAY, 3) is None


def test_a_fall_and_how_long_the_person_lay():
    day = observed(
        (2, "10:00", "10:01", "falling"), (2, "10:01", "10:20", "lying"), (2, "10:25", "10:40", "lying"),
        (2, "10:45", "11:00", "reading"), (2, "15:00", "15:01", "falling"), (2, "15:01", "15:30", "reading"),
    )  # fmt: skip
    assert [round(seconds / 60) for _, seconds in day.lain] == [39, 0]
    assert day.lain[0][0] == (midnight(DAY) + 10 * 3600, midnight(DAY) + 10 * 3600 + 40 * 60)


def test_leaving_and_coming_home_bound_the_time_out():
    table = rows((2, "09:00", "09:01", "Leave_Home"), (2, "12:00", "12:01", "Enter_Home"),
                 (2, "14:00", "14:01", "Leave_Home"), (2, "15:00", "15:30", "reading"))  # fmt: skip
    out = table.having("out")
    assert ((out.end - out.start) / 60).tolist() == [180, 1]  # the second has no return


def test_days_that_the_log_covers_in_part_are_known_as_such():
    noon = midnight(DAY) + 12 * 3600
    begun = observed((2, "08:00", "08:30", "breakfast"), log=(midnight(DAY) - 86400, noon))
    assert begun.begun
    assert not begun.ended
    assert not begun.whole
    assert "bed" not in begun.figures
    assert "sleeps" not in begun.figures
    assert "out_night" not in begun.figures
    assert begun.spans["gap"][1] <= noon
    assert not observed(log=(noon, noon + 3 * 86400)).begun


def test_days_begin_where_the_rhythm_says():
    made = rows((1, "02:00", "02:30", "radio"), (3, "02:00", "03:30", "radio"))
    assert dates(made, 3) == [dt.date(2026, 2, 28), dt.date(2026, 3, 1), DAY, dt.date(2026, 3, 3)]
    far = rows((1, "08:00", "08:30", "radio"), (20, "08:00", "08:30", "radio"))
    assert [d.day for d in dates(far, 3)] == [1, 2, 3, 4, 20]  # the rest is a hole in the log
    assert dates(made, 0) == [dt.date(2026, 3, d) for d in (1, 2, 3)]


SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)).map(lambda s: (s[0], s[0] + s[1])), max_size=8)


@given(spans=SPANS, begin=st.integers(0, 100), length=st.integers(1, 120))
def test_union_cover_and_gap_agree_with_counting_seconds(spans, begin, length):
    starts, ends = (np.array([s[k] for s in spans], float) for k in (0, 1))
    joined = union(starts, ends)
    seconds = np.array([any(s <= t < e for s, e in spans) for t in range(300)])
    assert covered(joined, begin, begin + length) * 3600 == pytest.approx(seconds[begin : begin + length].sum())
    left, right = longest_gap(joined, begin, begin + length)
    assert begin <= left <= right <= begin + length
    assert not seconds[int(left) : int(right)].any()
    runs = "".join("x" if s else "." for s in seconds[begin : begin + length]).split("x")
    assert right - left <= max(map(len, runs))  # a moment without length parts a gap too
