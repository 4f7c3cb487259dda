"""The context-aware multi-region CNN on joints: its regions are the body parts of each body; see `regions`.

Axes: b clip, t frame, c channel, m body, j joint, r region, i body that is present.
"""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from wtmr_core.models.regions import Regions, RegionWeights, fusion
from wtmr_core.skeleton import JOINTS, PARENTS, PARTS

BODIES = 2


class BodyRegions(nn.Module):
    """The CNN on joints (b, t, m, j, 3) of one or two bodies → `Regions`: h bodies, w parts.

    Maps have `conv_channels[1]` channels. Regions are the five `PARTS` of each body: a convolution over three frames
    and three successive joints, then one over three frames and all joints of the part. The context comes from the whole
    body, joint by joint and then all joints. `motion` adds to the position of each joint its move since the previous
    frame and its position relative to the joint it is attached to. The other arguments are those of `FrameRegions`.

    A body that is zero in all frames is absent and takes no part, not even in BatchNorm; maps have as many bodies as
    the fullest clip. Raises `ValueError` for other numbers of bodies or joints.
    """

    def __init__(
        self,
        conv_channels: tuple[int, int],
        *,
        separate: bool = True,
        learned: bool = True,
        context: bool = True,
        motion: bool = True,
    ):
        super().__init__()
        (first, second), self.motion, self.separate = conv_channels, motion, separate
        inputs, r = 9 if motion else 3, len(PARTS) if separate else 1
        self.register_buffer("joints", padded_parts(), persistent=False)  # (r, j)
        self.normalise = nn.BatchNorm2d(inputs)
        self.steps = nn.Sequential(
            nn.Conv2d(r * inputs, r * first, 3, padding=1, groups=r, bias=False),
            nn.BatchNorm2d(r * first),
            nn.ReLU(),
            nn.Conv2d(r * first, r * second, (3, self.joints.shape[1]), padding=(1, 0), groups=r, bias=False),
            nn.BatchNorm2d(r * second),
            nn.ReLU(),
        )
        self.context = None
        if context:
            self.context = nn.Sequential(
                nn.Conv2d(inputs, first, (3, 1), padding=(1, 0), bias=False),
                nn.BatchNorm2d(first),
                nn.ReLU(),
                nn.Conv2d(first, second, (3, JOINTS), padding=(1, 0), bias=False),
                nn.BatchNorm2d(second),
                nn.ReLU(),
            )
            self.join = fusion(second)
        self.weights = RegionWeights(second * (2 if context else 1)) if learned else None

    def forward(self, joints: Tensor) -> Regions:
        bodies, present = bodies_present(joints)
        m, t = present.shape[1], joints.shape[1]
        maps, weights = self._one_body_each(bodies)  # (i, c, t, r), (i, t, r)
        maps = _scattered(rearrange(maps, "i c t r -> i t c r"), present)
        weights = _scattered(weights, present)
        return Regions(
            rearrange(maps, "(b m) t c r -> b t c m r", m=m),
            rearrange(weights, "(b m) t r -> b t (m r)", m=m, t=t),
            _present(present),
        )

    def _one_body_each(self, bodies: Tensor) -> tuple[Tensor, Tensor]:
        i, t, r = *bodies.shape[:2], len(PARTS)
        if self.motion:
            bodies = moving(bodies)
        body = self.normalise(rearrange(bodies, "i t j c -> i c t j"))
        parts = body[..., self.joints]  # (i, c, t, r, j)
        if self.separate:
            maps = self.steps(rearrange(parts, "i c t r j -> i (r c) t j"))
            maps = rearrange(maps, "i (r c) t 1 -> i c t r", r=r)
        else:
            maps = self.steps(rearrange(parts, "i c t r j -> (i r) c t j"))
            maps = rearrange(maps, "(i r) c t 1 -> i c t r", r=r)
        around = None if self.context is None else self.context(body)  # (i, c, t, 1)
        weights = maps.new_ones(i, t, r)
        if self.weights is not None:
            context = None if around is None else rearrange(around, "i c t 1 -> (i t) c")
            weights = self.weights(rearrange(maps, "i c t r -> (i t) r c"), context)
            weights = rearrange(weights, "(i t) r -> i t r", t=t)
            maps = maps * rearrange(weights, "i t r -> i 1 t r")
        if around is not None:
            maps = self.join(torch.cat([maps, around.expand_as(maps)], dim=1))
        return maps, weights


class PlainBodies(nn.Module):
    """No CNN: joints (b, t, m, j, 3) → `Regions` whose maps hold the joint positions of each body and part."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("joints", padded_parts(), persistent=False)  # (r, j)

    def forward(self, joints: Tensor) -> Regions:
        bodies, present = bodies_present(joints)
        maps = _scattered(rearrange(bodies[:, :, self.joints], "i t r j c -> i t (j c) r"), present)
        maps = rearrange(maps, "(b m) t c r -> b t c m r", m=present.shape[1])
        weights = repeat(present, "b m -> b t (m r)", t=joints.shape[1], r=len(PARTS)).to(maps.dtype)
        return Regions(maps, weights, _present(present))


def padded_parts() -> Tensor:
    """(r, j): the joints of `PARTS`, with the last joint of shorter parts repeated."""
    longest = max(map(len, PARTS.values()))
    return torch.tensor([part + (part[-1],) * (longest - len(part)) for part in PARTS.values()])


def bodies_present(joints: Tensor) -> tuple[Tensor, Tensor]:
    """Find the bodies that are present.

    Joints (b, t, m, j, 3) → the joints of these bodies (i, t, j, 3), and which they are, (b, m) bool. m shrinks to the
    number in the fullest clip. The first body counts as present even where it is never seen. Raises `ValueError` for
    more than two bodies, and for other than 25 joints.
    """
    if joints.ndim != 5 or not 1 <= joints.shape[2] <= BODIES or joints.shape[3:] != (JOINTS, 3):
        raise ValueError(
            f"expected joints of shape (b, t, m=1 or {BODIES}, j={JOINTS}, 3), found {tuple(joints.shape)}; "
            f"of more than {BODIES} bodies choose those that move most"
        )
    present = (joints != 0).flatten(3).any(dim=3).any(dim=1)  # (b, m)
    present[:, 0] = True
    present = present[:, : int(present.any(dim=0).sum())]
    bodies = rearrange(joints[:, :, : present.shape[1]], "b t m j c -> b m t j c")
    return bodies[present], present


def moving(bodies: Tensor) -> Tensor:
    """Add motion and bones: bodies (i, t, j, 3) → (i, t, j, 9), position, move since the previous frame, and bone.

    A body that appears or disappears (all zero) in a frame does not move there.
    """
    seen = (bodies != 0).any(dim=3, keepdim=True).any(dim=2, keepdim=True)  # (i, t, 1, 1)
    previous = torch.cat([bodies[:, :1], bodies[:, :-1]], dim=1)
    seen_before = torch.cat([seen[:, :1], seen[:, :-1]], dim=1)
    move = (bodies - previous) * (seen & seen_before)
    return torch.cat([bodies, move, bodies - bodies[:, :, list(PARENTS)]], dim=-1)


def _present(present: Tensor) -> Tensor | None:
    return None if present.all() else repeat(present, "b m -> b (m r)", r=len(PARTS))


def _scattered(bodies: Tensor, present: Tensor) -> Tensor:
    """(i, …) → (b m, …): each body at its position, zeros where there is none."""
    if present.all():
        return bodies
    spread = bodies.new_zeros(present.numel(), *bodies.shape[1:])
    spread[rearrange(present, "b m -> (b m)")] = bodies
    return spread
