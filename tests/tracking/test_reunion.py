"""People who came back or were exchanged: their boxes, steps, pictures and rows go to the number that is theirs."""

from array import array

import cv2
import numpy as np
import pytest

from tests.tracking.test_appearance import BLUE, GREEN, GREY, RED, looks
from wtmr_core.tracking.keyframes import KeyFrames
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.people import Episode, Sighting
from wtmr_core.tracking.person import Person
from wtmr_core.tracking.reunion import Reunion, cuts

CLASSES = ("walking", "sitting")
ALICE, BOB = looks(RED, BLUE), looks(GREEN, GREY)


class Looks:
    """Stands in for `Appearances`: number -> looks and gaps."""

    def __init__(self, people):
        self._people = people

    def of(self, number):
        return self._people[number][0]

    def changes(self, number):
        return self._people[number][1]


def person(number: int, first: int, last: int) -> Person:
    """Somebody seen ten times a second from `first` to `last` seconds, whose boxes and steps tell the number."""
    one = Person.__new__(Person)
    one._classes, one._stills = CLASSES, False
    one.seconds = array("d", np.arange(10 * first, 10 * last) / 10)
    one._boxes = array("f", [v for s in one.seconds for v in (number, s, number + 10, s + 10)])
    one._heads = array("f", [number] * 4 * len(one.seconds))
    one._steps = array("d", one.seconds[::2])
    one._probabilities = array("f", [0.25 * number, 1 - 0.25 * number] * len(one._steps))
    return one


def exchanged() -> Reunion:
    """1 and 2 were exchanged after six seconds; 3 is 1, who came back at 12."""
    gap = ((5.8, 58.0), (6.2, 62.0))
    seen = Looks({1: ([ALICE, BOB], [gap]), 2: ([BOB, ALICE], [gap]), 3: ([ALICE], [])})
    return Reunion({1: person(1, 0, 10), 2: person(2, 0, 10), 3: person(3, 12, 14)}, seen)


def test_boxes_and_steps_go_to_whose_they_are():
    reunion = exchanged()
    assert reunion.changed
    assert sorted(reunion.persons) == [1, 2]
    assert reunion.persons[1].boxes[:, 0].tolist() == [1] * 60 + [2] * 40 + [3] * 20
    assert reunion.persons[2].boxes[:, 0].tolist() == [2] * 60 + [1] * 40
    for one in reunion.persons.values():
        np.testing.assert_allclose(one.boxes[:, 1], one.seconds, rtol=1e-6)
    times, probabilities = reunion.persons[1].probabilities()
    assert (np.diff(times) > 0).all()
    assert probabilities[:, 0].tolist() == [0.25] * 30 + [0.5] * 20 + [0.75] * 10
    assert {n: one.sightings for n, one in reunion.looks.items()} == {1: 9, 2: 6}


def test_a_moment_and_a_frame_tell_whose_a_number_is():
    reunion = exchanged()
    assert [reunion.at(1, s) for s in (0, 5.9, 6.1, 9)] == [1, 1, 2, 2]
    assert [reunion.in_frame(2, f) for f in (0, 59, 60, 99)] == [2, 2, 1, 1]
    assert reunion.at(3, 13) == reunion.in_frame(3, 130) == 1


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"])
def test_who_is_exchanged_twice_within_seconds_has_a_number_of_their_own(seen):
    """2 and 3 are exchanged at 9, 1 and 2 at 11; 2, unclear or not seen in between, is then the third person."""
    carol, dora = looks(GREEN, BLUE), looks(GREY, GREY)
    looked = Looks({
        1: ([carol, dora], [((10.8, 108.0), (11.2, 112.0))]), 2: ([ALICE, carol], [((8.8, 88.0), (9.2, 92.0))]),
        3: ([ALICE], []), 4: ([carol], []),
    })  # fmt: skip
    second = person(2, 0, 20)
    if not seen:
        (before, _), (_, after) = second.parted(9), second.parted(11)
        before.join(after)
        second = before
    reunion = Reunion({1: person(1, 0, 60), 2: second, 3: person(3, 7, 60), 4: person(4, 30, 60)}, looked)
    assert [reunion.at(2, s) for s in (8, 10, 12)] == [reunion.in_frame(2, f) for f in (80, 100, 120)] == [2, 3, 1]
    assert [reunion.at(3, s) for s in (8, 10)] == [3, 2]
    assert [reunion.at(1, s) for s in (10, 12)] == [1, 3]
    assert sorted(reunion.persons) == [1, 2, 3]
    assert all((np.diff(one.seconds) > 0).all() for one in reunion.persons.values())
    numbers, times = np.unique(reunion.persons[3].boxes[:, 0], return_counts=True)
    assert dict(zip(numbers.tolist(), times.tolist(), strict=True)) == {1: 490, 3: 20} | ({2: 20} if seen else {})


