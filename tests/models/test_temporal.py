"""The plain CNN over time."""

import pytest
import torch

from wtmr_core.models import build
from wtmr_core.models.temporal import LIMBS
from wtmr_core.settings import Settings, SettingsError
from wtmr_core.skeleton import JOINTS


def test_it_sees_positions_velocities_and_order_of_thirteen_joints():
    torch.manual_seed(0)
    network = build("skeletons", "temporal", classes=4).eval()
    clip = torch.randn(1, 16, JOINTS, 3)
    changed = clip.clone()
    changed[:, :, [j for j in range(JOINTS) if j not in LIMBS]] += 1
    with torch.inference_mode():
        torch.testing.assert_close(network(changed), network(clip))
        for other in (clip + 1, clip.flip(1), clip[:, [0] * 16]):
            assert not torch.allclose(network(other), network(clip), atol=1e-3)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="temporal takes joints, and folder has pictures"):
        build("folder", "temporal", classes=2)
    with pytest.raises(ValueError, match="frames must be at least 4, found 3"):
        build("skeletons", "temporal", classes=2, frames=3)
    with pytest.raises(ValueError, match=r"expected clips of shape \(b, t=16, j=25, c=3\), found \(2, 8, 25, 3\)"):
        build("skeletons", "temporal", classes=2)(torch.zeros(2, 8, JOINTS, 3))
    with pytest.raises(SettingsError, match="model is temporal, which takes joints; for hmdb51 it can be wtmr"):
        Settings.of({"dataset": "hmdb51", "model": "temporal"})
    with pytest.raises(SettingsError, match="heads is 4; temporal has no attention"):
        Settings.of({"dataset": "skeletons", "model": "temporal", "heads": 4})
