"""The miniature sets: bodies that move, the real formats, the same bytes for a seed, whole or absent."""

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wtmr_core import miniature, skeleton
from wtmr_core.miniature import actions, body, sets
from wtmr_core.miniature.camera import Camera
from wtmr_core.miniature.drawing import Figure
from wtmr_core.miniature.recording import FPS

TRAINING_PERFORMERS = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}


@pytest.fixture(scope="module")
def hmdb51(tmp_path_factory):
    return sets.make_hmdb51(tmp_path_factory.mktemp("mini") / "hmdb51", per_class=4, workers=1)


@pytest.fixture(scope="module")
def ntu60(tmp_path_factory):
    return sets.make_ntu60(tmp_path_factory.mktemp("mini") / "ntu60", performers=2)


@pytest.fixture(scope="module")
def svideoqa(tmp_path_factory):
    return sets.make_svideoqa(tmp_path_factory.mktemp("mini") / "svideoqa", sequences=4)


def contents(root: Path) -> dict[str, bytes]:
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def seen(folder):
    """What lies in a folder, without the lock that two makers share."""
    return [f.name for f in folder.iterdir() if f.suffix != ".lock"]


def frames_of(path: Path) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


# ---- the body ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), action=st.sampled_from(sorted(actions.ACTIONS)), heading=st.floats(-7, 7))
def test_bones_turn_and_never_stretch(seed, action, heading):
    rng = np.random.default_rng(seed)
    person, times = body.random_person(rng), np.arange(20) / FPS
    joints = actions.perform(person, [actions.Step(action, -0.3, 1.1, heading)], times, rng)
    bones = np.linalg.norm(joints - joints[:, body.PARENTS], axis=-1)
    np.testing.assert_allclose(bones, np.broadcast_to(np.linalg.norm(person.offsets, axis=1), bones.shape), atol=1e-9)
    # legs and trunk stand or lie on the floor; nobody floats and nobody sinks in
    lowest = np.delete(joints[..., 1], body.ARMS, 1).min(1)
    assert (lowest > 0).all()
    assert (lowest < 0.2).all()


def test_a_heading_of_zero_faces_the_camera_as_in_ntu():
    rng = np.random.default_rng(0)
    joints = actions.perform(body.random_person(rng), [actions.Step("stand", 0, 1)], np.zeros(1), rng)
    seen = Camera((0, 1, 0), 0.0, 3.5, 1.0, 1.0, (1, 1)).see(joints)[0]
    assert seen[skeleton.L_SHOULDER, 0] < seen[skeleton.R_SHOULDER, 0]  # Kinect's picture is mirrored
    assert seen[body.NOSE, 2] < seen[skeleton.HEAD, 2]
    assert seen[skeleton.HIPS, 2] == pytest.approx(3.5, abs=0.2)


def test_walking_moves_and_standing_does_not():
    rng = np.random.default_rng(0)
    person, times = body.random_person(rng), np.arange(30) / FPS
    walk, stand = (
        actions.perform(person, [actions.Step(a, 0, 2, np.pi / 2)], times, rng)[:, skeleton.HIPS]
        for a in ("walk", "stand")
    )
    assert walk[-1, 0] - walk[0, 0] == pytest.approx(-actions.walking_speed(person) * times[-1], abs=0.15)
    assert np.abs(stand - stand[0]).max() < 0.7  # it may have begun on a chair


# ---- all sets ----------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path, ntu60):
    again = sets.make_ntu60(tmp_path / "again", performers=2)
    other = sets.make_ntu60(tmp_path / "other", performers=2, seed=1)
    assert contents(again) == contents(ntu60)
    assert len(contents(other)) == len(contents(ntu60))
    assert contents(other) != contents(ntu60)


def test_the_number_of_processes_changes_no_byte(tmp_path, svideoqa):
    assert contents(sets.make_svideoqa(tmp_path / "two", sequences=4, workers=2)) == contents(svideoqa)


def test_a_clip_does_not_depend_on_the_clips_before_it(tmp_path, hmdb51):
    for shot in list(miniature.hmdb51.shots(0, 4))[5::9]:
        (tmp_path / shot.action).mkdir(exist_ok=True)
        miniature.hmdb51._record(tmp_path, 0, shot)
        name = f"{shot.action}/{shot.name}"
        assert (tmp_path / name).read_bytes() == (hmdb51 / name).read_bytes()


def test_an_interrupted_make_leaves_nothing_and_the_next_makes_it_whole(tmp_path, monkeypatch):
    write, calls = miniature.ntu60._write_skeleton, []

    def fail(*args):
        calls.append(args)
        if len(calls) > 5:
            raise KeyboardInterrupt
        write(*args)

    monkeypatch.setattr(miniature.ntu60, "_write_skeleton", fail)
    with pytest.raises(KeyboardInterrupt):
        sets.make_ntu60(tmp_path / "ntu60", performers=1)
    assert seen(tmp_path) == []
    monkeypatch.undo()
    root = sets.make_ntu60(tmp_path / "ntu60", performers=1)
    assert seen(tmp_path) == ["ntu60"]
    assert len(list((root / "nturgb+d_skeletons").iterdir())) == 53


