"""From a video to its log: the command and what it promises, with people who are where the test says they are."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import warnings
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import supervision as sv
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import write_video
from wtmr_core.__main__ import main
from wtmr_core.classifier import Classifier
from wtmr_core.datasets.stream import Frame
from wtmr_core.tracking import activity, detectors, poses
from wtmr_core.tracking.boxes import detections, with_joints
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.person import Person
from wtmr_core.tracking.table import COLUMNS
from wtmr_core.tracking.track import HOME, Moment, _between, track

SIZE = (320, 240)
STANDING = np.array(  # COCO's 17 joints of somebody upright, 1 high, x from -½
    [(0, .06), (.02, .05), (-.02, .05), (.04, .06), (-.04, .06), (.1, .18), (-.1, .18), (.13, .35), (-.13, .35),
     (.14, .5), (-.14, .5), (.06, .52), (-.06, .52), (.06, .75), (-.06, .75), (.06, .97), (-.06, .97)]
)  # fmt: skip


class Actor:
    """A detector that sees one person: walking to the right at 10 frames a second, from `fall` seconds on falling, and
    a second later on the floor."""

    name, joints = "actor", True

    def __init__(self, fall: float = math.inf, interrupt: float = math.inf):
        self.fall, self.interrupt, self.seconds = fall, interrupt, 0.0

    def __call__(self, picture: np.ndarray) -> sv.Detections:
        if self.seconds >= self.interrupt:
            raise KeyboardInterrupt
        swing = 0.08 * np.sin(2 * np.pi * self.seconds)
        body = STANDING.copy()
        body[[13, 15], 0] += swing
        body[[14, 16], 0] -= swing
        turn = np.clip(self.seconds - self.fall, 0, 1) * np.pi / 2
        body = (body - [0, 0.97]) @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).T
        x = 60 + 20 * min(self.seconds, self.fall)
        joints = np.concatenate([body * 150 + [x, 220], np.full((17, 1), 0.8)], axis=1)
        self.seconds += 0.1
        low, high = joints[:, :2].min(axis=0) - 5, joints[:, :2].max(axis=0) + 5
        return detections([[*low, *high]], [0.9], picture.shape[:2], joints[None])


@pytest.fixture
def actor(monkeypatch):
    """Puts an `Actor` in the place of the detector."""

    def put(**given: float) -> None:
        monkeypatch.setattr(detectors, "load", lambda name: Actor(**given))

    return put


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "home.avi", frames=80, size=SIZE)


def command(*arguments, capsys) -> tuple[int, str, str]:
    status = main(["track", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_writes_what_it_promises(video, tmp_path, actor, capsys):
    actor()
    status, out, _ = command(video, "--out", tmp_path / "log", "--json", "--page", "--video", capsys=capsys)
    summary = json.loads(out)
    assert status == 0
    assert set(summary) == {"frames", "seconds", "people", "episodes", "detector", "fps_processed", "warnings"}
    assert summary["frames"] == 80
    assert summary["seconds"] == pytest.approx(7.9)  # that of the last frame
    assert summary["fps_processed"] == pytest.approx(10, abs=0.2)
    assert (summary["people"], summary["detector"], summary["warnings"]) == (1, "actor", [])
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv")
    assert tuple(episodes.columns) == COLUMNS
    assert len(episodes) == summary["episodes"] > 0
    assert episodes.activity.mode()[0] == "walking"
    assert all((tmp_path / "log" / name).is_file() for name in episodes.keyframe_best)
    tracks = np.loadtxt(tmp_path / "log" / "tracks.txt", delimiter=",")
    assert tracks[:, 0].tolist() == list(range(1, 81))
    assert (tracks[:, 1] == 1).all()
    for name in ("log.json", "episodes.parquet", "annotated.mp4", "page.html", "timeline.png", "contact_sheet.jpg"):
        assert (tmp_path / "log" / name).is_file(), name


def test_frames_that_are_not_looked_at_have_boxes_too(tmp_path, actor, capsys):
    actor()
    video = cv2.VideoWriter(str(tmp_path / "fast.avi"), cv2.VideoWriter.fourcc(*"XVID"), 30, SIZE)
    for _ in range(90):
        video.write(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    video.release()
    _, out, _ = command(tmp_path / "fast.avi", "--out", tmp_path / "log", "--json", capsys=capsys)
    summary = json.loads(out)
    assert summary["frames"] == 90
    assert summary["fps_processed"] == pytest.approx(10, abs=0.5)
    tracks = np.loadtxt(tmp_path / "log" / "tracks.txt", delimiter=",")
    assert tracks[:, 0].tolist() == list(range(1, 89))  # 88 is the last that is looked at
    assert np.diff(tracks[:, 2]).max() < 2  # pixels: the box moves evenly


def test_boxes_move_evenly_between_two_frames_and_not_across_a_gap():
    before = Moment(Frame(3, 0.1, None), {1: Sighting(3, 0.1, np.array([0, 0, 10, 10.0]), 0.5), 2: None})
    after = Moment(Frame(5, 0.3, None, (4,)), {1: Sighting(5, 0.3, np.array([4, 2, 14, 12.0]), 0.7)})
    ((number, people),) = _between(before, after)
    assert (number, people[1].seconds, list(people)) == (4, pytest.approx(0.2), [1])
    assert people[1].box.tolist() == [2, 1, 12, 11]
    assert people[1].score == pytest.approx(0.6)
    assert not list(_between(before, Moment(Frame(50, 2.0, None), after.people)))
    assert not list(_between(None, after))


def test_followed_a_fall_is_told_within_two_seconds_and_so_is_an_episode(video, tmp_path, actor, capsys):
    actor(fall=3.0)
    status, out, _ = command(video, "--out", tmp_path / "log", "--follow", capsys=capsys)
    events = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    (fall,) = [event for event in events if event["event"] == "fall"]
    assert fall["start_s"] == pytest.approx(3.0, abs=0.6)
    assert fall["at_s"] - 3.0 <= 2.0
    assert events[-1] == {
        "event": "log",
        "episodes": len(pd.read_csv(tmp_path / "log" / "episodes.csv")),
        "corrected": 0,
    }
    ended = [event for event in events if event["event"] == "episode"]
    assert [event["activity"] for event in ended][:2] == ["walking", "falling"]
    assert all(event["delay_s"] <= 2.05 for event in ended)
    assert all(event["delay_s"] == pytest.approx(max(0, event["at_s"] - event["end_s"]), abs=0.002) for event in ended)


def test_a_log_of_nobody_is_empty(video, tmp_path, capsys):
    status, out, _ = command(video, "--out", tmp_path / "log", "--detector", "hog", "--json", capsys=capsys)
    assert (status, json.loads(out)["people"], json.loads(out)["episodes"]) == (0, 0, 0)
    assert (tmp_path / "log" / "episodes.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert (tmp_path / "log" / "tracks.txt").read_text() == ""


@pytest.mark.parametrize("content", [None, b"", b"no video at all", b"RIFF\x10\x00\x00\x00AVI LIST"])
def test_nothing_to_read_is_one_sentence_and_leaves_no_log(content, tmp_path, capsys):
    source = tmp_path / "broken.avi"
    if content is not None:
        source.write_bytes(content)
    status, out, err = command(source, "--out", tmp_path / "log", "--detector", "hog", capsys=capsys)
    assert (status, out) == (1, "")
    assert err.startswith("wtmr: ")
    assert "broken.avi" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "log").exists()


def test_a_folder_of_frames_needs_its_rate(tmp_path, capsys):
    for number in range(12):
        (tmp_path / "frames").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "frames" / f"{number:03}.png"), np.zeros((60, 80, 3), np.uint8))
    given = (tmp_path / "frames", "--out", tmp_path / "log", "--detector", "hog", "--json")
    status, _, err = command(*given, capsys=capsys)
    assert status == 1
    assert "fps" in err
    status, out, _ = command(*given, "--fps", 4, capsys=capsys)
    assert (status, json.loads(out)["frames"], json.loads(out)["seconds"]) == (0, 12, 2.75)
    status, _, err = command(*given, "--fps", "nan", capsys=capsys)
    assert (status, "fps" in err) == (1, True)


def test_people_and_ids_of_a_file(video, tmp_path, monkeypatch, capsys):
    """Without joints it is by their boxes that people are still or walk."""
    monkeypatch.setattr(detectors, "poses", lambda: None)
    rows = [f"{t + 1},7,20,60,40,120,1,-1,-1,-1\n{t + 1},9,{20 + 3 * t},50,40,120,1,-1,-1,-1" for t in range(80)]
    (tmp_path / "boxes.txt").write_text("\n".join(rows))
    given = (video, "--out", tmp_path / "log", "--boxes", tmp_path / "boxes.txt", "--json")
    _, out, _ = command(*given, capsys=capsys)
    assert json.loads(out)["detector"] == "boxes"
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv")
    assert dict(zip(episodes.person, episodes.activity, strict=True)) == {7: "still", 9: "walking"}
    (tmp_path / "boxes.txt").write_text("1,7,20,60,40")
    status, _, err = command(*given, capsys=capsys)
    assert status == 2
    assert "line 1" in err


def test_where_joints_are_seen_for_a_part_the_rest_goes_by_boxes(video, tmp_path, monkeypatch):
    """Somebody walks for eight seconds, with joints in the first five."""
    actor = Actor()

    def poses(picture: np.ndarray) -> sv.Detections:
        people = actor(picture)
        return people if actor.seconds <= 5 else people[:0]

    monkeypatch.setattr(detectors, "poses", lambda: poses)
    walker, rows = Actor(), []
    for t in range(80):
        x1, y1, x2, y2 = walker(np.zeros((SIZE[1], SIZE[0], 3), np.uint8)).xyxy[0]
        rows.append(f"{t + 1},3,{x1},{y1},{x2 - x1},{y2 - y1},1,-1,-1,-1")
    (tmp_path / "boxes.txt").write_text("\n".join(rows))
    track(video, tmp_path / "log", boxes=tmp_path / "boxes.txt")
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv")
    assert episodes.start_s.iloc[0] == 0
    assert episodes.duration_s.sum() == pytest.approx(8, abs=0.2)
    assert (episodes.end_s.to_numpy()[:-1] <= episodes.start_s.to_numpy()[1:] + 1e-9).all()
    assert set(episodes.activity[episodes.start_s > 5]) <= {"still", "walking"}
    assert episodes.end_s.iloc[-1] > 7.5


def test_zones_name_where_it_was_and_one_outside_is_refused(video, tmp_path, actor, capsys):
    actor(fall=2.0)
    zones = tmp_path / "zones.yaml"
    zones.write_text("size: [320, 240]\nzones: {bed: [[200, 0], [319, 0], [319, 239], [200, 239]]}\n")
    given = (video, "--out", tmp_path / "log", "--zones", zones)
    assert command(*given, capsys=capsys)[0] == 0
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv").set_index("activity")
    assert "on the floor" in episodes.context["lying"]
    zones.write_text("size: [320, 240]\nzones: {bed: [[200, 0], [719, 0], [319, 239]]}\n")
    status, _, err = command(*given, capsys=capsys)
    assert status == 2
    assert "bed" in err


def test_what_breaks_off_is_logged_up_to_there_and_said(video, tmp_path, actor, capsys):
    actor()
    data = video.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) * 2 // 3])
    status, out, err = command(cut, "--out", tmp_path / "log", "--json", capsys=capsys)
    summary = json.loads(out)
    assert status == 0
    assert 10 < summary["frames"] < 80
    assert summary["warnings"]
    assert "cut.avi" in err
    assert len(pd.read_csv(tmp_path / "log" / "episodes.csv")) == summary["episodes"] > 0


def test_interrupted_the_log_holds_what_was_seen_until_then(video, tmp_path, actor, capsys):
    actor(interrupt=5.0)
    status, _, _ = command(video, "--out", tmp_path / "log", capsys=capsys)
    assert status == 130
    episodes = pd.read_csv(tmp_path / "log" / "episodes.csv")
    assert 4.0 < episodes.end_s.max() <= 5.1
    assert json.loads((tmp_path / "log" / "log.json").read_text())["complete"] is False


def test_a_reader_who_has_gone_ends_it_with_a_whole_log(video, tmp_path, actor):
    """Of the two events, the first cannot be printed, and the second is not tried."""
    actor(fall=3.0)
    tried = []

    def closed(event):
        tried.append(event)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        track(video, tmp_path / "log", tell=closed)
    assert len(tried) == 1
    log = json.loads((tmp_path / "log" / "log.json").read_text())
    assert log["complete"] is False
    assert "falling" in [row["activity"] for row in log["episodes"]]
    assert all((tmp_path / "log" / row["keyframe_best"]).is_file() for row in log["episodes"])


def test_boxes_after_the_end_of_the_video_are_counted(video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detectors, "poses", lambda: None)
    (tmp_path / "boxes.txt").write_text("".join(f"{t + 1},7,20,60,40,120\n" for t in range(60, 83)))
    given = (video, "--out", tmp_path / "log", "--boxes", tmp_path / "boxes.txt", "--json")
    status, out, _ = command(*given, capsys=capsys)
    assert status == 0
    assert any("3 are of frames after the video's last, 80" in warning for warning in json.loads(out)["warnings"])


def test_a_folder_s_boxes_and_tracks_go_by_the_numbers_of_its_pictures(tmp_path, monkeypatch, capsys):
    """At 25 a second not all are looked at; 260 to 264 are absent."""
    monkeypatch.setattr(detectors, "poses", lambda: None)
    numbers = [*range(236, 260), *range(265, 290)]
    (tmp_path / "frames").mkdir()
    for number in numbers:
        cv2.imwrite(str(tmp_path / "frames" / f"{number:06}.png"), np.zeros((60, 80, 3), np.uint8))
    rows = {number: [5 + number % 7, 5, 20, 40] for number in numbers}  # back and forth between those looked at
    (tmp_path / "boxes.txt").write_text("".join(f"{n},1,{','.join(map(str, box))}\n" for n, box in rows.items()))
    given = (tmp_path / "frames", "--out", tmp_path / "log", "--fps", 25, "--boxes", tmp_path / "boxes.txt", "--json")
    status, out, _ = command(*given, capsys=capsys)
    assert status == 0
    assert not [warning for warning in json.loads(out)["warnings"] if warning.startswith("boxes left out")]
    tracks = np.loadtxt(tmp_path / "log" / "tracks.txt", delimiter=",")
    assert set(numbers) - set(tracks[:, 0]) <= {288, 289}  # behind the last that is looked at
    np.testing.assert_allclose(tracks[:, 2:6], [rows[int(number)] for number in tracks[:, 0]], atol=0.01)


def test_without_movenet_it_goes_on_with_hog_and_says_so(video, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    status, out, _ = command(video, "--out", tmp_path / "log", "--json", capsys=capsys)
    summary = json.loads(out)
    assert (status, summary["detector"]) == (0, "hog")
    assert ["pip install" in warning for warning in summary["warnings"]] == [True, True]  # for people, and for joints
    status, _, err = command(video, "--out", tmp_path / "log", "--detector", "movenet", capsys=capsys)
    assert status == 2
    assert "pip install 'wtmr-core[people]'" in err


def test_a_file_is_no_folder_for_a_log(video, tmp_path, capsys):
    (tmp_path / "log").write_text("mine")
    for folder in (tmp_path / "log", tmp_path / "log" / "below"):
        status, _, err = command(video, "--out", folder, "--detector", "hog", capsys=capsys)
        assert status == 2
        assert err == f"wtmr: {folder} is no folder: name one for the log\n"
    assert (tmp_path / "log").read_text() == "mine"


KILLED = """
import sys, time
from tests.tracking.test_track import Actor
from wtmr_core.tracking import detectors
from wtmr_core.__main__ import main
class Slow(Actor):
    def __call__(self, picture):
        time.sleep(0.03)
        return super().__call__(picture)
