"""The context-aware multi-region CNN on frames: regions with their own kernels and weights, beside their context.

Regions are the cells of a grid; `bodies` has the same for the body parts of joints.

Axes: b clip, t frame, c channel, h w pixels (or cells of a map), r region.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Regions:
    """The output of the CNN.

    Attributes:
        maps: (b, t, c, h, w); for joints h are the bodies and w their parts
        weights: (b, t, r), the weight of each region in each frame; for joints r is h · w
        present: (b, r) bool, the regions of bodies that are present, where maps and weights of the others are zero;
            None where all are present, as for frames
    """

    maps: Tensor
    weights: Tensor
    present: Tensor | None = None


class RegionConv(nn.Module):
    """A convolution with separate kernels of `side` × `side` cells for each region.

    Maps (b, inputs, h, w) → (b, outputs, h/stride, w/stride). `grid` is the number of regions down and across. At its
    borders a region sees its neighbours, and zeros at those of the frame: the output is that of each region's kernels
    over the whole frame, cut out where the region lies. A grid of (1, 1) is an ordinary convolution. Raises
    `ValueError` for a map that grid and stride do not divide.

    >>> RegionConv(3, 8, grid=(2, 2))(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int, grid: tuple[int, int], stride: int = 1, side: int = 3):
        super().__init__()
        regions = grid[0] * grid[1]
        self.grid, self.stride, self.border = grid, stride, side // 2
        self.conv = nn.Conv2d(regions * inputs, regions * outputs, side, stride, groups=regions, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        gh, gw = self.grid
        _check_grid(maps, (gh * self.stride, gw * self.stride))
        (h, w), border = (maps.shape[-2] // gh, maps.shape[-1] // gw), self.border
        tiles = F.pad(maps, 4 * (border,)).unfold(2, h + 2 * border, h).unfold(3, w + 2 * border, w)
        tiles = rearrange(tiles, "b c gh gw h w -> b (gh gw c) h w")
        return rearrange(self.conv(tiles), "b (gh gw c) h w -> b c (gh h) (gw w)", gh=gh, gw=gw)


class RegionWeights(nn.Module):
    """Weigh regions (b, r, c), given their context (b, c') if there is one: positive weights (b, r) with a mean of 1.

    All weights start at 1.
    """

    def __init__(self, channels: int, hidden: int = 32):
        super().__init__()
        # no bias last: the softmax takes away what all regions have in common
        self.score = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 1, bias=False))
        nn.init.zeros_(self.score[-1].weight)

    def forward(self, regions: Tensor, context: Tensor | None = None) -> Tensor:
        r = regions.shape[1]
        if context is not None:
            regions = torch.cat([regions, repeat(context, "b c -> b r c", r=r)], dim=-1)
        return r * self.score(regions)[..., 0].softmax(dim=-1)