def test_a_whole_set_is_left_alone_and_another_seed_replaces_it(tmp_path, monkeypatch):
    root = sets.make_ntu60(tmp_path / "ntu60", performers=1)
    before = contents(root)
    with monkeypatch.context() as patch:
        patch.setattr(miniature.ntu60, "write", lambda *_: pytest.fail("made again"))
        assert sets.make_ntu60(root, performers=1) == root
    sets.make_ntu60(root, performers=1, seed=3)
    assert contents(root) != before
    assert seen(tmp_path) == ["ntu60"]


def test_recordings_that_are_no_miniature_are_never_touched(tmp_path):
    (tmp_path / "real.avi").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError, match="choose another folder"):
        sets.make("hmdb51", tmp_path)
    assert contents(tmp_path) == {"real.avi": b"somebody's"}


def test_an_unknown_set_is_named(tmp_path):
    with pytest.raises(ValueError, match="kinetics"):
        sets.make("kinetics", tmp_path)


# ---- hmdb51 ------------------------------------------------------------------------------


def test_hmdb51_clips_decode(hmdb51):
    name = re.compile(r"(.+)_([a-z_]+)_[fhul]_(cm|nm)_np1_(fr|ba|le|ri)_(bad|med|goo)_\d+\.avi")
    for action in miniature.hmdb51.CLASSES:
        clips = sorted((hmdb51 / action).iterdir())
        assert len(clips) == 4
        for clip in clips:
            assert name.fullmatch(clip.name)
            assert f"_{action}_" in clip.name
        frames = frames_of(clips[0])
        assert 20 <= len(frames) <= 40
        assert frames[0].shape == (240, 320, 3)


def test_hmdb51_films_never_cross_a_split(hmdb51):
    for split in (1, 2, 3):
        sides, listed = {}, []
        for action in miniature.hmdb51.CLASSES:
            text = (hmdb51 / f"testTrainMulti_7030_splits/{action}_test_split{split}.txt").read_text()
            rows = re.findall(r"^(\S+\.avi) ([012]) $", text, re.MULTILINE)
            assert len(rows) == len(text.splitlines()) == 4
            for clip, side in rows:
                sides.setdefault(clip.split(f"_{action}_")[0], set()).add(side)
                listed.append(f"{action}/{clip}")
        assert all((hmdb51 / clip).exists() for clip in listed)
        assert all(len(side) == 1 for side in sides.values())
        assert {s for side in sides.values() for s in side} == {"1", "2"}


def test_at_full_size_every_split_is_about_70_30_with_a_few_unused():
    shots = list(miniature.hmdb51.shots(0, 60))
    assert len({s.name for s in shots}) == len(shots) == 480
    tested = []
    for split in (1, 2, 3):
        sides = miniature.hmdb51._sides(0, 60, split)
        counts = np.bincount([sides[s.film] for s in shots]) / len(shots)
        assert counts[2] == pytest.approx(0.3, abs=0.06)
        assert 0 < counts[0] < 0.1
        tested.append({film for film, side in sides.items() if side == 2})
    assert not set.intersection(*tested)


@pytest.mark.parametrize("action", ["walk", "fall_floor", "sit"])
def test_boxes_hold_the_projected_joints(action):
    rng = np.random.default_rng(1)
    person, times = body.random_person(rng), np.arange(15) / FPS
    joints = actions.perform(person, [actions.Step(action, 0, 1, 1.0)], times, rng)
    camera = Camera((0, 0.9, 0), 0.4, 4.5, 1.6, 400.0, (320, 240))
    pixels, _ = camera.project(joints[:, :25])
    boxes = Figure(person, joints, camera).boxes[:, None]
    assert (pixels >= boxes[..., :2]).all()
    assert (pixels <= boxes[..., :2] + boxes[..., 2:]).all()


def test_hmdb51_truth_covers_every_frame_and_every_episode(hmdb51):
    boxes, episodes = (pd.read_csv(hmdb51 / f"truth/{kind}.csv") for kind in ("boxes", "episodes"))
    assert (boxes[["x", "y"]] >= 0).all(axis=None)
    assert (boxes.x + boxes.w <= 320.11).all()
    assert (boxes.y + boxes.h <= 240.11).all()
    assert boxes.visible.between(0, 1).all()
    for clip in ("walk", "truth/tracking"):
        path = sorted((hmdb51 / clip).glob("*.avi"))[-1]
        rows = boxes[boxes["clip"] == path.relative_to(hmdb51).as_posix()]
        assert rows.frame.nunique() == len(frames_of(path))
        assert set(episodes[episodes["clip"] == rows["clip"].iloc[0]].person) == set(rows.person)
    assert (episodes.end_s > episodes.start_s).all()
    assert boxes[boxes["clip"] == "truth/tracking/room_02.avi"].person.nunique() == 3


