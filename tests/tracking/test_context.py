"""What is around a person: boxes placed by hand."""

import pytest

from wtmr_core.tracking.context import describe, distance, near
from wtmr_core.tracking.zones import Zones

STANDING = [100, 100, 140, 200]  # 100 tall
ZONES = Zones.of({"size": [640, 480], "zones": {
    "bed": [[300, 0], [600, 0], [600, 480], [300, 480]], "hall": [[0, 0], [299, 0], [299, 480], [0, 480]],
}})  # fmt: skip


@pytest.mark.parametrize(
    ("boxes", "gap"),
    [
        (([0, 0, 10, 10], [5, 5, 20, 20]), 0),
        (([0, 0, 10, 10], [10, 0, 20, 10]), 0),
        (([0, 0, 10, 10], [17, 0, 20, 10]), 7),
        (([0, 0, 10, 10], [13, 14, 20, 20]), 5),
    ],
)
def test_the_gap_between_two_boxes(boxes, gap):
    assert distance(*boxes) == distance(*boxes[::-1]) == gap


@pytest.mark.parametrize(
    ("other", "is_near"),
    [
        ([230, 100, 270, 200], True),  # 90 px aside
        ([260, 100, 300, 200], False),  # 120 px
        ([200, 160, 300, 200], True),  # lying beside: its length is its height
        ([150, 100, 166, 140], False),  # two fifths of the size: far behind
        ([150, 0, 270, 250], False),  # over twice the size: far in front
    ],
)
def test_near_is_within_a_body_height_of_somebody_of_like_size(other, is_near):
    assert near(1, {1: STANDING, 2: other}) == ([2] if is_near else [])
    assert near(2, {1: STANDING, 2: other}) == ([1] if is_near else [])


def test_the_context_names_people_things_and_the_floor():
    boxes = {1: [100, 300, 200, 340], 12: [220, 250, 260, 340], 3: [60, 260, 90, 340]}
    things = [("cup", [190, 330, 199, 339]), ("chair", [150, 250, 180, 300]), ("cup", [500, 0, 510, 10])]
    assert describe(1, "lying", boxes, ZONES, things) == ("hall", "near 3 12; with chair, cup; on the floor")


@pytest.mark.parametrize(
    ("activity", "box", "zones", "expected"),
    [
        ("lying", [400, 300, 500, 340], ZONES, ("bed", "")),
        ("lying", [100, 300, 200, 340], None, ("", "")),  # without zones nobody can tell
        ("sitting", [100, 300, 200, 340], ZONES, ("hall", "")),
    ],
)
def test_the_floor_is_where_somebody_lies_outside_the_zones_of_rest(activity, box, zones, expected):
    assert describe(1, activity, {1: box}, zones) == expected
