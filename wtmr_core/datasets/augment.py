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

from wtmr_core.skeleton import CHEST, HIPS, JOINTS, L_ANKLE, L_HIP, L_KNEE, MIRROR, OUTWARDS, PARENTS, WAIST

GREY = ((0.485,), (0.229,))
RGB = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's
SIDED = re.compile(r"(left|right)(wards?)?|(anti|counter)?clockwise")  # words that a mirror makes untrue


@dataclass(frozen=True)
class Draw:
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

    def drawn(self, draw: Callable, shape: Sequence[int]) -> Tensor:
        """This share of the numbers that `draw` gives for the batch; the first axis of `shape` is clips, or
        frames of clips."""
        first, behind, whole = self.share or (0, shape[0], shape[0])
        rows = shape[0] // (behind - first)  # of a clip
        return draw((whole * rows, *shape[1:]), generator=self.generator)[first * rows : behind * rows]

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        """Numbers between `low` and `high`."""
        return self.drawn(torch.rand, shape) * (high - low) + low

    def mirrored(self, count: int) -> Tensor:
        """(count,) bool, true with probability `flip` where a clip, or a frame of it, may be mirrored; it always draws
        as much."""
        chosen = self.drawn(torch.rand, (count,)) < self.flip
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


def frames(clips: Tensor, draw: Draw | None = None) -> Tensor:
    """(b, t, h, w, c) uint8 -> (b, t, c, h, w) float, normalised as the paper did; augmented with `draw`."""
    t = clips.shape[1]
    x = rearrange(clips, "b t h w c -> b t c h w").float() / 255
    if draw is not None:
        if draw.per_frame:  # every frame is a clip of its own
            x = rearrange(
                _augmented(rearrange(x, "b t c h w -> (b t) 1 c h w"), draw), "(b t) 1 c h w -> b t c h w", t=t
            )
        else:
            x = _augmented(x, draw)
    mean, std = (torch.tensor(v, device=x.device).view(-1, 1, 1) for v in (GREY if x.shape[2] == 1 else RGB))
    return (x - mean) / std


def _augmented(x: Tensor, draw: Draw) -> Tensor:
    """`x` (b, t, c, h, w) in 0-1 with one set of drawn numbers a clip."""
    b, t = x.shape[:2]
    angle = torch.deg2rad(draw.uniform((b,), -draw.rotate, draw.rotate))
    scale = 1 / draw.uniform((b,), 1.0, 1.0 + draw.zoom)
    mirror = 1 - 2 * draw.mirrored(b).float()
    shift = draw.uniform((b, 2), -2 * draw.shift, 2 * draw.shift)  # a picture is 2 wide in grid units
    if draw.rotate or draw.zoom or draw.shift or draw.flip:
        cos, sin = angle.cos() * scale, angle.sin() * scale
        theta = _matrices([cos * mirror, -sin, shift[:, 0]], [sin * mirror, cos, shift[:, 1]])  # b 2 3
        # frames go as channels, so that where each pixel comes from is worked out once a clip
        x = rearrange(x, "b t c h w -> b (t c) h w")
        grid = F.affine_grid(theta.to(x.device), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="zeros" if draw.per_frame else "border", align_corners=False)
        x = rearrange(x, "b (t c) h w -> b t c h w", t=t)
    if draw.jitter:
        low, high = 1 - draw.jitter, 1 + draw.jitter
        bright, contrast, colour = (draw.uniform((b, 1, 1, 1, 1), low, high).to(x.device) for _ in range(3))
        x = (x * bright).clamp_(0, 1)
        x = torch.lerp(x.mean(dim=(2, 3, 4), keepdim=True), x, contrast).clamp_(0, 1)
        if x.shape[2] == 3:
            x = torch.lerp(x.mean(dim=2, keepdim=True), x, colour).clamp_(0, 1)
    return x


