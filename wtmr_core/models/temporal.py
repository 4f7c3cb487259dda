"""A plain temporal CNN on joints: the baseline for the paper's network where joints are few and noisy.

Axes: b clip, t frame, j joint, d width, k class.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from wtmr_core.modality import has_joints
from wtmr_core.models.released import check_least
from wtmr_core.skeleton import (
    HEAD,
    JOINTS,
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)

#: the joints that every sensor and pose estimator provides
LIMBS = (HEAD, L_SHOULDER, R_SHOULDER, L_ELBOW, R_ELBOW, L_WRIST, R_WRIST, L_HIP, R_HIP, L_KNEE, R_KNEE, L_ANKLE,
         R_ANKLE)  # fmt: skip
STRETCHES = 4  # parts of a clip that are averaged separately
SPEED = 5.0  # scales differences between frames to the size of positions


class TemporalCNN(nn.Module):
    """Classifies the joints of one body: (b, t, 25, 3) → logits (b, k).

    Positions and velocities of 13 joints → `depth` convolutions over three frames each, dilated 1, 2, 4, 1, …, all but
    the first with a shortcut → means over four stretches of the clip → dropout, linear layer.

    Args:
        frames: t, frames of a clip
        width: d, channels of the convolutions
        depth: number of convolutions
        classes: k
        dropout: probability before the linear layer

    Raises:
        ValueError: in `forward`, for clips of another shape.
    """

    def __init__(self, frames: int, width: int, depth: int, classes: int, dropout: float):
        super().__init__()
        self.frames = frames
        channels = 2 * 3 * len(LIMBS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width if layer else channels, width, 3, padding=2 ** (layer % 3), dilation=2 ** (layer % 3))
            for layer in range(depth)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(STRETCHES * width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        if clips.ndim != 4 or clips.shape[1:] != (self.frames, JOINTS, 3):
            raise ValueError(f"expected clips of shape (b, t={self.frames}, j=25, c=3), found {tuple(clips.shape)}")
        positions = rearrange(clips[:, :, list(LIMBS)], "b t j c -> b (j c) t")
        velocities = SPEED * F.pad(positions.diff(dim=-1), (1, 0))
        x = torch.cat([positions, velocities], dim=1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            y = F.gelu(norm(convolution(x)))
            x = x + y if x.shape == y.shape else y  # b d t
        stretches = torch.stack([part.mean(dim=-1) for part in x.tensor_split(STRETCHES, dim=-1)], dim=-1)
        return self.head(self.dropout(rearrange(stretches, "b d s -> b (d s)")))


def build(
    dataset: str,
    *,
    classes: int,
    frames: int = 16,
    width: int | None = None,
    depth: int | None = None,
    dropout: float | None = None,
    **_: object,
) -> TemporalCNN:
    """Build the network for a data set of joints, by default 48 wide, 3 deep, with dropout 0.3.

    Further settings, which other networks have, are ignored.

    Raises:
        ValueError: for a data set of pictures, and for impossible sizes.
    """
    if not has_joints(dataset):
        raise ValueError(f"temporal takes joints, and {dataset} has pictures")
    width, depth = 48 if width is None else width, 3 if depth is None else depth
    check_least({"classes": classes, "width": width, "depth": depth})
    if frames < STRETCHES:
        raise ValueError(f"frames must be at least {STRETCHES}, found {frames}")
    return TemporalCNN(frames, width, depth, classes, 0.3 if dropout is None else dropout)
