"""Poses of people as a network of joints takes them."""

import numpy as np
import pytest
import torch

from wtmr_core import Classifier, description
from wtmr_core.datasets import augment
from wtmr_core.models import build
from wtmr_core.settings import Settings
from wtmr_core.skeleton import CHEST, HEAD, HIPS, L_ELBOW, L_FOOT, L_KNEE, NECK, R_THUMB, WAIST
from wtmr_core.tracking.people import COCO, Sighting
from wtmr_core.tracking.poses import FRAMES, RATE, Stream, activities, skeleton, stretches, windows

SETTINGS = Settings.of(
    {"dataset": "skeletons", "model": "temporal", "frames": 16, "stored_frames": 16, "normalise_joints": True}
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Untrained: what it says is no matter here."""
    torch.manual_seed(0)
    network = build("skeletons", "temporal", classes=3, **SETTINGS.sizes())
    return Classifier(network, SETTINGS, description.of(SETTINGS, ["a", "b", "c"], 1.6, ""), torch.device("cpu"))


def sighting(seconds: float, joints: np.ndarray | None) -> Sighting:
    return Sighting(round(30 * seconds), seconds, np.array([0.0, 0, 1, 1]), 0.5, joints)


def person(seconds: np.ndarray, seed: int = 0) -> list[Sighting]:
    points = np.random.default_rng(seed).uniform(100, 200, (2, 17, 3))
    return [sighting(t, points[0] + np.sin(t) * points[1]) for t in seconds]


def test_every_joint_lies_where_coco_has_it_and_y_points_up():
    points = np.random.default_rng(0).normal(size=(4, 17, 2))
    joints = skeleton(points)
    of = {name: points[:, n] * [1, -1] for n, name in enumerate(COCO)}
    hips, chest = ((of[f"left {name}"] + of[f"right {name}"]) / 2 for name in ("hip", "shoulder"))
    ears = (of["left ear"] + of["right ear"]) / 2
    expected = {HIPS: hips, CHEST: chest, WAIST: (hips + chest) / 2, HEAD: ears, NECK: (chest + ears) / 2,
                L_ELBOW: of["left elbow"], L_KNEE: of["left knee"], L_FOOT: of["left ankle"],
                R_THUMB: of["right wrist"]}  # fmt: skip
    for joint, place in expected.items():
        np.testing.assert_allclose(joints[:, joint, :2], place)
    assert not joints[..., 2].any()
    with pytest.raises(ValueError, match=r"expected poses of shape \(..., 17, 2\), found \(17, 3\)"):
        skeleton(np.zeros((17, 3)))


def test_even_times_are_linear_between_those_seen_and_long_gaps_part():
    seconds = np.array([0.03, 0.21, 0.33, 0.7, 2.0, 2.04])
    (first, joints), (second, lone) = stretches(seconds, seconds[:, None, None])
    np.testing.assert_allclose(first, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    np.testing.assert_allclose(joints[:, 0, 0], first)  # of what moves evenly every place is its time
    np.testing.assert_allclose((second, lone[:, 0, 0]), ([2.0], [2.0]))
    assert stretches(np.zeros(0), np.zeros((0, 1, 1))) == []
    ((step, _),) = stretches(np.array([0.32]), np.zeros((1, 1, 1)))
    np.testing.assert_allclose(step, [0.3])
    with pytest.raises(ValueError, match="must rise"):
        stretches(np.array([1.0, 1.0]), np.zeros((2, 1, 1)))


def test_windows_are_around_their_step_and_repeat_the_ends():
    steps = windows(np.arange(5.0)[:, None, None], 4)[..., 0, 0]
    assert steps.tolist() == [[0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 4]]


def test_activities_are_those_of_each_window(classifier):
    sightings = person(np.arange(0, 3, 1 / 30))
    times, probabilities = activities(classifier, sightings)
    np.testing.assert_allclose(times, np.arange(len(times)) / RATE)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    middle = times[10]
    around = [s for s in sightings if abs(s.seconds - middle) < 0.9]
    inner, again = activities(classifier, around)
    np.testing.assert_allclose(again[inner.tolist().index(middle)], probabilities[10], atol=1e-5)


def test_where_and_how_large_somebody_is_changes_nothing(classifier):
    sightings = person(np.arange(0, 2, 0.1))
    moved = [sighting(s.seconds, s.joints * [3, 3, 1] + [40, -20, 0]) for s in sightings]
    for before, after in zip(activities(classifier, sightings), activities(classifier, moved), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_without_poses_there_are_no_steps_and_a_gap_has_none(classifier):
    assert activities(classifier, [])[1].shape == activities(classifier, [sighting(1.0, None)])[1].shape == (0, 3)
    times, _ = activities(classifier, person(np.concatenate([np.arange(0, 1, 0.1), np.arange(3, 4, 0.1)])))
    assert not ((times > 0.95) & (times < 2.95)).any()


def test_other_networks_are_refused(classifier):
    frames = Settings.of({"dataset": "folder", "scale": "mini"})
    longer = Settings.of({"dataset": "skeletons", "stored_frames": 32})
    for settings, words in ((frames, "the network takes frames"), (longer, "windows of 32 steps")):
        classifier_ = Classifier(classifier.network, settings, classifier.description, torch.device("cpu"))
        with pytest.raises(ValueError, match=words):
            activities(classifier_, person(np.arange(0, 1, 0.1)))
    with pytest.raises(ValueError, match="expected clips of shape"):
        classifier.of_clips(np.zeros((1, FRAMES + 1, 1, 25, 3)))


def test_normalised_joints_are_lengths_of_a_body():
    clips = torch.randn(3, 5, 2, 25, 3, generator=torch.Generator().manual_seed(0))
    clips[1, 2:] = 0
    clips[2] = 0
    x = augment.joints(clips, normalised=True)
    assert torch.equal(x == 0, clips == 0)
    torch.testing.assert_close(x[0, :, 0, HIPS].mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(x[1, :2, 0, HIPS].mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(augment.joints(7 * clips + 3 * (clips != 0), normalised=True), x, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "seconds",
    [np.arange(0, 4, 1 / 30), np.arange(0.03, 4, 0.17), [*np.arange(0, 1, 0.1), 3.02, *np.arange(5, 8, 0.07)]],
)
def test_a_stream_tells_the_same_steps_soon(classifier, seconds):
    sightings = person(np.asarray(seconds))
    stream, told, late = Stream(classifier), [], []
    for one in sightings:
        new = stream.add(one)
        late += [one.seconds - time for time, _ in new]
        told += new
    told += stream.close()
    times, probabilities = activities(classifier, sightings)
    np.testing.assert_allclose([time for time, _ in told], times)
    np.testing.assert_allclose([row for _, row in told], probabilities, atol=1e-5)
    assert np.median(late) < 0.7 + 0.2  # a window's half, and the time to the next sighting
    assert len(stream._seen) == 0
