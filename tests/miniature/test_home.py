"""The miniature home: what is said to be true of the video is true of it."""

import av
import numpy as np
import pandas as pd
import pytest
import yaml

from wtmr_core.miniature import acts, body, home, sets
from wtmr_core.miniature.acts import Script, act
from wtmr_core.miniature.drawing import Figure, draw, shown
from wtmr_core.miniature.recording import FPS, generator
from wtmr_core.tracking.zones import Zones

SECONDS = 2.0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return sets.make_home(tmp_path_factory.mktemp("mini") / "home", seconds=SECONDS)


def tracks_of(root):
    return np.loadtxt(root / "truth/tracks.txt", delimiter=",")


def contents(root):
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def minute():
    """Home, scripts, times and joints (t, m, 26, 3) of the whole of the default video, which need no drawing."""
    rng = generator(0, "home")
    place = home.random_home(rng)
    people = home.random_people(place.room, rng)
    scripts = home.scripts(people, place.side, rng)
    times = np.arange(round(home.SECONDS * FPS)) / FPS
    joints = np.stack([act(s.person, s.acts, times, np.random.default_rng(0)) for s in scripts], 1)
    return place, scripts, times, joints


# ---- the video and its truth -------------------------------------------------------------


def test_the_video_has_the_frames_and_times_that_the_truth_has(root):
    with av.open(str(root / "home.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = list(container.decode(video=0))
    with np.load(root / "truth/joints.npz") as truth:
        assert truth["joints"].shape == (len(frames), 3, 17, 2)
        assert truth["visible"].shape == (len(frames), 3, 17)
        np.testing.assert_allclose([frame.time for frame in frames], truth["seconds"], atol=1e-3)
    assert len(frames) == round(SECONDS * FPS)
    assert (frames[0].width, frames[0].height) == home.SIZE


def test_tracks_are_mot_rows_within_the_picture(root):
    tracks = tracks_of(root)
    assert tracks.shape[1] == 10
    frames, people = tracks[:, 0], tracks[:, 1]
    assert frames.min() == 1
    assert frames.max() <= round(SECONDS * FPS)
    assert set(people) == {1, 3}  # the second has not come in yet
    assert (tracks[:, 2:4] >= 0).all()
    assert (tracks[:, 2:4] + tracks[:, 4:6] <= home.SIZE).all()
    assert (tracks[:, 6:] == [1, 1, -1, -1]).all()


def test_boxes_hold_their_persons_pixels_and_visible_joints(root):
    """The frame differs from the empty room inside the boxes, and outside them by no more than noise and shadows."""
    place = home.random_home(generator(0, "home"))
    empty = place.show()[0].astype(int)
    with av.open(str(root / "home.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    different = np.abs(frame - empty).max(-1) > 90
    for _, _, x, y, w, h in tracks_of(root)[tracks_of(root)[:, 0] == 1][:, :6]:
        inside = np.s_[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1]
        assert different[inside].mean() > 0.1
        different[inside] = False
    assert different.mean() < 0.002
    with np.load(root / "truth/joints.npz") as truth:
        joints, visible = truth["joints"][0], truth["visible"][0]
    for _, person, x, y, w, h in tracks_of(root)[tracks_of(root)[:, 0] == 1][:, :6]:
        points = joints[int(person) - 1][visible[int(person) - 1]]
        assert len(points) > 8
        assert ((points >= [x, y]) & (points <= [x + w, y + h])).all()


def test_a_shoulder_seen_on_the_left_of_who_faces_the_camera_is_the_right_one(root):
    with np.load(root / "truth/joints.npz") as truth:
        third = truth["joints"][0, 2]  # sits and faces the camera
    left, right = 5, 6
    assert third[right, 0] < third[left, 0]
    assert third[0, 1] < third[11, 1] < third[15, 1]  # nose over hip over ankle


def test_zones_are_polygons_in_the_picture(root):
    zones = yaml.safe_load((root / "zones.yaml").read_text())
    assert sorted(zones) == ["bed", "door", "sofa", "table"]
    for polygon in zones.values():
        assert len(polygon) >= 4
        assert (np.array(polygon) >= 0).all()
        assert (np.array(polygon) < home.SIZE).all()


@pytest.mark.parametrize("seed", range(4))
def test_who_sits_or_lies_is_in_the_zone_of_what_bears_them(seed):
    """The first person uses the bed, the others the sofa; the second falls to the floor."""
    rng, times = generator(seed, "home"), np.arange(round(home.SECONDS * FPS)) / FPS
    place = home.random_home(rng)
    people, zones = home.random_people(place.room, rng), Zones.of(place.zones(), home.SIZE)
    for number, script in enumerate(home.scripts(people, place.side, rng), 1):
        script.stay(home.SECONDS - script.seconds)
        figure = Figure(script.person, act(script.person, script.acts, times, rng), place.camera)
        boxes = np.concatenate([figure.boxes[:, :2], figure.boxes[:, :2] + figure.boxes[:, 2:]], 1)
        for _, activity, start, end in home.episodes(number, script, np.ones(len(times), bool)):
            if activity in ("sitting", "lying"):
                during = boxes[round(float(start) * FPS) : round(float(end) * FPS)]
                places = {zones.at_box(box, activity) for box in during}
                assert places == {"" if (number, activity) == (2, "lying") else "bed" if number == 1 else "sofa"}


def test_a_seed_gives_the_same_bytes_and_another_seed_others(root, tmp_path):
    again = sets.make_home(tmp_path / "again", seconds=SECONDS)
    other = sets.make_home(tmp_path / "other", seed=1, seconds=SECONDS)
    assert contents(again) == contents(root)
    assert contents(other)["home.mp4"] != contents(root)["home.mp4"]
    assert contents(other)["joints.npz"] != contents(root)["joints.npz"]


def test_a_home_that_is_there_is_not_made_again_and_nothing_of_others_is_overwritten(root, tmp_path):
    before = (root / "home.mp4").stat().st_mtime_ns
    assert sets.make_home(root, seconds=SECONDS) == root
    assert (root / "home.mp4").stat().st_mtime_ns == before
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="choose another folder"):
        sets.make_home(tmp_path)
    with pytest.raises(ValueError, match="one frame"):
        sets.make_home(tmp_path / "new", seconds=0)


# ---- episodes ----------------------------------------------------------------------------


def test_everything_happens_within_the_minute_for_many_seeds():
    for seed in range(30):
        rng = generator(seed, "home")
        place = home.random_home(rng)
        for script in home.scripts(home.random_people(place.room, rng), place.side, rng):
            assert script.seconds < home.SECONDS


def test_episodes_of_one_person_follow_each_other_and_name_every_activity(minute):
    _, scripts, times, _ = minute
    rows = [row for m, s in enumerate(scripts) for row in home.episodes(m + 1, s, np.ones(len(times), bool))]
    table = pd.DataFrame(rows, columns=["person", "activity", "start_s", "end_s"])
    table = table.astype({"start_s": float, "end_s": float})
    assert set(table.activity) == set(acts.ACTIVITIES)
    assert (table.end_s > table.start_s).all()
    for _, own in table.groupby("person"):
        assert (own.start_s.to_numpy()[1:] == own.end_s.to_numpy()[:-1]).all()
        assert (own.activity.to_numpy()[1:] != own.activity.to_numpy()[:-1]).all()
    fall = table[table.activity == "falling"]
    assert len(fall) == 1
    assert table.loc[fall.index[0] + 1, "activity"] == "lying"


def test_an_episode_ends_where_its_person_is_gone_and_bridges_a_moment_behind_something():
    person = body.random_person(np.random.default_rng(0))
    script = Script(person, (0.0, 0.0)).stay(10.0)
    seen = np.ones(10 * FPS, bool)
    seen[2 * FPS : 2 * FPS + 5] = False
    seen[6 * FPS :] = False
    assert list(home.episodes(4, script, seen)) == [(4, "standing", "0.000", "6.000")]
    seen[9 * FPS :] = True  # and is back after three seconds
    assert list(home.episodes(4, script, seen)) == [
        (4, "standing", "0.000", "6.000"),
        (4, "standing", "9.000", "10.000"),
    ]


# ---- bodies and pictures -----------------------------------------------------------------


def test_nobody_leaps_or_sinks_into_the_floor(minute):
    _, _, _, joints = minute
    speed = np.linalg.norm(np.diff(joints[:, :, 0], axis=0), axis=-1) * FPS  # of the hips
    assert speed.max() < 4.0  # metres a second; a fall is the fastest
    assert np.delete(joints[..., 1], body.ARMS, 2).min() > 0
    head = joints[:, 1, 3, 1]
    assert head.min() < 0.35  # the second falls
    assert head[-1] > 1.0


def test_what_a_picture_shows_is_what_is_drawn(minute):
    """Where `shown` names nobody the picture is the empty room's or darker (shadows), up to a soft edge of 2 pixels."""
    place, scripts, _, joints = minute
    picture, depth = place.show()
    figures = [Figure(s.person, joints[:1, m], place.camera) for m, s in enumerate(scripts)]
    frame, whom = draw(picture, depth, figures, 0, ghosts=False), shown(depth, figures, 0)
    changed = np.abs(frame.astype(int) - picture).max(-1) > 0
    assert set(np.unique(whom)) == {0, 1, 3}
    assert changed[whom > 0].mean() > 0.97
    lighter = (frame.astype(int) - picture).max(-1) > 3
    near = np.zeros_like(lighter)
    y, x = np.nonzero(whom)
    for dy, dx in np.ndindex(5, 5):
        near[np.clip(y + dy - 2, 0, near.shape[0] - 1), np.clip(x + dx - 2, 0, near.shape[1] - 1)] = True
    assert not (lighter & ~near).any()