detectors.load = lambda name: Slow(fall=2.0)
sys.exit(main(["track", sys.argv[1], "--out", sys.argv[2]]))
"""


def test_killed_the_rows_up_to_then_are_whole(tmp_path):
    video = write_video(tmp_path / "long.avi", frames=600, size=SIZE)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(video), str(tmp_path / "log")]) as process:
        episodes = tmp_path / "log" / "episodes.csv"
        deadline = time.monotonic() + 60
        while not (episodes.is_file() and episodes.read_text().count("\n") >= 2) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    lines = episodes.read_text()
    assert lines.endswith("\n")
    assert all(line.count(",") == len(COLUMNS) - 1 for line in lines.splitlines())
    assert lines.count("\n") >= 2
    tracks = (tmp_path / "log" / "tracks.txt").read_text()
    assert all(line.count(",") == 9 for line in tracks.splitlines())
    assert json.loads((tmp_path / "log" / "log.json").read_text())["complete"] is False


def test_sigterm_ends_it_as_ctrl_c_does(tmp_path):
    video = write_video(tmp_path / "long.avi", frames=600, size=SIZE)
    with subprocess.Popen([sys.executable, "-c", KILLED, str(video), str(tmp_path / "log")]) as process:
        tracks = tmp_path / "log" / "tracks.txt"
        deadline = time.monotonic() + 60
        while not (tracks.is_file() and tracks.stat().st_size > 40 * 64) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.terminate()
    assert process.returncode == 130
    log = json.loads((tmp_path / "log" / "log.json").read_text())
    assert log["complete"] is False
    assert log["episodes"][-1]["end_s"] > 3.5
    assert len(pd.read_csv(tmp_path / "log" / "episodes.csv")) == len(log["episodes"])


def test_another_classifier_that_cannot_serve_is_refused(video, tmp_path, actor, capsys):
    actor()
    status, _, err = command(video, "--out", tmp_path / "log", "--model", tmp_path / "no-run", capsys=capsys)
    assert status == 2
    assert "no-run" in err


# -- parts


@pytest.fixture(scope="module")
def home():
    return Classifier.load(HOME)


@given(st.lists(st.integers(1, 12), min_size=2, max_size=60), st.integers(0, 99))
def test_while_a_video_runs_steps_are_those_of_the_whole(home, pauses, seed):
    """Sightings at irregular times, with gaps of up to 1.2 s; the network is asked again and again."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(pauses) / 10
    sightings = [Sighting(n, float(t), np.zeros(4), 1.0, rng.normal(size=(17, 3))) for n, t in enumerate(times)]
    running, parts = activity.of(home), []
    for sighting in sightings:
        parts.append(running.ready(sighting.seconds - 1e-3))
        running.add(sighting, None)
        parts.append(running.ready(sighting.seconds))
    parts.append(running.ready())
    steps, probabilities = (np.concatenate(part) for part in zip(*parts, strict=True))
    whole = poses.activities(home, sightings)
    np.testing.assert_allclose(steps, whole[0], atol=1e-9)
    np.testing.assert_allclose(probabilities, whole[1], atol=1e-4)