class FrameRegions(nn.Module):
    """The CNN on frames, or on the maps of a backbone: clips (b, t, c, h, w) → `Regions`.

    Maps have `conv_channels[1]` channels and, of frames, a quarter of each side. Two convolutions run over a `grid` of
    regions, the first with a stride of two and pooled. The context comes from the same two over the whole frame, which
    is halved instead of pooled. Each region of the map is multiplied by its weight, put back in its place and joined
    with the context by a 1×1 convolution. Maps of a backbone keep their size: nothing but the context is halved, and
    the kernels of regions have one cell, since each cell has seen what is round it. If `residual`, the outcome is added
    to the normalised input, by a 1×1 convolution that starts at zero; the weights of regions are those of both.

    Args:
        channels: of a frame or map
        conv_channels: of the two convolutions
        grid: regions down and across
        separate: each region has its own kernels, otherwise all share them
        learned: weights are learned from region and context, otherwise all are 1
        context: add the context
        motion: beside each frame or map, show the network its difference to the previous one
        halves: whether the sides are halved twice; not those of a backbone's map
        residual: add to the input instead of replacing it; maps then have as many channels as the input, which is not
            halved

    Raises:
        ValueError: for a residual that is halved, and in `forward` for clips that grid and halves do not divide.
    """

    def __init__(
        self,
        channels: int,
        conv_channels: tuple[int, int],
        grid: tuple[int, int] = (2, 2),
        *,
        separate: bool = True,
        learned: bool = True,
        context: bool = True,
        motion: bool = True,
        halves: bool = True,
        residual: bool = False,
    ):
        super().__init__()
        if residual and halves:
            raise ValueError("residual is on, and so is halves: nothing can be added to a map of another size")
        self.grid, self.motion, self.shrinks = grid, motion, 4 if halves else 1
        inputs, (first, second) = channels * (2 if motion else 1), conv_channels
        stride, pool = (2, nn.MaxPool2d(2)) if halves else (1, nn.Identity())
        kernels, side = grid if separate else (1, 1), 3 if halves else 1
        self.normalise = nn.BatchNorm2d(inputs)  # a difference of frames is a tenth of a frame
        self.steps = nn.Sequential(
            RegionConv(inputs, first, kernels, stride, side),
            pool,
            nn.BatchNorm2d(first),
            nn.ReLU(),
            RegionConv(first, second, kernels, side=side),
            nn.BatchNorm2d(second),
            nn.ReLU(),
        )
        self.context = None
        if context:
            self.context = nn.Sequential(
                nn.AvgPool2d(2),
                nn.Conv2d(inputs, first, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(first),
                nn.ReLU(),
                nn.Conv2d(first, second, 3, padding=1, bias=False),
                nn.BatchNorm2d(second),
                nn.ReLU(),
            )
            self.join = fusion(second)
        self.weights = RegionWeights(second * (2 if context else 1)) if learned else None
        self.change = None
        if residual:
            self.change = nn.Conv2d(second, channels, 1)
            nn.init.zeros_(self.change.weight)
            nn.init.zeros_(self.change.bias)

    def forward(self, clips: Tensor) -> Regions:
        b, (gh, gw), (height, width) = len(clips), self.grid, clips.shape[-2:]
        if height % (self.shrinks * gh) or width % (self.shrinks * gw):
            what = "a frame of {}×{} pixels, halved twice," if self.shrinks > 1 else "a map of {}×{} cells"
            raise ValueError(
                f"{what.format(height, width)} is not divided by a grid of {gh}×{gw} regions; change the size"
            )
        if self.motion:
            previous = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
            clips = torch.cat([clips, clips - previous], dim=2)
        frames = rearrange(clips, "b t c h w -> (b t) c h w")
        frames = self.normalise(frames)
        maps = self.steps(frames)
        around = None if self.context is None else self.context(frames)
        weights, of_cells = maps.new_ones(len(maps), gh * gw), 1.0
        if self.weights is not None:
            regions = reduce(maps, "b c (gh h) (gw w) -> b (gh gw) c", "mean", gh=gh, gw=gw)
            weights = self.weights(regions, None if around is None else reduce(around, "b c h w -> b c", "mean"))
            h, w = maps.shape[-2] // gh, maps.shape[-1] // gw
            of_cells = repeat(weights, "b (gh gw) -> b 1 (gh h) (gw w)", gh=gh, h=h, w=w)
            maps = maps * of_cells
        if around is not None:
            if around.shape != maps.shape:  # over a backbone only the context is halved
                around = F.interpolate(around, size=maps.shape[-2:], mode="bilinear")
            maps = self.join(torch.cat([maps, around], dim=1))
        if self.change is not None:
            maps = frames[:, : self.change.out_channels] * of_cells + self.change(maps)
        return Regions(rearrange(maps, "(b t) c h w -> b t c h w", b=b), rearrange(weights, "(b t) r -> b t r", b=b))


class PlainFrames(nn.Module):
    """No CNN: clips (b, t, c, h, w) → `Regions` whose maps are the frames themselves, as one region.

    With `normalised`, a number of channels, each of these is brought to mean 0 and deviation 1.
    """

    def __init__(self, normalised: int = 0):
        super().__init__()
        self.normalise = nn.BatchNorm2d(normalised, affine=False) if normalised else None

    def forward(self, clips: Tensor) -> Regions:
        if self.normalise is not None:
            frames = self.normalise(rearrange(clips, "b t c h w -> (b t) c h w"))
            clips = rearrange(frames, "(b t) c h w -> b t c h w", b=len(clips))
        return Regions(clips, clips.new_ones(*clips.shape[:2], 1))


def fusion(channels: int) -> nn.Sequential:
    """A 1×1 convolution that joins maps and their context, `channels` each."""
    return nn.Sequential(nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


def _check_grid(maps: Tensor, grid: tuple[int, int]) -> None:
    (gh, gw), (h, w) = grid, maps.shape[-2:]
    if h % gh or w % gw:
        raise ValueError(f"a map of {h}×{w} cells is not divided by a grid of {gh}×{gw} regions; change the size")
