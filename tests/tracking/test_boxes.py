"""Boxes: clipped to the picture, checked, and the same in MOT text as in memory."""

import numpy as np
import pytest
import supervision as sv
from hypothesis import given
from hypothesis import strategies as st
from trackers.io.mot import load_mot_file

from wtmr_core.tracking.boxes import JOINTS, check, detections, mot_line, read_boxes, sightings
from wtmr_core.tracking.people import Sighting


def test_boxes_are_clipped_and_what_is_outside_or_no_box_is_left_out():
    joints = np.arange(5 * 17 * 3).reshape(5, 17, 3)
    people = detections(
        [[-10, 20, 30, 90], [110, 0, 140, 50], [np.nan, 0, 5, 5], [50, 50, 40, 60], [90, 0, 120, 50]],
        [0.5, 0.9, 0.9, 0.9, 0.7],
        (80, 100),
        joints,
    )
    assert people.xyxy.tolist() == [[90, 0, 100, 50], [0, 20, 30, 80]]  # the surest first
    assert people.confidence.tolist() == pytest.approx([0.7, 0.5])
    assert people.class_id.tolist() == [0, 0]
    assert people.data[JOINTS].tolist() == joints[[4, 0]].tolist()  # theirs, and not clipped


def test_nobody_is_no_boxes():
    people = detections([], [], (80, 100))
    assert people.xyxy.shape == (0, 4)
    assert len(people.confidence) == 0


@pytest.mark.parametrize("box", [(5, 0, 5, 9), (9, 0, 5, 9), (0, 9, 5, 5)])
def test_what_is_no_box_is_refused_with_its_frame(box):
    people = sv.Detections(xyxy=np.array([[0, 0, 9, 9], box], np.float32), confidence=np.ones(2, np.float32))
    with pytest.raises(ValueError, match="frame 7, box 1: "):
        check(people, 7)


def test_boxes_without_scores_are_refused():
    with pytest.raises(ValueError, match="frame 3: boxes without scores"):
        check(sv.Detections(xyxy=np.array([[0.0, 0, 9, 9]])), 3)


def test_a_row_is_what_the_format_says():
    sighting = Sighting(frame=0, seconds=0.0, box=np.array([10.25, 20, 40.25, 120]), score=0.8125)
    assert mot_line(3, sighting) == "1,3,10.25,20.00,30.00,100.00,0.8125,1,-1,-1"


BOX = st.tuples(*[st.integers(-4000, 40000)] * 2, *[st.integers(100, 40000)] * 2, st.integers(1, 10000))
PEOPLE = st.dictionaries(st.tuples(st.integers(0, 300), st.integers(1, 40)), BOX, min_size=1, max_size=20)


@given(PEOPLE)
def test_what_is_written_is_read_again_here_and_by_others(tmp_path_factory, people):
    path = tmp_path_factory.mktemp("mot") / "tracks.txt"
    rows = []
    for (frame, person), (x, y, w, h, score) in people.items():
        box = np.array([x, y, x + w, y + h]) / 100
        rows.append(mot_line(person, Sighting(frame, 0.0, box, score / 10000)))
    path.write_text("\n".join(rows) + "\n")
    frames = read_boxes(path)
    assert sum(map(len, frames.values())) == len(people)
    for frame, theirs in load_mot_file(path).items():  # the package's own reader
        ours = frames[frame - 1]
        np.testing.assert_array_equal(ours.tracker_id, theirs.ids)
        np.testing.assert_allclose(sv.xyxy_to_xywh(ours.xyxy), theirs.boxes, atol=1e-3)
        np.testing.assert_allclose(ours.confidence, theirs.confidences, atol=1e-6)
        for person, sighting in sightings(ours, frame - 1, 0.0):
            x, y, w, h, score = people[frame - 1, person]
            np.testing.assert_allclose(sighting.box, np.array([x, y, x + w, y + h]) / 100, atol=1e-3)
            assert sighting.score == pytest.approx(score / 10000)


def test_rows_with_blanks_fewer_fields_and_scores_to_be_passed_over_are_read(tmp_path):
    path = tmp_path / "boxes.txt"
    path.write_bytes(
        b"\xef\xbb\xbf1 2 10 20 30 40\r\n\r\n1, 3, 10, 20, 30, 40, -1, -1, -1, -1\r\n2,2,1,1,1,1,0,1,1\r\n"
    )
    frames = read_boxes(path)
    assert frames[0].tracker_id.tolist() == [2, 3]
    assert frames[0].confidence.tolist() == [1, 1]
    assert frames[0].xyxy[0].tolist() == [10, 20, 40, 60]
    assert len(frames[1]) == 0  # its score says that it is not to be considered


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2,1,0,0,9", "5 fields"),
        ("2,1,0,0,9,9,1,1,1,1,1", "11 fields"),
        ("2,one,0,0,9,9", "'one'; a row has numbers only"),
        ("0,1,0,0,9,9", "frame 0 is no number of a frame"),
        ("1.5,1,0,0,9,9", "frame 1.5 is no number of a frame"),
        ("nan,1,0,0,9,9", "frame nan is no number of a frame"),
        ("2,0,0,0,9,9", "id 0 is none of a person"),
        ("2,-1,0,0,9,9", "id -1 is none of a person"),
        ("2,1,0,0,-9,9", "width -9, height 9 is no box"),
        ("2,1,0,0,9,0", "width 9, height 0 is no box"),
        ("2,1,nan,0,9,9", "left nan"),
        ("2,1,0,0,9,inf", "height inf"),
        ("1,1,5,5,9,9", "person 1 is twice in frame 1"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path, row, message):
    path = tmp_path / "boxes.txt"
    path.write_text(f"1,1,0,0,9,9\n\n{row}\n")
    with pytest.raises(ValueError, match=r"boxes\.txt, line 3: ") as error:
        read_boxes(path)
    assert message in str(error.value)


def test_a_file_that_is_absent_or_no_text_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_boxes(tmp_path / "none.txt")
    (tmp_path / "video.mp4").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match=r"video\.mp4, line 1"):
        read_boxes(tmp_path / "video.mp4")


def test_the_true_boxes_of_real_people_are_read(recordings):
    people = read_boxes(recordings / "pedestrians/PETS09-S2L1/gt/gt.txt")
    assert sum(map(len, people.values())) == 193
    assert len(people) == 45
    street = read_boxes(recordings / "street/block1/gt/gt.txt")
    assert sum(map(len, street.values())) == 252
    assert len({int(n) for boxes in street.values() for n in boxes.tracker_id}) == 33
