"""The training set of the home model, its release, and the model as it is delivered."""

from importlib.resources import files

import numpy as np
import pytest

from wtmr_core import Classifier, datasets, runs
from wtmr_core.tracking import training_set
from wtmr_core.tracking.episodes import smooth
from wtmr_core.tracking.motions import ACTIVITIES
from wtmr_core.tracking.poses import FRAMES, RATE, skeleton, windows
from wtmr_core.tracking.release import release
from wtmr_core.tracking.rules import Rules

HOME = files("wtmr_core") / "tracking/home"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(HOME, "cpu")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("home") / "windows"
    return root, training_set.write(root, sequences=20)


def test_it_is_a_set_of_skeletons_whose_people_stand_on_one_side(written):
    root, counts = written
    index = datasets.open_index("skeletons", root, "folders")
    assert set(index.classes) == set(ACTIVITIES)
    assert len(index.samples) == sum(counts.values())
    groups = {part: set(rows.group) for part, rows in index.samples.groupby("split")}
    assert not groups["train"] & groups["test"]
    assert "falling" in {activity for part, _, activity in counts if part == "test"}
    clip = datasets.module("skeletons").read(next(iter(index.paths())), training_set_form())
    assert np.abs(clip[:, 0, :, 2]).max() == 0


def training_set_form():
    from wtmr_core.datasets.clips import ClipFormat

    return ClipFormat(FRAMES, bodies=1)


def test_the_same_seed_the_same_windows_and_no_file_is_overwritten(written, tmp_path):
    root, _ = written
    training_set.write(tmp_path / "again", sequences=20)
    names = sorted(path.relative_to(root) for path in root.rglob("*.skeleton"))
    assert names == sorted(path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*.skeleton"))
    for name in names[::50]:
        assert (root / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with pytest.raises(FileExistsError, match="holds files: name a new folder"):
        training_set.write(root)


def test_real_recordings_are_called_what_is_done_in_them(recordings):
    kinect = list(training_set.kinect(recordings / "utkinect"))
    films = list(training_set.films(recordings / "jhmdb_skeletons"))
    assert len(kinect) == 100
    assert {sequence.name.split("-")[0] for sequence in kinect if sequence.test} == {"kinect_P004", "kinect_P008"}
    for sequences in (kinect, films):
        assert {str(name) for s in sequences for name in s.activities} - {""} <= set(ACTIVITIES) - {"falling", "lying"}
    sat = next(s for s in kinect if s.activities[0] == "standing" and s.activities[-1] == "sitting")
    assert sat.joints[0, 0, 1] - sat.joints[-1, 0, 1] > 0.15  # the hips came down, in metres


def test_what_pose_estimators_get_wrong_is_a_part_of_a_body():
    points = np.random.default_rng(0).normal(size=(200, 17, 2))
    off = np.linalg.norm(training_set.faulty(points, np.random.default_rng(1)) - points, axis=-1)
    assert 0.01 < np.median(off) < 0.2
    assert (off > 0.3).mean() > 0.001


def test_the_delivered_model_is_small_whole_and_needs_no_recordings(classifier):
    assert set(classifier.classes) == set(ACTIVITIES)
    assert sum(file.stat().st_size for file in HOME.iterdir()) < 3e6
    assert runs.finished(HOME)
    assert classifier.seconds == pytest.approx(FRAMES / RATE)
    assert Rules.of(classifier.classes).fallen
    card = (HOME / "README.md").read_text(encoding="utf-8")
    assert all(name in card for name in ("UTKinect", "J-HMDB", "research use", "No recording of a home"))


def test_it_finds_falls_of_bodies_that_it_has_not_seen(classifier):
    """Of 20 new scenes, as a camera sees them: the falls of at least six in seven, and time right above four fifths."""
    falls = found = steps = right = 0
    for number, sequence in enumerate(training_set.synthetic(2_000_000, 20)):
        points, inside = training_set.observed(sequence, np.random.default_rng(number))
        times = np.arange(len(points)) / RATE
        episodes = smooth(times, classifier.of_clips(windows(skeleton(points))[:, :, None]), classifier.classes)
        starts = [e.start for e in episodes if e.activity == "falling"]
        true = sequence.activities
        for time in times[1:][(true[1:] == "falling") & (true[:-1] != "falling") & inside[1:]]:
            falls, found = falls + 1, found + any(-1 <= start - time <= 2.5 for start in starts)
        named = np.array([next(e.activity for e in episodes if e.start <= t < e.end) for t in times])
        steps, right = steps + inside.sum(), right + ((named == true) & inside).sum()
    assert falls >= 7
    assert found / falls >= 6 / 7
    assert right / steps > 0.8


def test_a_release_says_the_same_as_its_run(classifier, tmp_path):
    again = Classifier.load(release(HOME, tmp_path / "out"), "cpu")
    clips = np.random.default_rng(0).normal(size=(5, *classifier.form.shape)).astype(np.float32)
    np.testing.assert_allclose(again.of_clips(clips), classifier.of_clips(clips), atol=1e-6)
    assert again.description == classifier.description
