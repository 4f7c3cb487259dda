"""Augmentation: hand-worked cases, numbers sampled once a clip or once a frame, and none in evaluation."""

import math

import numpy as np
import pytest
import torch
from einops import rearrange, repeat
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.datasets.augment import (
    GREY,
    RGB,
    Augmentation,
    frames,
    joints,
    mirrorable,
    mixup,
    mixup_amount,
    pick,
)
from wtmr_core.skeleton import L_ELBOW, L_HAND, L_SHOULDER, L_WRIST, PARENTS


def augmentation(seed=0, **strengths):
    return Augmentation(torch.Generator().manual_seed(seed), **strengths)


def clip(b=2, t=4, c=1, size=12):
    one = torch.randint(0, 256, (b, 1, size, size, c), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return repeat(one, "b 1 h w c -> b t h w c", t=t).contiguous()  # every frame of a clip alike


@pytest.mark.parametrize(("c", "numbers"), [(1, GREY), (3, RGB)])
def test_normalisation_by_hand(c, numbers):
    x = clip(c=c)
    got = frames(x)
    assert got.shape == (2, 4, c, 12, 12)
    for i, (mean, std) in enumerate(zip(*numbers, strict=True)):
        np.testing.assert_allclose(got[1, 2, i], (x[1, 2, ..., i] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_a_certain_flip_mirrors():
    x = clip()
    torch.testing.assert_close(frames(x, augmentation(flip=1.0)), frames(x).flip(-1), atol=1e-5, rtol=0)


def test_no_strength_changes_nothing():
    torch.testing.assert_close(frames(clip(), augmentation()), frames(clip()))


STRONG = {"flip": 0.5, "rotate": 20.0, "shift": 0.2, "zoom": 0.3, "jitter": 0.4}


def test_corrected_samples_once_a_clip_and_published_once_a_frame():
    x = clip(b=3, t=5)
    once, each = frames(x, augmentation(**STRONG)), frames(x, augmentation(**STRONG, per_frame=True))
    torch.testing.assert_close(once, once[:, :1].expand_as(once))
    assert all(not torch.allclose(each[i, 0], each[i, 1]) for i in range(3))
    assert not torch.allclose(once[0], once[1])


def test_the_same_generator_the_same_pictures():
    assert torch.equal(frames(clip(), augmentation(3, **STRONG)), frames(clip(), augmentation(3, **STRONG)))
    assert not torch.equal(frames(clip(), augmentation(3, **STRONG)), frames(clip(), augmentation(4, **STRONG)))


@given(st.integers(1, 32), st.integers(1, 4), st.integers(0, 9))
def test_frames_in_order_each_from_its_stretch(shown, times, seed):
    stored = shown * times
    chosen = pick(stored, shown, 3, torch.Generator().manual_seed(seed))
    assert chosen.shape == (3, shown)
    assert (chosen // times == torch.arange(shown)).all()
    assert torch.equal(pick(stored, shown, 3), pick(stored, shown, 3))


def test_two_views_by_hand():
    """A stretch of four frames: views at a quarter and three quarters of it; one view in its middle."""
    assert pick(8, 2, 1, view=(0, 2)).tolist() == [[1, 5]]
    assert pick(8, 2, 1, view=(1, 2)).tolist() == [[3, 7]]
    assert pick(8, 2, 1).tolist() == pick(8, 2, 1, view=(0, 1)).tolist() == [[2, 6]]


@given(st.integers(1, 32), st.integers(2, 8))
def test_as_many_views_as_a_stretch_has_frames_show_each_once(shown, times):
    views = [pick(shown * times, shown, 2, view=(v, times)) for v in range(times)]
    for v, chosen in enumerate(views):
        assert torch.equal(chosen, (torch.arange(shown) * times + v).expand(2, -1))


def test_views_of_all_frames_are_the_same():
    assert torch.equal(pick(6, 6, 2, view=(1, 3)), torch.arange(6).expand(2, -1))


def test_a_generator_wins_over_a_view():
    seed = torch.Generator().manual_seed
    assert torch.equal(pick(40, 4, 3, seed(1), view=(1, 2)), pick(40, 4, 3, seed(1)))


@pytest.mark.parametrize("view", [(1, 1), (-1, 2), (0, 0)])
def test_there_is_no_such_view(view):
    with pytest.raises(ValueError, match="there is no view"):
        pick(8, 4, 1, view=view)
    with pytest.raises(ValueError, match="there is no view"):
        pick(4, 4, 1, view=view)


# -- which clips may be mirrored


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("brush_hair", True),
        ("brighten", True),
        ("cleft", True),
        ("stand upright", True),
        ("leftover", True),
        ("turn left", False),
        ("Turn_Right", False),
        ("swipe leftward", False),
        ("RIGHTWARDS", False),
        ("wave left-hand", False),
        ("left2", False),
        ("draw circle (clockwise)", False),
        ("draw circle counterclockwise", False),
        ("counter-clockwise", False),
        ("clock", True),
    ],
)
def test_classes_that_a_mirror_makes_untrue(name, may):
    assert mirrorable([name, "wave"]).tolist() == [may, True]


def test_no_class_no_answer():
    assert mirrorable([]).shape == (0,)
    assert mirrorable([]).dtype == torch.bool


def test_only_clips_that_may_be_are_mirrored():
    may = torch.tensor([True, False, True])
    x = clip(b=3)
    got = frames(x, augmentation(flip=1.0, mirrorable=may))
    torch.testing.assert_close(got[may], frames(x).flip(-1)[may], atol=1e-5, rtol=0)
    torch.testing.assert_close(got[1], frames(x)[1], atol=1e-5, rtol=0)
    y = body(b=3)
    got = joints(y, augmentation(flip=1.0, mirrorable=may))
    torch.testing.assert_close(got[may], joints(y, augmentation(flip=1.0))[may])
    torch.testing.assert_close(got[1], joints(y)[1])
    assert not torch.allclose(joints(y, augmentation(flip=1.0))[1], joints(y)[1])


def test_a_clip_not_mirrored_changes_no_other_number():
    strengths = {"rotate": 30.0, "zoom": 0.2, "joint_noise": 0.1, "tilt": 20.0, "joint_dropout": 0.2}
    spared = joints(body(b=4), augmentation(flip=1.0, mirrorable=torch.zeros(4, dtype=torch.bool), **strengths))
    assert torch.equal(spared, joints(body(b=4), augmentation(flip=0.0, **strengths)))


# -- joints


def body(b=2, t=3, m=2):
    x = torch.randn(b, t, m, 25, 3, generator=torch.Generator().manual_seed(2)) + 3
    x[:, 1:, 1:] = 0  # the second body leaves
    return x


def test_centred_on_the_first_bodys_spine():
    x = body()
    got = joints(x)
    torch.testing.assert_close(got[:, 0, 0, 1], torch.zeros(2, 3))
    torch.testing.assert_close(got[:, :, 0], x[:, :, 0] - x[:, :1, 0, 1:2])
    torch.testing.assert_close(got[:, 0, 1], x[:, 0, 1] - x[:, 0, 0, 1:2])
    assert not got[:, 1:, 1].any()  # absent stays zero
    assert torch.equal(joints(x, centred=False), x)


def test_a_body_that_comes_late_is_centred_where_it_comes():
    x = body(m=1)
    x[:, 0] = 0
    got = joints(x)
    assert not got[:, 0].any()
    torch.testing.assert_close(got[:, 1, 0, 1], torch.zeros(2, 3))


def test_turning_and_scaling_keep_shapes():
    """Distances between joints all change by one factor, the sampled scale; heights by the same."""
    x = body(m=1)
    got = joints(x, augmentation(rotate=40.0, zoom=0.2))

    def distances(y):
        return torch.cdist(rearrange(y, "b t m j x -> (b t m) j x"), rearrange(y, "b t m j x -> (b t m) j x"))

    before, after = distances(joints(x)), distances(got)
    off = ~torch.eye(25, dtype=torch.bool)
    ratio = (after[:, off] / before[:, off]).view(2, -1)
    assert (ratio.std(dim=1) < 1e-4).all()
    assert ((ratio.mean(dim=1) - 1).abs() <= 0.2 + 1e-4).all()
    torch.testing.assert_close(got[..., 1], joints(x)[..., 1] * ratio.mean(dim=1).view(2, 1, 1, 1))


def test_the_mirror_exchanges_left_and_right():
    x = body(m=1)
    got = joints(x, augmentation(flip=1.0))
    left_hand, right_hand = 7, 11
    torch.testing.assert_close(got[..., left_hand, :], joints(x)[..., right_hand, :] * torch.tensor([-1.0, 1, 1]))


def test_noise_reaches_no_absent_body():
    got = joints(body(), augmentation(joint_noise=0.1))
    assert not got[:, 1:, 1].any()
    assert 0.05 < (got - joints(body()))[:, :, 0].std() < 0.2


def test_the_tilt_of_a_point_by_hand():
    """Turned about z by an angle a, (1, 0, 5) comes to (cos a, sin a, 5): z stays, and a is at most the tilt."""
    x = torch.zeros(4, 2, 1, 25, 3)
    x[..., 6, :] = torch.tensor([1.0, 0.0, 5.0])
    got = joints(x, augmentation(tilt=30.0), centred=False)[..., 6, :]
    angle = torch.atan2(got[..., 1], got[..., 0])
    torch.testing.assert_close(got, torch.stack([angle.cos(), angle.sin(), torch.full_like(angle, 5.0)], -1))
    torch.testing.assert_close(angle[:, 0], angle[:, 1, :])  # one angle a clip
    degrees = angle[:, 0, 0].rad2deg()
    assert degrees.abs().max() <= 30
    assert degrees.min() < 0 < degrees.max()  # to both sides
    assert len(degrees.unique()) == 4
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):  # mirror, turn and scale are sampled before
        torch.rand(4, generator=generator)
    torch.testing.assert_close(degrees, torch.rand(4, generator=generator) * 60 - 30)


def test_turned_about_y_before_z():
    """A point on y is not moved by the turn about y, so the tilt alone places it, whatever that turn; scaled."""
    x = torch.zeros(3, 1, 1, 25, 3)
    x[..., 6, 1] = 2.0
    alone, both = (joints(x, augmentation(tilt=40.0, rotate=r), centred=False)[..., 6, :] for r in (0.0, 90.0))
    torch.testing.assert_close(both, alone)
    assert (alone[..., 0].abs() > 0.01).all()
    got = joints(x, augmentation(tilt=40.0, zoom=0.5), centred=False)[..., 6, :].norm(dim=-1)
    torch.testing.assert_close(got, joints(x, augmentation(zoom=0.5), centred=False)[..., 6, :].norm(dim=-1))


@given(st.integers(0, 99), st.floats(0.05, 0.95))
def test_a_dropped_joint_is_where_its_nearest_kept_parent_is(seed, drop):
    """Each joint is at its own place or at that of the joint it hangs on, the same one in all frames and bodies."""
    x = torch.rand(2, 2, 2, 25, 3, generator=torch.Generator().manual_seed(3)) + 1
    got = joints(x, augmentation(seed, joint_dropout=drop), centred=False)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(3):
        torch.rand(2, generator=generator)
    dropped = torch.rand((2, 25), generator=generator) < drop
    for b in range(2):
        for j in range(25):
            at = j
            while dropped[b, at] and at != 0:
                at = PARENTS[at]
            assert torch.equal(got[b, :, :, j], x[b, :, :, at])


def test_a_dropped_arm_by_hand(monkeypatch):
    """Elbow and wrist dropped: both go to the shoulder; the hand stays. Dropped hips stay too."""
    gone = torch.ones(1, 25)
    gone[:, [0, L_ELBOW, L_WRIST]] = 0.0  # below any probability
    monkeypatch.setattr(Augmentation, "sample", lambda self, f, shape: gone if tuple(shape) == (1, 25) else f(shape))
    x = body(b=1)
    got = joints(x, augmentation(joint_dropout=0.1))
    want = joints(x)
    want[:, :, :, [L_ELBOW, L_WRIST]] = want[:, :, :, [L_SHOULDER]]
    torch.testing.assert_close(got, want)
    assert not torch.equal(got[..., L_HAND, :], got[..., L_SHOULDER, :])


def test_all_dropped_is_all_in_the_hips_and_absent_bodies_stay_zero():
    got = joints(body(), augmentation(joint_dropout=1.0))
    torch.testing.assert_close(got, joints(body())[..., :1, :].expand_as(got))
    assert not joints(body(), augmentation(joint_dropout=0.5, tilt=30.0, joint_noise=0.1))[:, 1:, 1].any()


def test_a_dropped_joint_has_no_noise_of_its_own():
    got = joints(body(), augmentation(joint_dropout=1.0, joint_noise=0.1))
    assert torch.equal(got, got[..., :1, :].expand_as(got))


EVERY = {"flip": 0.5, "rotate": 30.0, "zoom": 0.2, "joint_noise": 0.05, "tilt": 25.0, "joint_dropout": 0.3}


@pytest.mark.parametrize("strengths", [{"tilt": 25.0}, {"joint_dropout": 0.3}, EVERY])
def test_shares_get_the_numbers_of_the_whole(strengths):
    x, may = body(b=5), torch.tensor([True, False, True, True, False])
    whole = joints(x, augmentation(7, **strengths, mirrorable=may))
    for first, behind in ((0, 2), (2, 5)):
        part = augmentation(7, **strengths, mirrorable=may[first:behind], share=(first, behind, 5))
        torch.testing.assert_close(joints(x[first:behind], part), whole[first:behind])
    assert not torch.allclose(joints(x[2:], augmentation(7, **strengths, mirrorable=may[2:])), whole[2:])


def test_tilted_and_dropped_once_a_clip():
    one = body(b=3, t=1, m=1).expand(-1, 4, -1, -1, -1)
    got = joints(one, augmentation(tilt=25.0, joint_dropout=0.3), centred=False)
    torch.testing.assert_close(got, got[:, :1].expand_as(got))
    assert not torch.allclose(got, one)


def test_settings_without_tilt_and_drop_sample_what_they_always_did():
    """Numbers of the code before there were tilt and drop; also the next ones of the generator."""
    now = augmentation(5, flip=0.5, rotate=30.0, zoom=0.15, joint_noise=0.05)
    got = joints(body(b=3), now)[:, 0, 1, 7]
    was = [[0.716550, 0.776835, -1.103345], [0.703853, -0.793025, 1.330183], [1.314291, -1.044834, -0.853476]]
    np.testing.assert_allclose(got, was, atol=1e-4)
    np.testing.assert_allclose(torch.rand(2, generator=now.generator), [0.280029, 0.806622], atol=1e-5)
    pictures = [0.394663, 1.699351]
    now = augmentation(5, **STRONG, tilt=30.0, joint_dropout=0.5)  # pictures have neither
    np.testing.assert_allclose(frames(clip(t=2), augmentation(5, **STRONG))[:, 1, 0, 4, 3], pictures, atol=1e-4)
    np.testing.assert_allclose(frames(clip(t=2), now)[:, 1, 0, 4, 3], pictures, atol=1e-4)
    np.testing.assert_allclose(torch.rand(1, generator=now.generator), [0.980927], atol=1e-5)
    assert pick(10, 4, 2, torch.Generator().manual_seed(5)).tolist() == [[2, 2, 7, 9], [2, 2, 5, 9]]
    assert pick(10, 4, 1).tolist() == [[1, 3, 6, 8]]


def test_tilt_and_drop_change_no_number_sampled_before_them():
    """So little of both that nothing of it is seen: what remains is the rest of the strengths."""
    little = joints(body(), augmentation(4, **EVERY | {"tilt": 1e-5, "joint_dropout": 1e-9}))
    torch.testing.assert_close(little, joints(body(), augmentation(4, **EVERY | {"tilt": 0.0, "joint_dropout": 0.0})))


# -- mixup


def test_two_clips_mixed_by_hand():
    x = torch.tensor([[1.0, 2.0], [5.0, -2.0]])
    torch.testing.assert_close(mixup(x, 0.75), torch.tensor([[2.0, 1.0], [4.0, -1.0]]))
    assert torch.equal(mixup(x, 1.0), x)


@given(st.integers(1, 5), st.floats(0.5, 1.0))
def test_mixing_keeps_shape_and_mean_and_is_its_own_opposite(b, amount):
    x = torch.rand(b, 2, 3, generator=torch.Generator().manual_seed(b))
    got = mixup(x, amount)
    assert got.shape == x.shape
    torch.testing.assert_close(got.mean(dim=0), x.mean(dim=0))
    torch.testing.assert_close(got.flip(0), mixup(x, 1 - amount))
    torch.testing.assert_close(got[b // 2 : b // 2 + b % 2], x[b // 2 : b // 2 + b % 2])  # the middle one of odd b


def test_the_own_part_is_the_larger_and_from_beta():
    """E max(a, 1 − a) is ¾ for Beta(1, 1), the uniform one; close to 1 for a small strength, to ½ for a large one."""
    parts = {strength: [mixup_amount(strength, (7, i)) for i in range(400)] for strength in (0.01, 1.0, 1000.0)}
    assert all(0.5 <= a <= 1 for drawn in parts.values() for a in drawn)
    assert math.isclose(np.mean(parts[1.0]), 0.75, abs_tol=0.03)
    assert np.mean(parts[0.01]) > 0.97
    assert np.mean(parts[1000.0]) < 0.52


def test_the_own_part_follows_its_seed():
    assert mixup_amount(0.4, [3, 1]) == mixup_amount(0.4, [3, 1]) != mixup_amount(0.4, [3, 2])
    assert isinstance(mixup_amount(0.4, [3, 1]), float)


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_a_strength_must_be_above_zero(strength):
    with pytest.raises(ValueError, match="a <= 0"):
        mixup_amount(strength, [0])
