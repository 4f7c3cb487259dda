"""The context-aware multi-region CNN on frames: regions with their own kernels and weights, beside their context.

Regions are the cells of a grid; `bodies` has the same for the body parts of joints.

Axes: b clip, t frame, c channel, h w pixels (or cells of a map), r region.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import timm
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
    """A 3×3 convolution with separate kernels for each region.

    Maps (b, inputs, h, w) → (b, outputs, h/stride, w/stride). `grid` is the number of regions down and across. At its
    borders a region sees its neighbours, and zeros at those of the frame: the output is that of each region's kernels
    over the whole frame, cut out where the region lies. A grid of (1, 1) is an ordinary convolution. Raises
    `ValueError` for a map that grid and stride do not divide.

    >>> RegionConv(3, 8, grid=(2, 2))(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int, grid: tuple[int, int], stride: int = 1):
        super().__init__()
        regions = grid[0] * grid[1]
        self.grid, self.stride = grid, stride
        self.conv = nn.Conv2d(regions * inputs, regions * outputs, 3, stride, groups=regions, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        gh, gw = self.grid
        _check_grid(maps, (gh * self.stride, gw * self.stride))
        h, w = maps.shape[-2] // gh, maps.shape[-1] // gw
        tiles = F.pad(maps, (1, 1, 1, 1)).unfold(2, h + 2, h).unfold(3, w + 2, w)  # each with a border of one cell
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
    """The CNN on frames: clips (b, t, c, h, w) → `Regions`.

    Maps have `conv_channels[1]` channels and a quarter of each side. Two convolutions run over a `grid` of regions, the
    first with a stride of two and pooled. The context comes from the same two over the whole frame, which is halved
    instead of pooled. Each region of the map is multiplied by its weight, put back in its place and joined with the
    context by a 1×1 convolution.

    Args:
        channels: of a frame
        conv_channels: of the two convolutions
        grid: regions down and across
        separate: each region has its own kernels, otherwise all share them
        learned: weights are learned from region and context, otherwise all are 1
        context: add the context
        motion: beside each frame, show the network its difference to the previous one
        backbone: a network of timm, whose map at a quarter of each side comes first; nothing is halved then
        backbone_weights: its weights, a local file; None starts it at random

    Raises:
        ValueError: for frames that grid and pools do not divide, for a backbone without such a map, and for weights
            that cannot be read or belong to another network.
        FileNotFoundError: where there is no such file.
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
        backbone: str | None = None,
        backbone_weights: str | None = None,
    ):
        super().__init__()
        self.grid, self.motion = grid, motion
        inputs, (first, second) = channels * (2 if motion else 1), conv_channels
        self.backbone = None
        if backbone_weights and not backbone:
            raise ValueError(f"there is no backbone for the weights {backbone_weights}; name it")
        if backbone:
            self.backbone = _backbone(backbone, inputs, backbone_weights)
            inputs = self.backbone.feature_info.channels()[-1]
        stride, pool = (1, nn.Identity()) if backbone else (2, nn.MaxPool2d(2))
        kernels = grid if separate else (1, 1)
        self.normalise = nn.BatchNorm2d(inputs)  # a difference of frames is a tenth of a frame
        self.steps = nn.Sequential(
            RegionConv(inputs, first, kernels, stride),
            pool,
            nn.BatchNorm2d(first),
            nn.ReLU(),
            RegionConv(first, second, kernels),
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

    def forward(self, clips: Tensor) -> Regions:
        b, (gh, gw), (height, width) = len(clips), self.grid, clips.shape[-2:]
        if height % (4 * gh) or width % (4 * gw):
            raise ValueError(
                f"a frame of {height}×{width} pixels, halved twice, is not divided by a grid of {gh}×{gw} "
                "regions; change the size"
            )
        if self.motion:
            previous = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
            clips = torch.cat([clips, clips - previous], dim=2)
        frames = rearrange(clips, "b t c h w -> (b t) c h w")
        if self.backbone is not None:
            (frames,) = self.backbone(frames)
            h, w = frames.shape[-2:]
            if (h, w) != (height // 4, width // 4):
                raise ValueError(
                    f"the backbone makes a map of {h}×{w} cells of a frame of {height}×{width} pixels, "
                    "not a quarter of each side; choose another"
                )
        frames = self.normalise(frames)
        maps = self.steps(frames)
        around = None if self.context is None else self.context(frames)
        weights = maps.new_ones(len(maps), gh * gw)
        if self.weights is not None:
            regions = reduce(maps, "b c (gh h) (gw w) -> b (gh gw) c", "mean", gh=gh, gw=gw)
            weights = self.weights(regions, None if around is None else reduce(around, "b c h w -> b c", "mean"))
            h, w = maps.shape[-2] // gh, maps.shape[-1] // gw
            maps = maps * repeat(weights, "b (gh gw) -> b 1 (gh h) (gw w)", gh=gh, h=h, w=w)
        if around is not None:
            if around.shape != maps.shape:  # under a backbone only the context is halved
                around = F.interpolate(around, size=maps.shape[-2:], mode="bilinear")
            maps = self.join(torch.cat([maps, around], dim=1))
        return Regions(rearrange(maps, "(b t) c h w -> b t c h w", b=b), rearrange(weights, "(b t) r -> b t r", b=b))


class PlainFrames(nn.Module):
    """No CNN: clips (b, t, c, h, w) → `Regions` whose maps are the frames themselves, as one region."""

    def forward(self, clips: Tensor) -> Regions:
        return Regions(clips, clips.new_ones(*clips.shape[:2], 1))


def fusion(channels: int) -> nn.Sequential:
    """A 1×1 convolution that joins maps and their context, `channels` each."""
    return nn.Sequential(nn.Conv2d(2 * channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())


def _backbone(name: str, channels: int, weights: str | None) -> nn.Module:
    """The network `name` of timm up to its map at a quarter of each side, as a list of that one map."""
    if not timm.is_model(name):
        raise ValueError(f"timm has no network {name!r}; `timm.list_models()` lists them")
    if weights and not Path(weights).is_file():
        raise FileNotFoundError(f"there is no file {weights} with weights of {name}")

    def create(**options) -> nn.Module:
        return timm.create_model(name, features_only=True, in_chans=channels, **options)

    with torch.random.fork_rng(devices=()):  # so that the second starts with the numbers of this one
        whole = create()
    reductions = whole.feature_info.reduction()
    if 4 not in reductions:
        raise ValueError(f"{name} has maps at 1/{', 1/'.join(map(str, reductions))} of each side, none at 1/4")
    if getattr(whole, "output_fmt", "NCHW") != "NCHW":
        raise ValueError(f"the maps of {name} have their channels last; choose a network that has them first")
    quarter = (reductions.index(4),)
    if not weights:
        return create(out_indices=quarter)
    try:  # timm takes the weights from the local file alone, and adapts those of the first layer to our channels
        network = create(out_indices=quarter, pretrained=True, pretrained_cfg_overlay={"file": weights})
    except Exception as error:  # readers raise many kinds
        raise ValueError(f"{weights} cannot be read as weights of {name}: damaged, or of another network") from error
    # timm passes over what the file lacks; such a weight still has its random start
    random = dict(whole.named_parameters())
    for key, value in network.named_parameters():
        if value.ndim > 1 and not value.is_meta and torch.equal(value, random[key]):
            raise ValueError(f"{weights} has no weights for {key} of {name}; it is of another network")
    return network


def _check_grid(maps: Tensor, grid: tuple[int, int]) -> None:
    (gh, gw), (h, w) = grid, maps.shape[-2:]
    if h % gh or w % gw:
        raise ValueError(f"a map of {h}×{w} cells is not divided by a grid of {gh}×{gw} regions; change the size")