# ---- ntu60 -------------------------------------------------------------------------------


def read_skeleton(path: Path) -> list[list[tuple[int, np.ndarray]]]:
    """Frames of bodies: an id and joints (25, 12); every line must be as Kinect's recorder wrote it."""
    lines = iter(path.read_text().splitlines())
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            head = next(lines).split()
            assert len(head) == 10
            assert int(next(lines)) == 25
            joints = np.array([[float(v) for v in next(lines).split()] for _ in range(25)])
            assert joints.shape == (25, 12)
            bodies.append((int(head[0]), joints))
        frames.append(bodies)
    assert next(lines, None) is None
    return frames


def test_skeleton_files_have_the_real_structure(ntu60):
    files = sorted((ntu60 / "nturgb+d_skeletons").iterdir())
    lines = (ntu60 / "NTU_RGBD_samples_with_missing_skeletons.txt").read_text().splitlines()
    missing = lines[3:]
    assert len(files) == 2 * 3 * 2 * 9 - 1
    assert lines[2] == ""
    assert len(missing) == 2
    names = {f.stem for f in files}
    assert len(names & set(missing)) == 1  # one has no file, one a file without anybody
    for file in files:
        frames = read_skeleton(file)
        assert 20 <= len(frames) <= 40
        ids = {number for bodies in frames for number, _ in bodies}
        if file.stem in missing:
            assert ids == set()
        elif int(file.stem[-3:]) in miniature.ntu60.TWO_PERSON:
            assert len(ids) == 2
        else:
            assert len(ids) in (1, 2)
            assert all(2**56 < number < 2**63 for number in ids)
    assert {int(n[9:12]) in TRAINING_PERFORMERS for n in names} == {True, False}


def test_depth_and_colour_pixels_follow_from_the_metres(ntu60):
    joints = read_skeleton(sorted((ntu60 / "nturgb+d_skeletons").glob("*A023*"))[0])[5][0][1]
    x, _, z, depth_u, _, colour_u = joints[:, :6].T
    np.testing.assert_allclose(depth_u, 366.4 * x / z + 256.3, rtol=1e-4)
    np.testing.assert_allclose(colour_u, 1052.0 * x / z + 976.4, rtol=1e-4)
    assert 2 < z.mean() < 6


def test_cameras_see_one_performance(ntu60):
    lengths = {c: len(read_skeleton(ntu60 / f"nturgb+d_skeletons/S001C00{c}P001R001A010.skeleton")) for c in (1, 2, 3)}
    assert len(set(lengths.values())) == 1


# ---- svideoqa ----------------------------------------------------------------------------


def test_svideoqa_tables_and_frames_read_back(svideoqa):
    cameras = sorted(svideoqa.glob("videosequence-*/subject*/Camera*"))
    assert {c.name for c in cameras} == {"Camera01", "Camera02"}
    kinds, words = set(), {}
    for camera in cameras:
        (table,) = camera.glob("qa.*")
        kinds.add(table.suffix)
        rows = pd.read_excel(table) if table.suffix == ".xls" else pd.read_csv(table)
        assert list(rows.columns) == ["question", "answer"]
        (word,) = set(rows.answer) & set(miniature.svideoqa.WORDS)
        words.setdefault(camera.parent.parent.name, set()).add(word)
        frames = sorted(camera.glob("frame_*.jpg"))
        assert 20 <= len(frames) <= 30
        assert cv2.imread(str(frames[0])).shape == (120, 160, 3)
    assert kinds == {".csv", ".xls"}
    assert max(len(w) for w in words.values()) == 2  # one label for a sequence would be wrong


def test_only_a_miniature_of_the_same_set_is_replaced(tmp_path):
    """A `mini.json` of somebody's own, another miniature and a file put into one are all left alone, by name."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mini.json").write_text('{"note": "mine"}')
    with pytest.raises(FileExistsError, match=r"own holds files but no mini\.json"):
        sets.make("svideoqa", tmp_path / "own")
    root = sets.make_ntu60(tmp_path / "ntu60", performers=1)
    with pytest.raises(FileExistsError, match="ntu60 holds the miniature ntu60: choose another folder for svideoqa"):
        sets.make("svideoqa", root)
    (root / "thesis.txt").write_text("mine")
    before = contents(root)
    with pytest.raises(FileExistsError, match=r"thesis\.txt in it is no part of (it|a miniature): move it away"):
        sets.make_ntu60(root, performers=1, seed=1)
    assert contents(root) == before
    with pytest.raises(ValueError, match="seed is -1"):
        sets.make("ntu60", tmp_path / "new", seed=-1)
