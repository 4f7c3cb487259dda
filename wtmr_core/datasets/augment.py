"""From cached clips to what a network sees, on the device: normalisation, and random augmentation.

Random numbers are sampled once per clip, so that motion stays motion, or separately for each frame, as the paper's
notebooks did. Evaluation calls `frames` and `joints` without an `Augmentation` and is deterministic.
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

from wtmr_core.modality import GREY, RGB
from wtmr_core.skeleton import CHEST, HIPS, JOINTS, L_ANKLE, L_HIP, L_KNEE, MIRROR, OUTWARDS, PARENTS, WAIST

SIDED = re.compile(r"(left|right)(wards?)?|(anti|counter)?clockwise")  # words that a mirror makes untrue


@dataclass(frozen=True)
class Augmentation:
    """How strongly to augment, and the generator of the random numbers.

    The generator lives on the CPU, so that every device samples the same numbers. Strengths have the units of
    `settings.Settings`.

    Attributes:
        per_frame: augment each frame of a picture clip by itself
        share: (first, stop, whole): the clips to augment are rows `first` to `stop` of a batch of `whole` clips.
            Numbers are sampled for the whole batch, so that a clip's do not depend on how the batch is divided.
        mirrorable: (b,) bool on the CPU, the clips of this share that may be mirrored; None means all
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
        """Sample numbers of a `shape` for this share of the batch.

        Args:
            sampler: `torch.rand` or `torch.randn`; it is asked for the numbers of the whole batch
            shape: shape of the result; its first axis counts clips, or frames of clips
        """
        first, stop, whole = self.share or (0, shape[0], shape[0])
        rows = shape[0] // (stop - first)  # of a clip
        return sampler((whole * rows, *shape[1:]), generator=self.generator)[first * rows : stop * rows]

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        """Sample numbers of `shape` uniformly between `low` and `high`."""
        return self.sample(torch.rand, shape) * (high - low) + low

    def mirrored(self, count: int) -> Tensor:
        """Choose the clips, or frames of clips, to mirror: (count,) bool.

        Each is mirrored with probability `flip`, where that is allowed. It always samples `count` numbers.
        """
        chosen = self.sample(torch.rand, (count,)) < self.flip
        if self.mirrorable is None:
            return chosen
        return chosen & self.mirrorable.repeat_interleave(count // len(self.mirrorable))


def mirrorable(classes: Sequence[str]) -> Tensor:
    """Which classes stay true in a mirror: (k,) bool for the k names in `classes`.

    False where a name contains left, right (also with -ward, -wards) or clockwise (also anti-, counter-) as a word, in
    any case; anything but a letter ends a word.

    >>> mirrorable(["wave", "turn left"]).tolist()
    [True, False]
    """
    words = (re.findall(r"[^\W\d_]+", name.lower()) for name in classes)
    return torch.tensor([not any(map(SIDED.fullmatch, w)) for w in words], dtype=torch.bool)


def pick(
    stored: int, frames: int, clips: int, generator: torch.Generator | None = None, view: tuple[int, int] = (0, 1)
) -> Tensor:
    """Choose which of a clip's `stored` frames to show: (b, t) frame numbers in ascending order.

    The clip is divided into `frames` equal stretches, and one frame is taken from each: at random with a `generator`,
    otherwise at (v + ½) / V of the stretch for `view` (v, V), the v-th of V views. A single view takes the middles.
    Where `stored` equals `frames`, all views are the same.

    Args:
        stored: frames of a clip in the cache
        frames: t, frames to show
        clips: b, the number of clips

    Raises:
        ValueError: where v is not one of 0 to V - 1.

    >>> pick(8, 4, clips=1).tolist()
    [[1, 3, 5, 7]]
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
    """Normalise pictures as the paper did: (b, t, h, w, c) uint8 -> (b, t, c, h, w) float; augment them if asked."""
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
    """`x` (b, t, c, h, w) in 0-1, augmented with one set of random numbers per clip."""
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
    """One matrix per clip, (b, row, column), from its rows, lists of (b,) numbers."""
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def joints(
    clips: Tensor, augmentation: Augmentation | None = None, *, centred: bool = True, normalised: bool = False
) -> Tensor:
    """Centre joints and, if asked, augment them: (b, t, m, j, 3) metres -> the same shape.

    The origin becomes the first body's spine in the first frame that shows it, unless `centred` is off: then joints
    stay in raw camera space, as published. Absent bodies (all zero) stay zero.

    `normalised`: in lengths of a body, see `normalise`.

    Augmentation, in this order: mirroring; rotation about the vertical axis, scaling and noise; tilt about the camera's
    axis; joint dropout. A joint is dropped in all frames and bodies of its clip, and then lies on the joint that it is
    attached to.
    """
    seen = (clips != 0).any(dim=-1, keepdim=True).any(dim=-2, keepdim=True)  # b t m 1 1
    if centred:
        first = seen[:, :, 0, 0, 0].float().argmax(dim=1)  # b
        spine = clips[torch.arange(len(clips), device=clips.device), first, 0, WAIST]  # b 3
        clips = torch.where(seen, clips - rearrange(spine, "b x -> b 1 1 1 x"), clips)
    if normalised:
        clips = normalise(clips, seen)
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
    # sampled last, and only if asked for: runs without it see the numbers that they always saw
    if augmentation.tilt:
        angle = torch.deg2rad(augmentation.uniform((b,), -augmentation.tilt, augmentation.tilt))
        cos, sin = angle.cos(), angle.sin()
        turn = _matrices([cos, -sin, zeros], [sin, cos, zeros], [zeros, zeros, ones]) @ turn
    clips = torch.einsum("btmjx,byx->btmjy", clips, turn.to(clips.device)) + noise.to(clips.device)
    if augmentation.joint_dropout:
        stand = _stand_ins(augmentation.sample(torch.rand, (b, JOINTS)) < augmentation.joint_dropout).to(clips.device)
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
    """The joint whose position each joint takes: (b, j).

    It is the joint itself, or the nearest one towards the hips that is not `dropped` (b, j). The hips never are.
    """
    stand = repeat(torch.arange(dropped.shape[1]), "j -> b j", b=len(dropped)).clone()
    for joint in OUTWARDS:
        stand[:, joint] = torch.where(dropped[:, joint], stand[:, PARENTS[joint]], joint)
    return stand


def mixup(x: Tensor, amount: float) -> Tensor:
    """Blend each clip with the one at the opposite end of the batch: (b, ...) float -> the same shape.

    `amount` is the weight of the clip itself; blend the losses on `labels` and `labels.flip(0)` by the same amount.
    Blend the whole batch before it is divided into shares: a share by itself would be paired differently.

    Source: mixup (Zhang et al., ICLR 2018).
    """
    return amount * x + (1 - amount) * x.flip(0)


def mixup_amount(strength: float, seed: Sequence[int]) -> float:
    """Sample a clip's own weight in `mixup`, between ½ and 1.

    It is the larger of a and 1 - a, with a from Beta(strength, strength). The same `seed` gives the same number. Raises
    `ValueError` where `strength` is not above 0.
    """
    a = np.random.default_rng(seed).beta(strength, strength)
    return float(max(a, 1 - a))
