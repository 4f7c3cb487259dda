"""The released networks of frames: HMDB51's and SVideoQA's.

Axes: b clip, t frame, c channel, h w pixels (or cells of a map), p q pixels within a patch, n token, d width, k class.
"""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn import functional as F

from wtmr_core.models.released.parts import ClassTokenEncoder, blocks, check_multiple, check_shape

MAP_PATCH = 8  # side of WTMR-Net's patches, in cells of the CNN's map
FRAME_PATCH = 16  # side of TimeSformer's patches, in pixels


class FramesWTMR(nn.Module):
    """WTMR-Net on HMDB51 and SVideoQA: two convolutions per frame, patches of their map, space-time attention.

    Clips (b, frames, channels, size, size) → logits (b, classes). With `resized_to` the map of each frame is first
    resized to that side; the embeddings keep the length that `size` asks for, and clips may have any size for which
    that suffices.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        conv_channels: tuple[int, int],
        dropout: float,
        drop_path: float = 0.0,
        resized_to: int | None = None,
    ):
        super().__init__()
        check_multiple("size", size, 4 * MAP_PATCH, "the map, a quarter of a frame, is cut into 8×8 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.resized_to = resized_to
        if resized_to:
            check_multiple("resized_to", resized_to, MAP_PATCH, "the resized map is cut into 8×8 patches")
            del self.expected["h"], self.expected["w"]
        tokens = frames * (size // 4 // MAP_PATCH) ** 2
        self.cnn = frame_cnn(channels, conv_channels)
        self.project = nn.Linear(MAP_PATCH**2 * conv_channels[1], width)
        # as released: a row for every token of the clip, of which only those of one frame are used
        self.position = nn.Parameter(torch.zeros(1, tokens, width))
        # as released: "temporal", but a row for every token, so that it tells places apart as well
        self.temporal = nn.Parameter(torch.zeros(1, tokens, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (b, t, c, h, w) → patches of each frame's map, before any embedding (b, t, n, width)."""
        b = len(clips)
        maps = self.cnn(rearrange(clips, "b t c h w -> (b t) c h w"))  # (b t) c h/4 w/4
        if self.resized_to:
            maps = F.interpolate(maps, size=(self.resized_to, self.resized_to), mode="bilinear")
        patches = rearrange(
            maps, "(b t) c (h p) (w q) -> b t (h w) (p q c)", b=b, p=MAP_PATCH, q=MAP_PATCH
        )  # (b, t, n, 64 c)
        return self.project(patches)  # (b, t, n, d)

    def forward(self, clips: Tensor) -> Tensor:
        check_shape(clips, self.expected, rank=5)
        tokens = self.tokens(clips)  # (b, t, n, d)
        _, t, n, _ = tokens.shape
        if t * n > self.temporal.shape[1]:
            raise ValueError(f"{t} frames of {n} patches exceed the embedding's {self.temporal.shape[1]} rows")
        tokens = tokens + self.position[:, None, :n]  # the same n rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        tokens = tokens + self.temporal[:, : t * n]
        return self.encoder(tokens)


class FramesCNN(nn.Module):
    """WMRC-Net on HMDB51 and SVideoQA: WTMR-Net's two convolutions, their map averaged over frames, linear layer.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(self, channels: int, classes: int, frames: int, size: int, conv_channels: tuple[int, int]):
        super().__init__()
        check_multiple("size", size, 4, "two pools halve each side")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.cnn = frame_cnn(channels, conv_channels)
        self.head = nn.Linear(conv_channels[1] * (size // 4) ** 2, classes)

    def forward(self, clips: Tensor) -> Tensor:
        check_shape(clips, self.expected, rank=5)
        maps = self.cnn(rearrange(clips, "b t c h w -> (b t) c h w"))  # (b t) c h/4 w/4
        # as released: the mean forgets the order of the frames
        features = reduce(maps, "(b t) c h w -> b (c h w)", "mean", b=len(clips))
        return self.head(features)  # (b, k)


class HMDB51TimeSformer(nn.Module):
    """The TimeSformer baseline on HMDB51: 16×16 patches of the frames, joint attention, mean over tokens.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        drop_path: float = 0.0,
    ):
        super().__init__()
        check_multiple("size", size, FRAME_PATCH, "frames are cut into 16×16 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.project = nn.Linear(FRAME_PATCH**2 * channels, width)
        self.position = nn.Parameter(torch.zeros(1, frames * (size // FRAME_PATCH) ** 2, width))
        self.blocks = blocks(width, depth, heads, drop_path)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        check_shape(clips, self.expected, rank=5)
        tokens = self.project(frame_patches(clips))  # (b, t, n, d)
        tokens = rearrange(tokens, "b t n d -> b (t n) d") + self.position
        # as released: no class token and no dropout, unlike the other two baselines
        tokens = self.blocks(tokens)
        # as released: the mean first, then LayerNorm
        features = reduce(tokens, "b n d -> b d", "mean")
        return self.head(self.norm(features))  # (b, k)


class SVideoQATimeSformer(nn.Module):
    """The TimeSformer baseline on SVideoQA: 16×16 patches of the frames, joint attention, class token.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        drop_path: float = 0.0,
    ):
        super().__init__()
        check_multiple("size", size, FRAME_PATCH, "frames are cut into 16×16 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.project = nn.Linear(FRAME_PATCH**2 * channels, width)
        tokens = frames * (size // FRAME_PATCH) ** 2
        # as released: both from N(0, 1), far larger than the tokens they are added to; the position
        # embedding has a row for every token of the clip, of which only those of one frame are used; and the
        # "temporal" one also has a row for every token
        self.position = nn.Parameter(torch.randn(1, tokens, width))
        self.temporal = nn.Parameter(torch.randn(1, tokens, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def forward(self, clips: Tensor) -> Tensor:
        check_shape(clips, self.expected, rank=5)
        tokens = self.project(frame_patches(clips))  # (b, t, n, d)
        tokens = tokens + self.position[:, None, : tokens.shape[2]]  # the same n rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        return self.encoder(tokens + self.temporal)


def frame_cnn(channels: int, conv_channels: tuple[int, int]) -> nn.Sequential:
    """The two convolutions and pools of WTMR-Net and WMRC-Net on frames.

    Frames (b, channels, h, w) → maps (b, conv_channels[1], h/4, w/4).
    """
    first, second = conv_channels
    # as released: no regions and no weights, though the paper describes both
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def frame_patches(clips: Tensor) -> Tensor:
    """Clips (b, t, c, h, w) → the pixels of their 16×16 patches (b, t, n, 256 c)."""
    return rearrange(clips, "b t c (h p) (w q) -> b t (h w) (p q c)", p=FRAME_PATCH, q=FRAME_PATCH)
