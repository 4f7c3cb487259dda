"""Heads in saved pictures: what is blurred, that nothing of it can be made out, and that all else is as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.tracking.boxes import detections
from wtmr_core.tracking.people import COCO, Sighting
from wtmr_core.tracking.privacy import Anonymizer, blurred, head, headless, widened

#: somebody upright, 200 px tall, from head to foot at x = 100 and y = 20–220, seen from the front
BODY = {
    "nose": (100, 34), "left eye": (104, 30), "right eye": (96, 30), "left ear": (109, 32), "right ear": (91, 32),
    "left shoulder": (123, 57), "right shoulder": (77, 57), "left hip": (112, 115), "right hip": (88, 115),
}  # fmt: skip
BOX = np.array([70, 18, 130, 222])
HEAD = (88, 20, 112, 46)  # what must not be seen


def joints(*unseen: str, turn: bool = False) -> np.ndarray:
    """The body's joints, `unseen` ones with no score; `turn`: on its head's side, lying to the left."""
    points = np.zeros((17, 3))
    for name, (x, y) in BODY.items():
        points[COCO.index(name)] = (y, x, 0.9) if turn else (x, y, 0.9)
    for name in unseen:
        points[COCO.index(name), 2] = 0.01
    return points


def covers(box: np.ndarray, region) -> bool:
    return box[0] <= region[0] and box[1] <= region[1] and box[2] >= region[2] and box[3] >= region[3]


FACE = ("nose", "left eye", "right eye", "left ear", "right ear")


@pytest.mark.parametrize(
    "unseen",
    [
        (),
        ("left ear", "left eye"),
        ("left ear", "right ear", "left hip", "right hip"),
        FACE,
        (*FACE, "left shoulder"),
        (*FACE, "left hip", "right hip"),
        tuple(BODY),
    ],
)
def test_the_head_is_covered_whichever_joints_are_seen_and_the_body_is_not(unseen):
    box = head(BOX, joints(*unseen))
    assert covers(box, HEAD)
    assert box[3] < 88  # above the middle of the trunk


@pytest.mark.parametrize("unseen", [(), FACE])
def test_the_head_of_somebody_lying_is_where_the_joints_say(unseen):
    box = head(BOX[[1, 0, 3, 2]], joints(*unseen, turn=True))
    assert covers(box, (HEAD[1], HEAD[0], HEAD[3], HEAD[2]))
    assert box[2] < 88


def test_without_joints_it_is_the_upper_third_of_a_tall_box_and_all_of_a_wide_one():
    np.testing.assert_allclose(head([10, 100, 50, 190]), [10, 97, 50, 130])
    np.testing.assert_allclose(head([10, 100, 210, 160]), [10, 98, 210, 160])


def test_nothing_of_a_blurred_region_can_be_made_out_and_nothing_else_changes():
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
    result = blurred(picture, np.array([[40.3, 20.2, 79.5, 63.9]]))
    inside = np.zeros(picture.shape[:2], bool)
    inside[20:64, 40:80] = True
    np.testing.assert_array_equal(result[~inside], picture[~inside])
    before, after = picture[20:64, 40:80].astype(float), result[20:64, 40:80].astype(float)
    assert (before != after).mean() > 0.9
    # less the means of the quarters, which are what is left, nothing of the one tells the other
    for quarter in np.ndindex(2, 2):
        part = np.s_[quarter[0] * 22 : quarter[0] * 22 + 22, quarter[1] * 20 : quarter[1] * 20 + 20]
        correlation = np.corrcoef(before[part].ravel(), after[part].ravel())[0, 1]
        assert abs(np.nan_to_num(correlation)) < 0.1


def test_two_faces_of_the_same_colours_cannot_be_told_apart():
    """A fine pattern and its mirror image come out the same."""
    pattern = np.tile(np.kron(np.eye(4), np.full((2, 2), 200)).astype(np.uint8)[..., None], (6, 6, 3))
    region = np.array([[0, 0, 48, 48]])
    difference = blurred(pattern, region).astype(int) - blurred(pattern[:, ::-1].copy(), region)
    assert np.abs(difference).max() <= 8
    assert np.abs(pattern.astype(int) - pattern[:, ::-1]).max() == 200


@given(st.lists(st.floats(-300, 500), min_size=4, max_size=4))
def test_regions_beyond_the_picture_are_cut_at_its_edge(values):
    x, y = sorted(values[:2]), sorted(values[2:])
    picture = np.full((50, 70, 3), 9, np.uint8)
    result = blurred(picture, np.array([[x[0], y[0], x[1], y[1]]]))
    np.testing.assert_array_equal(result, picture)  # one colour stays one


def test_a_picture_is_copied_even_where_nobody_is():
    picture = np.zeros((5, 5, 3), np.uint8)
    assert blurred(picture, np.empty((0, 4))) is not picture


def test_boxes_widen_about_their_middle():
    np.testing.assert_allclose(widened(np.array([10.0, 20, 30, 60]), 0.5), [5, 10, 35, 70])


def test_heads_that_are_known_already_are_blurred_where_they_are():
    picture = np.random.default_rng(1).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    anonymizer = Anonymizer()
    anonymizer.see_heads(0.0, {1: [10, 20, 30, 40], 2: [40, 0, 60, 10]})
    changed = (anonymizer.blur(picture) != picture).any(-1)
    assert changed[20:40, 10:30].mean() > 0.9
    assert changed[0:10, 40:50].mean() > 0.9
    assert changed.sum() <= 20 * 20 + 10 * 10


def test_a_head_stays_blurred_for_a_second_after_it_was_seen_last():
    picture = np.random.default_rng(1).integers(0, 256, (240, 200, 3), dtype=np.uint8)
    anonymizer = Anonymizer()
    anonymizer.see(10.0, {1: Sighting(0, 10.0, BOX, 0.9, joints())})
    first = anonymizer.blur(picture) != picture
    anonymizer.see(10.9, {})
    later = anonymizer.blur(picture) != picture
    assert first[HEAD[1] : HEAD[3], HEAD[0] : HEAD[2]].mean() > 0.9
    assert later.sum() > first.sum()
    anonymizer.see(11.1, {})
    np.testing.assert_array_equal(anonymizer.blur(picture), picture)


def test_of_detected_people_heads_are_blurred_and_all_else_stays():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (240, 200, 3), np.uint8)
    hidden = headless(picture, detections([BOX], [0.9], (240, 200), joints()[None]))
    x1, y1, x2, y2 = HEAD
    before, after = (of[y1:y2, x1:x2].reshape(-1).astype(float) for of in (picture, hidden))
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.1
    assert np.array_equal(picture[120:], hidden[120:])
    assert np.array_equal(picture, headless(picture, detections([], [], (240, 200))))