def _matrices(*rows: list[Tensor]) -> Tensor:
    """A matrix a clip, (b, row, column), from its rows of (b,) numbers."""
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def joints(clips: Tensor, draw: Draw | None = None, *, centred: bool = True, normalised: bool = False) -> Tensor:
    """(b, t, m, j, 3) metres -> the same, centred on the first body's spine in the first frame it is seen.

    Absent bodies (all zero) stay zero. Not `centred` is the published way: raw camera space. `normalised`: as
    `normalise` has it. With `draw`:
    mirrored, turned about the vertical axis, then about the camera's (tilted), scaled, with noise; and joints
    dropped, each in all frames and bodies of its clip: it is then where the joint is that it hangs on.
    """
    seen = (clips != 0).any(dim=-1, keepdim=True).any(dim=-2, keepdim=True)  # b t m 1 1
    if centred:
        first = seen[:, :, 0, 0, 0].float().argmax(dim=1)  # b
        spine = clips[torch.arange(len(clips), device=clips.device), first, 0, WAIST]  # b 3
        clips = torch.where(seen, clips - rearrange(spine, "b x -> b 1 1 1 x"), clips)
    if normalised:
        clips = normalise(clips, seen)
    if draw is None:
        return clips
    b = len(clips)
    mirror = draw.mirrored(b).to(clips.device)
    flipped = clips[..., list(MIRROR), :] * torch.tensor([-1.0, 1.0, 1.0], device=clips.device)
    clips = torch.where(rearrange(mirror, "b -> b 1 1 1 1"), flipped, clips)
    angle = torch.deg2rad(draw.uniform((b,), -draw.rotate, draw.rotate))
    scale = draw.uniform((b,), 1 - draw.zoom, 1 + draw.zoom)
    noise = draw.joint_noise * draw.drawn(torch.randn, clips.shape) if draw.joint_noise else torch.zeros(1)
    cos, sin, zero, one = angle.cos() * scale, angle.sin() * scale, torch.zeros(b), torch.ones(b)
    turn = _matrices([cos, zero, sin], [zero, scale, zero], [-sin, zero, cos])  # b 3 3, about y
    # drawn last, and only where asked for: runs without it see the numbers that they always saw
    if draw.tilt:
        angle = torch.deg2rad(draw.uniform((b,), -draw.tilt, draw.tilt))
        cos, sin = angle.cos(), angle.sin()
        turn = _matrices([cos, -sin, zero], [sin, cos, zero], [zero, zero, one]) @ turn
    clips = torch.einsum("btmjx,byx->btmjy", clips, turn.to(clips.device)) + noise.to(clips.device)
    if draw.joint_dropout:
        stand = _stand_ins(draw.drawn(torch.rand, (b, JOINTS)) < draw.joint_dropout).to(clips.device)
        clips = torch.take_along_dim(clips, rearrange(stand, "b j -> b 1 1 j 1"), dim=3)
    return torch.where(seen, clips, torch.zeros_like(clips))


def normalise(clips: Tensor, seen: Tensor) -> Tensor:
    """(b, t, m, j, 3) -> the same in lengths of a body, from the middle of its way: less the mean of the first body's
    hips over the frames in which it is `seen` (b, t, m, 1, 1), over the median of its trunk, a thigh and a shin.

    So neither where somebody is nor how large says anything, and pixels serve as metres do. A body without length is
    only moved.
    """
    there = seen[:, :, 0, 0]  # b t 1
    body = clips[:, :, 0]
    middle = (body[:, :, HIPS] * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)  # b 3
    bones = ((CHEST, HIPS), (L_HIP, L_KNEE), (L_KNEE, L_ANKLE))
    lengths = sum((body[:, :, a] - body[:, :, b]).norm(dim=-1) for a, b in bones)
    length = lengths.where(there[..., 0], torch.nan).nanmedian(dim=1).values.nan_to_num()  # b
    length = torch.where(length > 1e-6, length, torch.ones_like(length))
    moved = (clips - rearrange(middle, "b c -> b 1 1 1 c")) / rearrange(length, "b -> b 1 1 1 1")
    return torch.where(seen, moved, clips)


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
