"""Labelled episodes: read from a table, and found again in the videos of their logs."""

import json

import numpy as np
import pytest
from scipy.special import softmax

from tests.conftest import write_frames, write_video
from tests.tracking.camera import Camera, box_of
from tests.tracking.test_track import STANDING
from wtmr_core.classifier import Classifier
from wtmr_core.tracking import detectors, labels, poses
from wtmr_core.tracking.adapt import head_of
from wtmr_core.tracking.labels import Label, by_log, find, read_labels, video_of
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.people import NotInstalled, Sighting
from wtmr_core.tracking.track import HOME

SIZE = (48, 36)
FRAMES = 60  # at ten a second
HEAD = "person,activity,start_s,end_s\n"


def joints_of(person: int, frame: int) -> np.ndarray:
    """(17, 3): person 1 walks on the spot, person 2 stands, 30 pixels to the right."""
    body = 30 * STANDING + [30 * person - 20, 3]
    body[[13, 15], 0] += 3 * np.sin(0.6 * frame) * (person == 1)
    return np.column_stack([body, np.full(17, 0.9)])


def detector() -> Camera:
    """One of joints that sees both people."""
    return Camera(lambda frame: np.stack([joints_of(person, frame) for person in (1, 2)]), (100, 200))


@pytest.fixture
def camera(monkeypatch):
    monkeypatch.setattr(detectors, "poses", detector)


def write_log(folder, video, seen=((1, 0, FRAMES),), size=SIZE, fps=None):
    """The log of a video; `seen` has person, first frame and the frame after the last."""
    with LogWriter(folder, video=str(video), size=size, detector="camera", model="home", fps=fps) as log:
        for frame in range(FRAMES):
            people = {
                p: Sighting(frame, frame / 10, box_of(joints_of(p, frame)), 0.9) for p, a, b in seen if a <= frame < b
            }
            log.processed(frame, frame / 10, people)
        log.finish()
    return folder


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "home.avi", FRAMES, size=SIZE)


@pytest.fixture
def log(tmp_path, video):
    return write_log(tmp_path / "log", video)


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load(HOME, "cpu")


