"""Scenes at home: bodies stay whole, lie where they fall, and are called what they do."""

import numpy as np
import pytest

from wtmr_core.miniature import body
from wtmr_core.skeleton import BONES, CHEST, HEAD, HIPS, L_ANKLE, R_ANKLE
from wtmr_core.tracking import motions, scripts
from wtmr_core.tracking.motions import ACTIVITIES, Phase, topple

SCENES = [*scripts.DAILY, *scripts.FALLS]


def played(scene, seed: int = 0):
    rng = np.random.default_rng(seed)
    person, phases = body.random_person(rng), scene(rng)
    times = np.arange(0, sum(phase.seconds for phase in phases), 0.05)
    return person, *motions.perform(person, phases, times, rng)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_bone_stretches_nobody_sinks_and_nobody_leaps(scene, seed):
    person, joints, _ = played(scene, seed)
    for parent, joint in BONES:
        lengths = np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)
        np.testing.assert_allclose(lengths, np.linalg.norm(person.offsets[joint]), atol=1e-9)
    trunk = joints[:, [HIPS, CHEST, HEAD, L_ANKLE, R_ANKLE], 1]
    assert trunk.min() >= 0
    assert np.linalg.norm(np.diff(joints[:, HIPS], axis=0), axis=-1).max() < 0.5  # 10 m/s


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_only_falls_hold_a_fall_and_every_step_has_its_name(scene):
    for seed in range(3):
        _, _, activities = played(scene, seed)
        assert set(activities) <= set(ACTIVITIES)
        assert ("falling" in activities) == (scene in scripts.FALLS)


@pytest.mark.parametrize(
    ("where", "towards"), [(0, (0, 0, -1)), (np.pi / 2, (1, 0, 0)), (np.pi, (0, 0, 1)), (-np.pi / 2, (-1, 0, 0))]
)
def test_a_trunk_falls_where_it_is_said_to(where, towards):
    np.testing.assert_allclose(topple(where, np.pi / 2, 0.7).apply([0, 1, 0]), towards, atol=1e-9)


def test_lying_is_low_and_flat_and_standing_is_neither():
    for scene in SCENES:
        _, joints, activities = played(scene)
        flat = np.abs(joints[:, CHEST, 1] - joints[:, HIPS, 1])
        at_rest = np.convolve(activities == "lying", np.ones(21), mode="same") == 21
        assert (flat[at_rest] < 0.35).all()
        assert (flat[activities == "standing"] > 0.3).all()


def test_a_phase_has_two_names_where_it_changes_on_the_way():
    rng = np.random.default_rng(0)
    seat = motions.seated(rng)
    phases = [Phase("sitting", seat, 1.0), Phase("sitting", motions.lying(rng), 2.0, after="lying", until=0.25)]
    _, activities = motions.perform(body.random_person(rng), phases, np.arange(0, 4, 0.25), rng)
    assert activities.tolist() == ["sitting"] * 6 + ["lying"] * 10