def test_where_nobody_came_back_all_is_as_it_was():
    people = {1: person(1, 0, 10), 2: person(2, 0, 10)}
    reunion = Reunion(people, Looks({1: ([ALICE], []), 2: ([BOB], [])}))
    assert not reunion.changed
    assert reunion.persons == people


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ({1: [(4.0, 6.0)], 2: [(5.0, 7.0)]}, {1: [5.5], 2: [5.5]}),  # at one moment
        ({1: [(4.0, 5.0)], 2: [(5.0, 7.0)]}, {1: [4.5], 2: [6.0]}),  # one after the other
        ({1: [(4.0, 6.0), (7.0, 9.0)], 2: [(5.0, 8.0)]}, {1: [5.5, 8.0], 2: [5.5]}),
        ({1: []}, {1: []}),
    ],
    ids=["exchange", "two changes", "twice", "none"],
)
def test_two_who_change_in_one_interval_change_at_one_moment(gaps, expected):
    changes = {n: [((a, 10 * a), (b, 10 * b)) for a, b in several] for n, several in gaps.items()}
    found = cuts(changes)
    assert {n: [seconds for seconds, _ in several] for n, several in found.items()} == expected
    assert all(frame == pytest.approx(10 * seconds) for several in found.values() for seconds, frame in several)


def test_saved_and_kept_pictures_are_exchanged_too(tmp_path):
    frames = KeyFrames(tmp_path, anonymous=False)
    for step in range(20):
        picture = np.zeros((100, 200, 3), np.uint8)
        picture[:, :100], picture[:, 100:] = (250, 0, 0), (0, 0, 250)
        people = {n: Sighting(step, step / 2, np.array([x, 0.0, x + 50, 90.0]), 0.5) for n, x in ((1, 10), (2, 130))}
        frames.add(picture, step / 2, people)
    for number in (1, 2):
        frames.save(number, Episode("walking", 0, 4, 4, 1))
    frames.renumber(lambda number, seconds: 3 - number if seconds >= 1 else number)
    names = frames.save(1, Episode("walking", 0, 9, 9, 1))
    frames.finish(names)
    shown = [cv2.imread(str(tmp_path / name)).mean(axis=(0, 1)) for name in (names[0], names[1])]
    assert shown[0][2] > 200 > shown[1][2]  # red at first, then blue
    assert sorted(path.name for path in (tmp_path / "keyframes").iterdir()) == sorted({n.split("/")[1] for n in names})


def test_pictures_that_are_gone_or_were_being_renamed_stop_nothing(tmp_path):
    (tmp_path / "keyframes").mkdir()
    (tmp_path / "keyframes/person-001-000003.50s.moved").touch()  # of a log that was killed then
    frames = KeyFrames(tmp_path, anonymous=False)
    frames.add(np.zeros((100, 200, 3), np.uint8), 0.0, {1: Sighting(0, 0.0, np.array([10.0, 0, 60, 90]), 0.5)})
    frames.save(1, Episode("walking", 0, 1, 1, 1))
    (picture,) = (tmp_path / "keyframes").iterdir()
    picture.unlink()
    frames.renumber(lambda number, seconds: 2)
    assert not list((tmp_path / "keyframes").iterdir())


def test_rows_of_tracks_stay_as_long_whatever_the_number(tmp_path):
    with LogWriter(tmp_path, video="x", size=(640, 480), detector="movenet", model="home") as log:
        for frame in range(4):
            people = {n: Sighting(frame, frame / 10, np.array([1.0, 2, 30, 40]), 0.5) for n in (7, 12)}
            log.processed(frame, frame / 10, people)
        log.renumber(lambda number, frame: {7: 112, 12: 7}[number] if frame >= 2 else number)
        log.finish()
    text = (tmp_path / "tracks.txt").read_bytes()
    assert {len(row) for row in text.splitlines()} == {63}
    rows = np.loadtxt(tmp_path / "tracks.txt", delimiter=",")
    assert rows[:, :2].astype(int).tolist() == [[1, 7], [1, 12], [2, 7], [2, 12], [3, 112], [3, 7], [4, 112], [4, 7]]
    assert (rows[:, 6] == 0.5).all()