def written(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


# -- the table


def test_a_corrected_log_is_a_table_of_labels(tmp_path, log):
    text = (log / "episodes.csv").read_text() + "1,sitting_down,0.000,2.500,2.500,0.9,,,,,\n"
    assert read_labels(written(tmp_path, text)) == [Label("", "1", "sitting down", 0.0, 2.5)]


def test_person_and_clip_may_be_absent(tmp_path):
    path = written(tmp_path, "start_s,activity,end_s\n4,Walking,5\n0,sitting,3\n")
    assert read_labels(path) == [Label("", "", "sitting", 0, 3), Label("", "", "walking", 4, 5)]


def test_rows_of_the_persons_asked_for_are_read(tmp_path):
    path = written(tmp_path, HEAD + "1,sitting,0,3\n2,walking,0,3\n12,lying,4,6\n")
    assert [label.activity for label in read_labels(path, ["1", "12"])] == ["sitting", "lying"]


def test_a_short_overlap_counts_for_neither(tmp_path):
    path = written(tmp_path, HEAD + "1,falling,1.8,3\n1,sitting,0,2\n")
    assert [(label.start, label.end) for label in read_labels(path)] == [(0, 1.8), (2, 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column activity"),
        (HEAD, "has no rows: label some episodes"),
        (HEAD + "1,sitting,0,3\n1,lying,2,5\n", "two rows overlap, sitting, 0 to 3 s and lying, 2 to 5 s: correct one"),
        (HEAD + "1,sitting,0,9\n1,lying,2,2.1\n", "two rows overlap"),
        (HEAD + "1,sitting,0,3\n2,lying,2,5\n", "they are of two people, so choose one with --person"),
        (HEAD + "1,sitting,3,0\n", "line 2: it ends at 0 s, before its start"),
        (HEAD + "1,sitting,0,soon\n", "line 2: end_s is 'soon'"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, text, said):
    with pytest.raises(ValueError, match=r"labels\.csv") as error:
        read_labels(written(tmp_path, text))
    assert said in str(error.value)


def test_a_person_who_is_not_in_the_table_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no rows of person 3"):
        read_labels(written(tmp_path, HEAD + "1,sitting,0,3\n"), ["3"])
    with pytest.raises(ValueError, match="no column person: leave out --person"):
        read_labels(written(tmp_path, "activity,start_s,end_s\nsitting,0,3\n"), ["3"])


# -- logs and videos


def label(clip="", person="", activity="walking", start=0.0, end=2.0):
    return Label(clip, person, activity, start, end)


def test_the_log_of_a_clip_is_told_by_its_folder_or_its_video(tmp_path, video):
    logs = [write_log(tmp_path / place, video) for place in ("a/home", "b/home")]
    logs.append(write_log(tmp_path / "c", "elsewhere/day.mp4"))
    rows = [label("a/home.mp4"), label("b/home.mp4"), label("day.mp4")]
    assert by_log(rows, logs) == {log: [row] for log, row in zip(logs, rows, strict=True)}


def test_a_log_without_labels_is_told(tmp_path, video):
    logs = [write_log(tmp_path / place, video) for place in ("a", "b")]
    with pytest.warns(UserWarning, match="b has no labelled episode"):
        assert list(by_log([label("a.mp4")], logs)) == logs[:1]


@pytest.mark.parametrize(
    ("clip", "said"),
    [
        ("", "2 of the 2 logs may be meant; say which, in a column clip"),
        ("x.mp4", "0 of the 2"),
        ("home.avi", "2 of the 2"),
    ],
)
def test_a_label_whose_log_is_not_told_is_an_error(tmp_path, video, clip, said):
    with pytest.raises(ValueError, match=said):
        by_log([label(clip)], [write_log(tmp_path / place, video) for place in ("a", "b")])


def test_a_folder_without_a_log_and_one_of_another_version_are_errors(tmp_path, log):
    with pytest.raises(ValueError, match="holds no log: give a folder that wtmr track wrote"):
        by_log([label()], [tmp_path])
    known = json.loads((log / "log.json").read_text())
    (log / "log.json").write_text(json.dumps(known | {"version": 7}))
    with pytest.raises(ValueError, match="is of version 7, not 1"):
        by_log([label()], [log])


def test_a_video_is_where_the_log_says_or_where_it_is_said_to_be(tmp_path, log, video):
    assert video_of(log) == video
    moved = tmp_path / "archive" / video.name
    moved.parent.mkdir()
    video.rename(moved)
    assert video_of(log, moved) == video_of(log, moved.parent) == moved
    with pytest.raises(ValueError, match=r"its video .*home\.avi is not at .*say where it lies with --video"):
        video_of(log)
    with pytest.raises(ValueError, match="is not at"):
        video_of(log, tmp_path / "nowhere")


def test_a_camera_cannot_be_read_again(tmp_path):
    with pytest.raises(ValueError, match="its video 0 is not at 0"):
        video_of(write_log(tmp_path / "log", "0"))


# -- found again


def test_the_features_are_those_of_which_tracking_makes_its_probabilities(classifier, camera, log, video):
    (found,) = find(classifier, log, [label(start=1.0, end=4.0)], video)
    sightings = [Sighting(n, n / 10, box_of(joints_of(1, n)), 0.9, joints_of(1, n)) for n in range(FRAMES)]
    times, probabilities = poses.activities(classifier, sightings)
    during = (times >= 1) & (times < 4)
    assert during.sum() == len(found.features) == 30
    np.testing.assert_allclose(softmax(head_of(classifier)(found.features), axis=1), probabilities[during], atol=1e-5)


def test_each_person_is_found_by_number(classifier, camera, tmp_path, video):
    log = write_log(tmp_path / "log", video, [(1, 0, 60), (2, 0, 60)])
    one, two = (find(classifier, log, [label(person=n)], video)[0].features for n in "12")
    assert np.abs(one - two).max() > 0.1
    alone = write_log(tmp_path / "alone", video, [(2, 0, 60)])
    np.testing.assert_allclose(find(classifier, alone, [label()], video)[0].features, two, atol=1e-5)


def test_without_a_number_it_is_who_is_there_alone(classifier, camera, tmp_path, video):
    log = write_log(tmp_path / "log", video, [(1, 0, 60), (2, 30, 60)])
    (found,) = find(classifier, log, [label(start=0, end=4)], video)  # person 2 for a second of these four
    assert len(found.features) == 40
    with pytest.raises(ValueError, match="sees the people 1, 2 then; say which in a column person"):
        find(classifier, log, [label(start=3, end=5)], video)


def test_parts_of_one_activity_are_one_episode(classifier, camera, log, video):
    rows = [label(start=0, end=1), label(start=2.5, end=3), label(activity="standing", start=3, end=3.5)]
    rows += [label(start=5.6, end=5.9)]
    found = find(classifier, log, rows, video)
    assert [(f.label.activity, f.label.start, f.label.end, len(f.features)) for f in found] == [
        ("walking", 0, 3, 15),
        ("standing", 3, 3.5, 5),
        ("walking", 5.6, 5.9, 3),
    ]


def test_who_is_not_seen_during_a_label_has_no_features(classifier, camera, tmp_path, video):
    log = write_log(tmp_path / "log", video, [(1, 0, 20)])
    assert [
        len(f.features) for f in find(classifier, log, [label(), label(activity="sitting", start=4, end=5)], video)
    ] == [20, 0]


def test_a_folder_of_frames_has_the_rate_of_the_log(classifier, camera, tmp_path):
    frames = write_frames(tmp_path / "home", [10] * FRAMES, size=SIZE[::-1])
    log = write_log(tmp_path / "log", frames, fps=10.0)
    (found,) = find(classifier, log, [label(start=1.0, end=4.0)], video_of(log))
    assert len(found.features) == 30


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (label(start=4, end=9), r"walking, 4 to 9 s: the video of .*log ends at 5\.9 s; correct the label"),
        (label(person="7"), "has no person 7; it has 1"),
        (label(person="alice"), "has no person alice"),
    ],
)
def test_labels_that_do_not_fit_their_log_are_errors(classifier, camera, log, video, row, said):
    with pytest.raises(ValueError, match=said):
        find(classifier, log, [row], video)


def test_another_video_than_the_logs_is_an_error(classifier, camera, tmp_path, log):
    other = write_video(tmp_path / "other.avi", FRAMES, size=(64, 36))
    with pytest.raises(ValueError, match="64×36 pixels, not 48×36"):
        find(classifier, log, [label()], other)


def test_without_a_detector_of_joints_it_says_what_to_install(classifier, monkeypatch, log, video):
    monkeypatch.setattr(detectors, "poses", lambda: None)
    with pytest.raises(NotInstalled, match="the network takes joints, which movenet finds: pip install"):
        find(classifier, log, [label()], video)


def test_a_log_without_anybody_is_an_error(classifier, camera, tmp_path, video):
    log = write_log(tmp_path / "log", video, [])
    with pytest.raises(ValueError, match="has nobody in it"):
        find(classifier, log, [label()], video)


def test_the_limits_are_those_documented():
    assert (labels.SLACK, labels.NEAR) == (0.5, 2.0)