def test_a_crop_is_the_square_round_a_box_with_the_border_repeated():
    picture = np.arange(100 * 80 * 3, dtype=np.uint32).reshape(100, 80, 3).astype(np.uint8)
    inner = activity.crop(picture, np.array([30, 40, 50, 60]))
    assert np.array_equal(inner, picture[37:63, 27:53])  # 20 pixels and 15 % of them on each side
    edge = activity.crop(picture, np.array([-10, 40, 10, 60]))
    assert edge.shape == (26, 26, 3)
    assert np.array_equal(edge[:, 13:], picture[37:63, :13])
    assert np.array_equal(edge[:, 0], picture[37:63, 0])


def test_joints_go_to_the_box_that_they_fill():
    people = detections([[0, 0, 50, 100], [100, 0, 150, 100]], [0.9, 0.8], (200, 300))
    seen = detections([[98, 2, 149, 97]], [0.5], (200, 300), np.full((1, 17, 3), 7.0))
    joints = with_joints(people, seen).data["joints"]
    assert np.isnan(joints[0]).all()
    assert (joints[1] == 7).all()


def test_the_home_model_comes_with_the_package(home):
    assert {"walking", "standing", "sitting", "lying", "falling"} <= set(home.classes)
    assert sum(file.stat().st_size for file in HOME.iterdir()) < 3e6


