"""What people look like: which pixels count, which sightings count, and what two appearances have in common."""

from dataclasses import replace

import numpy as np
import pytest

from wtmr_core.tracking import appearance
from wtmr_core.tracking.appearance import Appearance, Appearances, described, similarity
from wtmr_core.tracking.people import Sighting

RED, BLUE, GREEN, GREY = (40, 40, 200), (200, 60, 40), (60, 180, 60), (128, 128, 128)
BOX = np.array([100.0, 40.0, 160.0, 220.0])
STANDING = np.array(  # COCO's 17 joints of somebody upright, 1 high, x from -½
    [(0, .06), (.02, .05), (-.02, .05), (.04, .06), (-.04, .06), (.08, .18), (-.08, .18), (.1, .35), (-.1, .35),
     (.1, .5), (-.1, .5), (.06, .5), (-.06, .5), (.06, .72), (-.06, .72), (.06, .95), (-.06, .95)]
)  # fmt: skip


def joints(box=BOX, score=0.9) -> np.ndarray:
    x1, y1, x2, y2 = box
    return np.concatenate([STANDING * (y2 - y1) + [(x1 + x2) / 2, y1], np.full((17, 1), score)], axis=1)


def picture(upper=RED, lower=BLUE, box=BOX) -> np.ndarray:
    """Somebody in front of a grey wall."""
    drawn = np.full((240, 320, 3), GREY, np.uint8)
    x1, y1, x2, y2 = (int(v) for v in box)
    waist = (y1 + y2) // 2
    drawn[y1:waist, x1:x2], drawn[waist:y2, x1:x2] = upper, lower
    return drawn


def sighting(box=BOX, body=None, seconds=0.0) -> Sighting:
    return Sighting(0, seconds, np.array(box), 0.9, body)


def looks(upper=RED, lower=BLUE, sightings=3) -> Appearance:
    """The looks of somebody in clothes of one colour each, from so many sightings."""
    upper, lower = (sightings * appearance.colours(np.full((20, 3), c, np.uint8)) for c in (upper, lower))
    return Appearance(upper, lower, sightings)


@pytest.mark.parametrize("body", [None, joints()], ids=["by box", "by joints"])
def test_clothes_above_and_below_the_waist_are_told_apart(body):
    one = described(picture(), {1: sighting(body=body)})[1]
    assert similarity(one, looks(RED, BLUE)) == pytest.approx(1, abs=0.03)
    assert similarity(one, looks(BLUE, RED)) < 0.2
    assert similarity(one, looks(RED, GREEN)) == pytest.approx(0.5, abs=0.05)


def test_joints_tell_where_clothes_are_in_a_box_that_is_too_wide():
    wide = np.add(BOX, [-50, 0, 10, 0])
    shown = described(picture(), {1: sighting(wide, joints())})
    assert similarity(shown[1], looks()) > 0.95
    assert similarity(described(picture(), {1: sighting(wide)})[1], looks()) < 0.85


@pytest.mark.parametrize(
    ("one", "others"),
    [
        (sighting([60, 150, 240, 230]), []),  # lies
        (sighting([0, 40, 60, 220]), []),  # cut off on the left
        (sighting([100, 0, 160, 180]), []),  # the head is out of the picture
        (sighting(), [sighting([110, 100, 170, 239])]),  # behind somebody
        (sighting(body=joints(score=0.1)), []),  # joints are a guess
        (sighting(body=joints() * [1, -1, 1] + [0, 260, 0]), []),  # upside down
        (sighting([300, 100, 304, 108]), []),  # a few pixels
    ],
    ids=["lying", "left", "top", "covered", "unsure joints", "upside down", "small"],
)
def test_who_does_not_show_clearly_is_not_looked_at(one, others):
    people = dict(enumerate([one, *others], 1))
    assert 1 not in described(picture(), people, due=[1])


def test_a_joint_is_not_needed_where_feet_are_hidden():
    body = joints()
    body[[15, 16], 2] = 0
    assert similarity(described(picture(), {1: sighting(body=body)})[1], looks()) > 0.95


def test_the_picture_is_not_changed():
    drawn = picture()
    described(drawn, {1: sighting(body=joints()), 2: sighting([30, 40, 90, 220])})
    assert (drawn == picture()).all()


def test_upper_and_lower_clothes_count_half_each():
    assert similarity(looks(RED, BLUE), looks(RED, BLUE, sightings=9)) == pytest.approx(1)
    assert similarity(looks(RED, BLUE), looks(RED, GREEN)) == pytest.approx(0.5)
    assert similarity(looks(RED, BLUE), looks(BLUE, RED)) == 0
    assert similarity(Appearance.none(), looks()) == 0


def test_sums_are_of_all_sightings():
    both = looks(RED, BLUE) + looks(RED, GREEN, sightings=2)
    assert both.sightings == 5
    assert (both.upper.sum(), both.lower.sum()) == (5, 5)
    assert not looks(sightings=2).known
    assert looks(sightings=3).known


def test_somebody_is_looked_at_twice_a_second():
    collected = Appearances()
    for step in range(31):
        collected.add(picture(), step / 10, {1: sighting()})
    assert [one.sightings for one in collected.of(1)] == [7]
    assert [one.sightings for one in collected.of(2)] == [0]
    assert collected.changes(1) == collected.changes(2) == []


def test_sightings_with_joints_count_where_there_are_enough():
    collected = Appearances()
    for step in range(10):
        body = joints() if step < 4 else None
        collected.add(picture(RED if step < 4 else GREEN), step, {1: sighting(body=body)})
    assert similarity(*collected.of(1), looks(RED)) > 0.95
    collected = Appearances()
    for step in range(10):
        collected.add(picture(RED if step < 2 else GREEN), step, {1: sighting(body=joints() if step < 2 else None)})
    assert similarity(*collected.of(1), looks(GREEN)) > 0.95


def test_looks_before_and_after_they_change_all_at_once_are_kept_apart():
    collected = Appearances()
    for step in range(14):
        shown = picture(*((RED, BLUE) if step < 7 or step > 10 else (GREEN, GREY)))
        collected.add(shown, step, {1: replace(sighting(), frame=10 * step)})
    assert collected.changes(1) == [((6, 60), (7, 70)), ((10, 100), (11, 110))]
    assert [one.sightings for one in collected.of(1)] == [7, 4, 3]
    assert [similarity(one, looks(RED, BLUE)) > 0.9 for one in collected.of(1)] == [True, False, True]


def test_two_pictures_unlike_the_others_are_no_change():
    collected = Appearances()
    for step in range(12):
        collected.add(picture(*((GREEN, GREY) if step in (5, 6) else (RED, BLUE))), step, {1: sighting()})
    assert collected.changes(1) == []
    assert [one.sightings for one in collected.of(1)] == [12]


def test_of_somebody_whose_looks_change_all_the_time_nothing_is_known():
    collected = Appearances()
    for step in range(300):
        collected.add(picture(*((RED, BLUE) if step // 4 % 2 else (GREEN, GREY))), step, {1: sighting()})
    assert collected.changes(1) == []
    assert [one.sightings for one in collected.of(1)] == [0]
