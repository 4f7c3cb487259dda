"""Augmentation: hand-worked cases, one draw a clip or one a frame, and none in evaluation."""

import numpy as np
import pytest
import torch
from einops import rearrange, repeat
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.datasets.augment import GREY, MIRROR, RGB, Draw, frames, joints, pick


def draw(seed=0, **strengths):
    return Draw(torch.Generator().manual_seed(seed), **strengths)


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
    torch.testing.assert_close(frames(x, draw(flip=1.0)), frames(x).flip(-1), atol=1e-5, rtol=0)


def test_no_strength_changes_nothing():
    torch.testing.assert_close(frames(clip(), draw()), frames(clip()))


STRONG = {"flip": 0.5, "rotate": 20.0, "shift": 0.2, "zoom": 0.3, "jitter": 0.4}


def test_corrected_draws_once_a_clip_and_published_once_a_frame():
    x = clip(b=3, t=5)
    once, each = frames(x, draw(**STRONG)), frames(x, draw(**STRONG, per_frame=True))
    torch.testing.assert_close(once, once[:, :1].expand_as(once))
    assert all(not torch.allclose(each[i, 0], each[i, 1]) for i in range(3))
    assert not torch.allclose(once[0], once[1])


def test_the_same_generator_the_same_pictures():
    assert torch.equal(frames(clip(), draw(3, **STRONG)), frames(clip(), draw(3, **STRONG)))
    assert not torch.equal(frames(clip(), draw(3, **STRONG)), frames(clip(), draw(4, **STRONG)))


@given(st.integers(1, 32), st.integers(1, 4), st.integers(0, 9))
def test_frames_in_order_each_from_its_stretch(shown, times, seed):
    stored = shown * times
    chosen = pick(stored, shown, 3, torch.Generator().manual_seed(seed))
    assert chosen.shape == (3, shown)
    assert (chosen // times == torch.arange(shown)).all()
    assert torch.equal(pick(stored, shown, 3), pick(stored, shown, 3))


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
    """Distances between joints all change by one factor, the drawn scale; heights by the same."""
    x = body(m=1)
    got = joints(x, draw(rotate=40.0, zoom=0.2))

    def distances(y):
        return torch.cdist(rearrange(y, "b t m j x -> (b t m) j x"), rearrange(y, "b t m j x -> (b t m) j x"))

    before, after = distances(joints(x)), distances(got)
    off = ~torch.eye(25, dtype=torch.bool)
    ratio = (after[:, off] / before[:, off]).view(2, -1)
    assert (ratio.std(dim=1) < 1e-4).all()
    assert ((ratio.mean(dim=1) - 1).abs() <= 0.2 + 1e-4).all()
    torch.testing.assert_close(got[..., 1], joints(x)[..., 1] * ratio.mean(dim=1).view(2, 1, 1, 1))


def test_the_mirror_exchanges_left_and_right():
    assert sorted(MIRROR) == list(range(25))
    assert [MIRROR[i] for i in MIRROR] == list(range(25))
    x = body(m=1)
    got = joints(x, draw(flip=1.0))
    left_hand, right_hand = 7, 11
    torch.testing.assert_close(got[..., left_hand, :], joints(x)[..., right_hand, :] * torch.tensor([-1.0, 1, 1]))


def test_noise_reaches_no_absent_body():
    got = joints(body(), draw(noise=0.1))
    assert not got[:, 1:, 1].any()
    assert 0.05 < (got - joints(body()))[:, :, 0].std() < 0.2