def test_a_real_home_clip_has_one_person_who_falls(recordings, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="MoveNet is not installed: pip install 'wtmr-core[people]'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = track(recordings / "homes" / "subject-4" / "fall-01.mp4", tmp_path)
    episodes = pd.read_csv(tmp_path / "episodes.csv")
    assert (summary["frames"], summary["people"]) == (139, 1)
    falls = episodes[episodes.activity == "falling"]
    assert len(falls) == 1
    assert 0.8 <= falls.start_s.iloc[0] <= 4.3  # true: 1.8 s


def test_little_stays_of_a_person():
    """Of each step of an hour (36,000) its second, its probabilities, a box and a head stay: 80 bytes, up to half as
    much again for lists that grow."""
    classifier = Classifier.load(HOME)
    row = np.full((1, len(classifier.classes)), 1 / len(classifier.classes), np.float32)
    person = Person(classifier)
    person._activity = SimpleNamespace(add=lambda *_: None, ready=lambda now: (np.array([now]), row.copy()))

    def step(number: int) -> None:
        person.add(Sighting(number, number / 10, np.array([10, 20, 30, 90]), 0.9), None)
        person.news(number / 10)

    for number in range(100):
        step(number)
    tracemalloc.start()
    for number in range(100, 2100):
        step(number)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2000 * 115
    assert person.probabilities()[1].shape == (2100, len(classifier.classes))
