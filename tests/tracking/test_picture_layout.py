"""In the pictures of a log and of habits nothing covers anything, nor leaves the canvas."""

import datetime as dt

import cv2
import numpy as np
import pytest

from tests.layout import faults
from wtmr_core.miniature import weeks
from wtmr_core.tracking import day_table, habit_pictures
from wtmr_core.tracking.episodes import Episode
from wtmr_core.tracking.habits import habits
from wtmr_core.tracking.render import contact_sheet, timeline
from wtmr_core.tracking.table import Row

LONG = "fetching the newspaper from the letter box"


@pytest.fixture(scope="module", params=[None, LONG], ids=["synthetic", "with a long name"])
def found(request, tmp_path_factory):
    log = weeks.write(tmp_path_factory.mktemp("home"), weeks.weeks(0, people=1, days=35))
    if request.param:
        log.write_text(log.read_text().replace("reading", request.param))
    return habits(day_table.read([log]))


def test_pictures_of_habits(found):
    ((person, course),) = found.people.items()
    assert not faults(habit_pictures.clock(found.routine.people[person], person))
    assert not faults(habit_pictures.calendar(course, person))
    odd = max(course.departures, key=lambda date: len(course.departures[date]))
    for date in (odd, odd + dt.timedelta(days=1)):
        assert not faults(habit_pictures.day(course, found.routine.people[person], date, person))


def rows(folder) -> list[Row]:
    names = ["sitting", "standing up", "walking", "sitting down", "standing", "lying", "bending", "falling", "unknown"]
    shown = []
    for n, name in enumerate([*names, LONG] * 2):
        file = f"{n}.jpg"
        cv2.imwrite(str(folder / file), np.full((60, 80, 3), 9 * n, np.uint8))
        start = n**1.5
        shown.append(Row(n % 3 + 1, Episode(name, start, (n + 1) ** 1.5, 1, 0.9), keyframes=("", "", file)))
    return shown


def test_pictures_of_a_log(tmp_path):
    assert not faults(timeline(rows(tmp_path), 90))
    assert not faults(timeline([], 0))
    assert not faults(contact_sheet(rows(tmp_path), tmp_path))
    assert not faults(contact_sheet(rows(tmp_path)[:1], tmp_path))
