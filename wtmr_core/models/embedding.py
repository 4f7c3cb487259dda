"""Contextual feature embedding: patches of the region features as tokens, with separate position and time encodings.

Axes: b clip, t frame (o of them in a token), c channel, h w cells of a map, p q cells within a patch, n token of a
frame, d width.
"""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from torch import Tensor, nn
from torch.nn import functional as F


class PatchEmbedding(nn.Module):
    """Project patches of o frames, p rows and q columns: maps (b, t, c, h, w) → tokens (b, t/o, n, d).

    Raises `ValueError` for maps that `patch` (o, p, q) does not divide.

    >>> PatchEmbedding(3, (1, 4, 4), 8)(torch.zeros(2, 5, 3, 8, 8)).shape
    torch.Size([2, 5, 4, 8])
    """

    def __init__(self, channels: int, patch: tuple[int, int, int], width: int):
        super().__init__()
        self.channels, self.patch = channels, patch
        # its weight is that of a convolution (d, c, o, p, q), flattened
        self.project = nn.Linear(channels * patch[0] * patch[1] * patch[2], width)

    def forward(self, maps: Tensor) -> Tensor:
        o, p, q = _check_divides(self.patch, maps)
        return self.project(rearrange(maps, "b (t o) c (h p) (w q) -> b t (h w) (c o p q)", o=o, p=p, q=q))


class PatchMeans(nn.Module):
    """Average patches, with nothing to learn: maps (b, t, c, h, w) → tokens (b, t/o, n, c).

    Raises `ValueError` as `PatchEmbedding` does.

    >>> PatchMeans((1, 4, 4))(torch.zeros(2, 5, 3, 8, 8)).shape
    torch.Size([2, 5, 4, 3])
    """

    def __init__(self, patch: tuple[int, int, int]):
        super().__init__()
        self.patch = patch

    def forward(self, maps: Tensor) -> Tensor:
        o, p, q = _check_divides(self.patch, maps)
        return reduce(maps, "b (t o) c (h p) (w q) -> b t (h w) c", "mean", o=o, p=p, q=q)


class Encodings(nn.Module):
    """Add learned encodings: tokens (b, t, n, d) → class token (b, 1, d) and tokens (b, t, n, d).

    Learned are the class token, a position for it and for each place of a frame (a `grid` of h × w), and, with `time`,
    one encoding per frame; a token gets the sum of its place's and its frame's. All start at N(0, 0.02²). The first
    rows of the grid may come without the others: of bodies × body parts, those of the bodies that are present.

    Raises `ValueError` for another number of frames, and for more or other places; `resize` adapts the encodings.
    """

    def __init__(self, width: int, frames: int, grid: tuple[int, int], *, time: bool = True):
        super().__init__()
        self.grid = grid
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 1 + grid[0] * grid[1], width))
        self.time = nn.Parameter(0.02 * torch.randn(1, frames, width)) if time else None

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        b, t, n, _ = tokens.shape
        h, w = self.grid
        if self.time is not None and t != self.time.shape[1]:
            raise ValueError(f"{t} frames of tokens, but encodings for {self.time.shape[1]}; `resize` makes them fit")
        if n % w or n > h * w:
            raise ValueError(
                f"{n} places in a frame, but encodings for {h * w}, {h} rows of {w}; `resize` makes them fit"
            )
        class_token = (self.class_token + self.position[:, :1]).expand(b, -1, -1)
        tokens = tokens + self.position[:, None, 1 : 1 + n]
        if self.time is not None:
            tokens = tokens + rearrange(self.time, "1 t d -> 1 t 1 d")
        return class_token, tokens

    @torch.no_grad()
    def resize(self, frames: int, grid: tuple[int, int]) -> None:
        """Interpolate the encodings to `frames` frames, linearly, and to a `grid` of places, bicubically.

        What changes becomes a new parameter: resize first, then create the optimiser.
        """
        if grid != self.grid:
            position = resized_position(self.position, self.grid, grid)
            self.position = nn.Parameter(position, requires_grad=self.position.requires_grad)
            self.grid = grid
        if self.time is not None and frames != self.time.shape[1]:
            self.time = nn.Parameter(resized_time(self.time, frames), requires_grad=self.time.requires_grad)


def _check_divides(patch: tuple[int, int, int], maps: Tensor) -> tuple[int, int, int]:
    (t, _, h, w), (o, p, q) = maps.shape[1:], patch
    if t % o or h % p or w % q:
        raise ValueError(
            f"{t} frames of {h}×{w} cells are not divided by patches of {o} frames of {p}×{q} cells; change one"
        )
    return patch


def resized_position(position: Tensor, old: tuple[int, int], new: tuple[int, int]) -> Tensor:
    """Resize positions (1, 1 + n, d) from one grid to another; the class token's, which is the first, stays."""
    if old == new:
        return position
    places = rearrange(position[:, 1:], "1 (h w) d -> 1 d h w", h=old[0])
    places = F.interpolate(places, size=new, mode="bicubic", align_corners=False)
    return torch.cat([position[:, :1], rearrange(places, "1 d h w -> 1 (h w) d")], dim=1)


def resized_time(time: Tensor, frames: int) -> Tensor:
    """Resize time encodings: (1, t, d) → (1, frames, d)."""
    if time.shape[1] == frames:
        return time
    resized = F.interpolate(rearrange(time, "1 t d -> 1 d t"), size=frames, mode="linear", align_corners=False)
    return rearrange(resized, "1 d t -> 1 t d")
