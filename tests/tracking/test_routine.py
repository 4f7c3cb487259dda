"""What a routine expects, how sure it is, how it learns on, and that it is kept."""

import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wtmr_core.tracking.day_table import HabitsError
from wtmr_core.tracking.days import Day
from wtmr_core.tracking.expectation import Expected, middle
from wtmr_core.tracking.learning import ENOUGH, Habits, Learnt, weekend
from wtmr_core.tracking.routine import Routine

MONDAY = dt.date(2026, 1, 5)


def at(k: int) -> dt.date:
    return MONDAY + dt.timedelta(days=k)


def of(values, figure="wake", weight=1.0) -> Habits:
    return Habits(days=[Learnt(at(k), weight, {figure: float(v)}) for k, v in enumerate(values)])


def day(k, **figures) -> Day:
    return Day(at(k), True, True, 5, 0.0, dict(figures))


def test_nothing_is_expected_of_few_days():
    assert of([7] * (ENOUGH - 1)).expected("wake", at(10)) is None
    assert of([7] * ENOUGH).expected("wake", at(10)).usual == 7


def test_the_fewer_the_days_the_wider_the_bounds():
    rng = np.random.default_rng(0)
    widths = [
        np.subtract(*of(7 + rng.normal(0, 0.1, n)).expected("wake", at(n)).interval()[::-1]) for n in (7, 14, 28, 60)
    ]
    assert sorted(widths, reverse=True) == widths
    assert widths[-1] < 0.6 * widths[0]


def test_nine_days_in_ten_lie_in_the_bounds():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(150):
        values = rng.normal(7, 0.9, 20)
        low, high = of(values[:-1]).expected("wake", at(19)).interval()
        inside.append(low <= values[-1] <= high)
    assert stats.binom.cdf(sum(inside), 150, 0.9) > 0.01
    assert np.mean(inside) < 0.97


def test_departures_among_the_learnt_days_do_little_harm():
    clean = of([7, 7.2, 6.8, 7.1, 6.9, 7, 7.3, 6.7, 7, 7.1]).expected("wake", at(10))
    soiled = of([7, 7.2, 6.8, 7.1, 11, 7, 12.5, 6.7, 7, 7.1]).expected("wake", at(10))
    assert soiled.usual == pytest.approx(clean.usual, abs=0.15)
    assert soiled.over(10) < 0.01


def test_weekdays_and_weekend_days_part_where_there_are_enough():
    values = [9 if weekend(at(k)) else 7 for k in range(70)]
    few, many = of(values[:11]), of(values)
    saturday = next(d for d in map(at, range(70, 77)) if weekend(d))
    assert few.expected("wake", saturday).usual == few.expected("wake", at(70)).usual == 7
    assert many.expected("wake", at(70)).usual == 7
    assert many.expected("wake", saturday).usual > 7.8
    nights = Habits(days=[Learnt(at(k), 1.0, {}) for k in range(28)])
    out = [weekend(d.date) for d in nights.days]
    assert nights.chance(out, saturday)[0] > 0.7
    assert nights.chance(out, at(28))[0] < 0.1


def test_a_departure_is_not_learnt_as_normal_at_once_but_a_new_habit_is_in_the_end():
    habits = of([7 + 0.2 * (k % 3) for k in range(28)])
    before, after = habits.expected("wake", at(28)), []
    for k in range(28, 150):
        late = habits.expected("wake", at(k)).over(11.0) < 0.05
        habits.learn(day(k, wake=11.0), departed=late)
        after.append(late)
    assert all(after[:7])  # a week on it is still a departure
    assert before.over(11) < 0.001
    assert not any(after[-20:])  # and after months no longer
    assert 28 < after.index(False) < 100


def test_one_wild_day_moves_a_routine_hardly():
    habits = of([7 + 0.2 * (k % 3) for k in range(14)])
    usual = habits.expected("wake", at(14))
    habits.learn(day(14, wake=20.0), departed=True)
    moved = habits.expected("wake", at(15))
    assert moved.usual == pytest.approx(usual.usual, abs=0.1)
    assert moved.spread == pytest.approx(usual.spread, rel=0.1)
    assert habits.days[-1].figures["wake"] < 10  # it was cut


@given(values=st.lists(st.floats(0, 48), min_size=1, max_size=20))
@settings(max_examples=50)
def test_the_weighted_median_of_equal_weights_is_the_median(values):
    assert middle(np.array(values), np.ones(len(values))) == pytest.approx(float(np.median(values)))


@pytest.mark.parametrize("scale", ["plain", "log", "root"])
def test_scales_go_there_and_back(scale):
    expected = Expected(1.5, 0.4, 12, 10, scale)
    assert expected.over(expected.usual) == pytest.approx(0.5)
    low, high = expected.interval(0.9)
    assert low < expected.usual < high
    assert expected.over(high) == pytest.approx(0.05)


def test_a_routine_is_read_as_it_was_written(tmp_path):
    habits = of([7, 7.25, 6.5, 7, 7, 8, 7, 7])
    habits.days[-1].hours = {"reading": [0] * 20 + [30] * 4}
    habits.roles = {"sleep": "sleep"}
    Routine({"Ann": habits, "": Habits()}).save(tmp_path / "routine.json")
    again = Routine.load(tmp_path / "routine.json")
    assert again == Routine({"Ann": habits, "": Habits()})
    held = json.loads((tmp_path / "routine.json").read_text())
    assert held["people"]["Ann"]["usual"]["weekday"]["wake"]["expected"] == 7
    assert held["people"]["Ann"]["clock"]["reading"][20] == 30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "is a routine of version 2, and version 1 is read here: learn it anew"),
        ({"format": "?"}, "is no routine: give the routine.json that wtmr habits wrote"),
        ({"people": {"Ann": {"days": []}}}, "is damaged .KeyError: 'rhythm'.: learn it anew"),
        ({"people": {"Ann": {"days": [{"day": "x"}], "rhythm": {}, "roles": {}}}}, "is damaged"),
    ],
)
def test_another_version_or_a_damaged_routine_is_refused(tmp_path, change, message):
    Routine({"Ann": of([7] * 8)}).save(tmp_path / "routine.json")
    held = json.loads((tmp_path / "routine.json").read_text())
    (tmp_path / "routine.json").write_text(json.dumps(held | change))
    with pytest.raises(HabitsError, match=message):
        Routine.load(tmp_path / "routine.json")
