"""The released networks of joints: NTU RGB+D 60's.

Axes: b clip, t frame, c channel, n token, d width, j joint, k class.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from wtmr_core.models.released.parts import ClassTokenEncoder, check_shape
from wtmr_core.skeleton import JOINTS


class JointsWTMR(nn.Module):
    """WTMR-Net on NTU RGB+D 60: two convolutions per frame, a token for each "joint", space-time attention.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(
        self,
        classes: int,
        frames: int,
        width: int,
        depth: int,
        heads: int,
        conv_channels: tuple[int, int],
        dropout: float,
        drop_path: float = 0.0,
    ):
        super().__init__()
        # as released: 625 = 25 · 25 rows in both embeddings, whatever the frames; 25 and 25 · frames are used
        rows = JOINTS * JOINTS
        if frames * JOINTS > rows:
            raise ValueError(f"frames must be at most {JOINTS}, the embedding has {rows} rows; found {frames}")
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        # as released: the kernel (1, 3) runs along an axis of width one, so two thirds of it meet padding
        # only, and no joint meets another
        self.cnn = nn.Sequential(
            nn.Conv2d(3, conv_channels[0], (1, 3), padding=(0, 1)),
            nn.ReLU(),
            nn.Conv2d(conv_channels[0], conv_channels[1], (1, 3), padding=(0, 1)),
            nn.ReLU(),
        )
        self.project = nn.Linear(conv_channels[1], width)
        self.position = nn.Parameter(torch.zeros(1, rows, width))
        self.temporal = nn.Parameter(torch.zeros(1, rows, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def features(self, joints: Tensor) -> Tensor:
        """Joints (b, t, j, 3) → the features that tokens are projected from (b, t, 25, channels)."""
        maps = self.cnn(rearrange(joints, "b t j c -> (b t) c j 1"))  # (b t) c j 1
        flat = rearrange(maps, "(b t) c j 1 -> b t (c j)", b=len(joints))
        # as released: reshaped where it should have been transposed, so each of the 25 tokens holds a few
        # channels of all joints, and none is a joint
        return rearrange(flat, "b t (n c) -> b t n c", n=JOINTS)

    def forward(self, joints: Tensor) -> Tensor:
        check_shape(joints, self.expected, rank=4)
        tokens = self.project(self.features(joints))  # (b, t, n, d)
        tokens = tokens + self.position[:, None, :JOINTS]  # the same 25 rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        return self.encoder(tokens + self.temporal[:, : tokens.shape[1]])


class JointsCNN(nn.Module):
    """WMRC-Net on NTU RGB+D 60: three convolutions per frame, means over joints and frames.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(self, classes: int, frames: int, conv_channels: tuple[int, int], width: int):
        super().__init__()
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        channels = (3, *conv_channels, width)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            # as released: a kernel along an axis of width one, which mixes no joints
            layers += [nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1)), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.cnn = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, joints: Tensor) -> Tensor:
        check_shape(joints, self.expected, rank=4)
        maps = self.cnn(rearrange(joints, "b t j c -> (b t) c j 1"))  # (b t) c j 1
        frames = reduce(maps, "(b t) c j 1 -> b t c", "mean", b=len(joints))
        # as released: logits of each frame, then their mean, which forgets the order of the frames
        return reduce(self.head(frames), "b t k -> b k", "mean")


class JointsTimeSformer(nn.Module):
    """The TimeSformer baseline on NTU RGB+D 60: a token for each joint of each frame, joint attention.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(
        self, classes: int, frames: int, width: int, depth: int, heads: int, dropout: float, drop_path: float = 0.0
    ):
        super().__init__()
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        self.project = nn.Linear(3, width)
        # as released: from N(0, 1), far larger than the tokens it is added to
        self.position = nn.Parameter(torch.randn(1, frames * JOINTS, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def forward(self, joints: Tensor) -> Tensor:
        check_shape(joints, self.expected, rank=4)
        tokens = self.project(joints)  # (b, t, j, d)
        tokens = rearrange(tokens, "b t j d -> b (t j) d")
        return self.encoder(tokens + self.position)
