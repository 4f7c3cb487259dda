"""From cached clips to what a network sees, on the device: normalisation, and augmentation with drawn numbers.

Two ways of drawing: once per clip, so that motion stays motion, and anew for every frame of a clip, as the paper's
notebooks did. Evaluation calls `frames` and `joints` without `draw`: it then
has no randomness at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from wtmr_core.skeleton import JOINTS, MIRROR, OUTWARDS, PARENTS, WAIST

GREY = ((0.485,), (0.229,))
RGB = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's
SIDED = re.compile(r"(left|right)(wards?)?|(anti|counter)?clockwise")  # words that a mirror makes untrue


@dataclass(frozen=True)
class Augmentation:
    """How strongly to augment, and from which generator (on the CPU, so that every device draws alike).

    Units as in `settings.Settings`. `per_frame`: pictures are augmented anew for each frame. `share`: the clips to
    augment are those from the first number up to the second of a batch of as many as the third; the numbers are drawn
    for all of them.
    `mirrorable`: (b,) bool on the CPU, which clips of this share may be mirrored; None is all.
    """

    generator: torch.Generator
    flip: float = 0.0
    rotate: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    jitter: float = 0.0
    tilt: float = 0.0
    joint_noise: float = 0.0
    joint_dropout: float = 0.0
    per_frame: bool = False
    share: tuple[int, int, int] | None = None
    mirrorable: Tensor | None = None

    def sample(self, sampler: Callable, shape: Sequence[int]) -> Tensor:
        """This share of the numbers that `sampler` gives for the batch; the first axis of `shape` is clips, or
        frames of clips."""
        first, stop, whole = self.share or (0, shape[0], shape[0])
        rows = shape[0] // (stop - first)  # of a clip
        return sampler((whole * rows, *shape[1:]), generator=self.generator)[first * rows : stop * rows]

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        """Numbers between `low` and `high`."""
        return self.sample(torch.rand, shape) * (high - low) + low

    def mirrored(self, count: int) -> Tensor:
        """(count,) bool, true with probability `flip` where a clip, or a frame of it, may be mirrored; it always draws
        as much."""
        chosen = self.sample(torch.rand, (count,)) < self.flip
        if self.mirrorable is None:
            return chosen
        return chosen & self.mirrorable.repeat_interleave(count // len(self.mirrorable))


def mirrorable(classes: Sequence[str]) -> Tensor:
    """Which of the classes named `classes` stay true in a mirror: (k,) bool.

    False where the name holds left, right (also with -ward, -wards) or clockwise (also anti-, counter-) as a
    word, in any case; anything but a letter ends a word.
    """
    words = (re.findall(r"[^\W\d_]+", name.lower()) for name in classes)
    return torch.tensor([not any(map(SIDED.fullmatch, w)) for w in words], dtype=torch.bool)


def pick(
    stored: int, frames: int, clips: int, generator: torch.Generator | None = None, view: tuple[int, int] = (0, 1)
) -> Tensor:
    """Which `frames` of `stored` frames to show: (b, t) numbers, rising.

    Each from its own equal stretch of the clip: with a `generator` anywhere in it, whatever the view; without,
    `view` (v, V) is the v-th of V views, at (v + ½)/V of each stretch: the middle where there is one view. All
    views are the same where all frames are shown. Raises ValueError where v is not one of 0 to V − 1.
    """
    v, views = view
    if not 0 <= v < views:
        raise ValueError(f"there is no view {v} of {views}; views count from 0")
    if stored == frames:
        return repeat(torch.arange(frames), "t -> b t", b=clips)
    shape = (clips, frames)
    place = torch.full(shape, (v + 0.5) / views) if generator is None else torch.rand(shape, generator=generator)
    return ((torch.arange(frames) + place) * (stored / frames)).long().clamp(max=stored - 1)


def frames(clips: Tensor, augmentation: Augmentation | None = None) -> Tensor:
    """(b, t, h, w, c) uint8 -> (b, t, c, h, w) float, normalised as the paper did; augmented with `augmentation`."""
    t = clips.shape[1]
    x = rearrange(clips, "b t h w c -> b t c h w").float() / 255
    if augmentation is not None:
        if augmentation.per_frame:  # every frame is a clip of its own
            x = rearrange(
                _augmented(rearrange(x, "b t c h w -> (b t) 1 c h w"), augmentation), "(b t) 1 c h w -> b t c h w", t=t
            )
        else:
            x = _augmented(x, augmentation)
    mean, std = (torch.tensor(v, device=x.device).view(-1, 1, 1) for v in (GREY if x.shape[2] == 1 else RGB))
    return (x - mean) / std


def _augmented(x: Tensor, augmentation: Augmentation) -> Tensor:
    """`x` (b, t, c, h, w) in 0-1 with one set of drawn numbers a clip."""
    b, t = x.shape[:2]
    angle = torch.deg2rad(augmentation.uniform((b,), -augmentation.rotate, augmentation.rotate))
    scale = 1 / augmentation.uniform((b,), 1.0, 1.0 + augmentation.zoom)
    mirror = 1 - 2 * augmentation.mirrored(b).float()
    furthest = 2 * augmentation.shift  # a picture is 2 wide in grid units
    shift = augmentation.uniform((b, 2), -furthest, furthest)
    if augmentation.rotate or augmentation.zoom or augmentation.shift or augmentation.flip:
        cos, sin = angle.cos() * scale, angle.sin() * scale
        theta = _matrices([cos * mirror, -sin, shift[:, 0]], [sin * mirror, cos, shift[:, 1]])  # b 2 3
        # frames go as channels, so that where each pixel comes from is worked out once a clip
        x = rearrange(x, "b t c h w -> b (t c) h w")
        grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="zeros" if augmentation.per_frame else "border", align_corners=False)
        x = rearrange(x, "b (t c) h w -> b t c h w", t=t)
    if augmentation.jitter:
        low, high = 1 - augmentation.jitter, 1 + augmentation.jitter
        bright, contrast, colour = (augmentation.uniform((b, 1, 1, 1, 1), low, high).to(x.device) for _ in range(3))
        x = (x * bright).clamp_(0, 1)
        x = torch.lerp(x.mean(dim=(2, 3, 4), keepdim=True), x, contrast).clamp_(0, 1)
        if x.shape[2] == 3:
            x = torch.lerp(x.mean(dim=2, keepdim=True), x, colour).clamp_(0, 1)
    return x


def _matrices(*rows: list[Tensor]) -> Tensor:
    """A matrix a clip, (b, row, column), from its rows of (b,) numbers."""
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def joints(clips: Tensor, augmentation: Augmentation | None = None, *, centred: bool = True) -> Tensor:
    """(b, t, m, j, 3) metres -> the same, centred on the first body's spine in the first frame it is seen.

    Absent bodies (all zero) stay zero. Not `centred` is the published way: raw camera space. With `augmentation`:
    mirrored, turned about the vertical axis, then about the camera's (tilted), scaled, with noise; and joints
    dropped, each in all frames and bodies of its clip: it is then where the joint is that it hangs on.
    """
    seen = (clips != 0).any(dim=-1, keepdim=True).any(dim=-2, keepdim=True)  # b t m 1 1
    if centred:
        first = seen[:, :, 0, 0, 0].float().argmax(dim=1)  # b
        spine = clips[torch.arange(len(clips), device=clips.device), first, 0, WAIST]  # b 3
        clips = torch.where(seen, clips - rearrange(spine, "b x -> b 1 1 1 x"), clips)
    if augmentation is None:
        return clips
    b = len(clips)
    mirror = augmentation.mirrored(b).to(clips.device)
    flipped = clips[..., list(MIRROR), :] * torch.tensor([-1.0, 1.0, 1.0], device=clips.device)
    clips = torch.where(rearrange(mirror, "b -> b 1 1 1 1"), flipped, clips)
    angle = torch.deg2rad(augmentation.uniform((b,), -augmentation.rotate, augmentation.rotate))
    scale = augmentation.uniform((b,), 1 - augmentation.zoom, 1 + augmentation.zoom)
    noise = torch.zeros(1)
    if augmentation.joint_noise:
        noise = augmentation.joint_noise * augmentation.sample(torch.randn, clips.shape)
    cos, sin, zeros, ones = angle.cos() * scale, angle.sin() * scale, torch.zeros(b), torch.ones(b)
    turn = _matrices([cos, zeros, sin], [zeros, scale, zeros], [-sin, zeros, cos])  # b 3 3, about y
    # drawn last, and only where asked for: runs without it see the numbers that they always saw
    if augmentation.tilt:
        angle = torch.deg2rad(augmentation.uniform((b,), -augmentation.tilt, augmentation.tilt))
        cos, sin = angle.cos(), angle.sin()
        turn = _matrices([cos, -sin, zeros], [sin, cos, zeros], [zeros, zeros, ones]) @ turn
    clips = torch.einsum("btmjx,byx->btmjy", clips, turn.to(clips.device)) + noise.to(clips.device)
    if augmentation.joint_dropout:
        stand = _stand_ins(augmentation.sample(torch.rand, (b, JOINTS)) < augmentation.joint_dropout).to(clips.device)
        clips = torch.take_along_dim(clips, rearrange(stand, "b j -> b 1 1 j 1"), dim=3)
    return torch.where(seen, clips, torch.zeros_like(clips))


def _stand_ins(dropped: Tensor) -> Tensor:
    """The joint whose place each joint takes, (b, j): itself, or the nearest one towards the hips that is not
    `dropped` (b, j). The hips hang on nothing and always stay."""
    stand = repeat(torch.arange(dropped.shape[1]), "j -> b j", b=len(dropped)).clone()
    for joint in OUTWARDS:
        stand[:, joint] = torch.where(dropped[:, joint], stand[:, PARENTS[joint]], joint)
    return stand


def mixup(x: Tensor, amount: float) -> Tensor:
    """Each clip blended with the one opposite it in the batch: (b, ...) float -> the same shape.

    `amount` is each clip's own part; blend the losses on `labels` and on `labels.flip(0)` by it alike. A share of
    a batch is paired within itself, so it is not what that share of the whole would be. mixup (Zhang et al.,
    ICLR 2018).
    """
    return amount * x + (1 - amount) * x.flip(0)


def mixup_amount(strength: float, seed: Sequence[int]) -> float:
    """A clip's own part in `mixup`, ½ to 1: the larger of a and 1 − a, a from Beta(`strength`, `strength`).

    The same for the same `seed`. Raises ValueError where `strength` is not above 0.
    """
    a = np.random.default_rng(seed).beta(strength, strength)
    return float(max(a, 1 - a))
