"""Finding 9: what the released networks see, and beside them one that does what their kernels were meant to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from einops import rearrange
from torch import Tensor, nn

from wtmr_core.models import released
from wtmr_core.paper.audit.finding import NOT_REPRODUCED, REPRODUCED, Finding, mean, percent, points
from wtmr_core.skeleton import JOINTS


class JointsByJoint(released.JointsWTMR):
    """`released.JointsWTMR` with two things mended: kernels run along the joints, and each token is a joint.

    It has as many weights, tokens and multiply-accumulates. Joints (b, frames, 25, 3), metres → logits (b, classes).
    Arguments are those of `released.JointsWTMR`.
    """

    def __init__(self, classes: int, frames: int, width: int, depth: int, heads: int,
                 conv_channels: tuple[int, int], dropout: float):  # fmt: skip
        super().__init__(classes, frames, width, depth, heads, conv_channels, dropout)
        first, second = conv_channels
        self.cnn = nn.Sequential(
            nn.Conv2d(3, first, (3, 1), padding=(1, 0)),
            nn.ReLU(),
            nn.Conv2d(first, second, (3, 1), padding=(1, 0)),
            nn.ReLU(),
        )

    def features(self, joints: Tensor) -> Tensor:
        """Joints (b, t, j, 3) → a token's features for each joint (b, t, j, channels)."""
        maps = self.cnn(rearrange(joints, "b t j c -> (b t) c j 1"))  # (b t) c j 1
        return rearrange(maps, "(b t) c j 1 -> b t j c", b=len(joints))


def untouched_weights(network: nn.Module, clips: Tensor) -> pd.DataFrame:
    """Which weights of each convolution never meet a joint: those whose gradient is exactly zero for any loss.

    Args:
        network: of joints, with its convolutions in `cnn`
        clips: (b, t, j, 3), without zeros

    Returns:
        layer, kernel (down × across), weights, untouched.
    """
    network.zero_grad()
    features = network.features(clips)
    (features * torch.randn(features.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    rows = []
    for name, layer in network.cnn.named_children():
        if isinstance(layer, nn.Conv2d):
            kernel = "×".join(map(str, layer.kernel_size))
            # of a place in the kernel all weights at once: a single one is zero by chance where its channel is off
            places = (layer.weight.grad != 0).any(dim=0).any(dim=0)
            rows.append((name, kernel, layer.weight.numel(), int((~places).sum()) * layer.weight[..., 0, 0].numel()))
    network.zero_grad()
    return pd.DataFrame(rows, columns=["layer", "kernel", "weights", "untouched"])


@torch.no_grad()
def joints_seen(network: nn.Module, clips: Tensor) -> pd.DataFrame:
    """Move one joint at a time: which of the 25 joints' feature maps, and which of the 25 tokens, then change.

    Returns:
        joint, maps (how many joints' maps change), tokens (how many tokens of a frame change).
    """
    before, maps_before = network.features(clips), network.cnn(_maps(clips))
    rows = []
    for joint in range(JOINTS):
        moved = clips.clone()
        moved[:, :, joint] += 0.5
        maps = (network.cnn(_maps(moved)) != maps_before).any(dim=0).any(dim=0).any(dim=-1)
        tokens = (network.features(moved) != before).any(dim=-1).any(dim=0).any(dim=0)
        rows.append((joint, int(maps.sum()), int(tokens.sum())))
    return pd.DataFrame(rows, columns=["joint", "maps", "tokens"])


def _maps(clips: Tensor) -> Tensor:
    return rearrange(clips, "b t j c -> (b t) c j 1")


@torch.no_grad()
def kernels_by_place(network: nn.Module, size: int = 64) -> int:
    """How many kernels a network of frames has over the picture: how many of its four quarters answer differently.

    The same small picture lies in the middle of each quarter of an otherwise grey frame; networks that convolve each
    region with its own kernels answer differently in each.

    Args:
        network: a function of frames (n, c, h, w) → maps (n, channels, h', w')
        size: height and width of a frame
    """
    quarter = size // 2
    patch = torch.randn(1, 1, quarter // 2, quarter // 2, generator=torch.Generator().manual_seed(0))
    answers: list[Tensor] = []
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        frame = torch.zeros(1, 1, size, size)
        top, left = row * quarter + quarter // 4, column * quarter + quarter // 4
        frame[..., top : top + quarter // 2, left : left + quarter // 2] = patch
        maps = network(frame)
        side = maps.shape[-1] // 2
        answer = maps[..., row * side : (row + 1) * side, column * side : (column + 1) * side]
        if not any(torch.allclose(answer[..., 1:-1, 1:-1], known[..., 1:-1, 1:-1], atol=1e-5) for known in answers):
            answers.append(answer)
    return len(answers)


def regions_and_weights(
    kept: Path, joints: Callable[..., nn.Module] = released.JointsWTMR, frames: Callable[[Tensor], Tensor] | None = None
) -> Finding:
    """Finding 9: do regions, weights of regions and kernels over joints exist in the released networks?

    Args:
        kept: folder of the kept trials
        joints: the network of joints to examine
        frames: the convolutions of frames to examine; None takes the released ones

    Raises:
        RunError: as `trials.read`.
    """
    from wtmr_core.paper.audit import trials

    torch.manual_seed(0)
    sizes = {"classes": 60, "frames": 16, "width": 32, "depth": 1, "heads": 2, "conv_channels": (64, 128)}
    clips = torch.randn(2, 16, JOINTS, 3, generator=torch.Generator().manual_seed(0))
    network = joints(**sizes, dropout=0.0)
    weights, moved = untouched_weights(network, clips), joints_seen(network, clips)
    regions = kernels_by_place(released.frame_cnn(1, (8, 16)) if frames is None else frames)
    dead, mixes = weights.untouched.sum() / weights.weights.sum(), moved.maps.max() > 1
    joint_tokens = moved.tokens.max() < JOINTS
    made = trials.read(kept)
    gains = []
    for data, runs in made[made.experiment == "joints"].groupby("data", sort=False):
        by = {variation: part.set_index("seed").held_out_accuracy for variation, part in runs.groupby("variation")}
        if len(by) == 2:
            gains.append(f"{data} {points(mean((by['joint by joint'] - by['as released']).dropna()))}")
    right = dead == 0 and mixes and joint_tokens and regions > 1
    return Finding(
        9,
        "There are no regions and no weights",
        "the text: a weighted multi-region CNN; 98.59 % on NTU with it",
        "Do regions have kernels of their own, do kernels meet joints, and is a token a joint?",
        "the same small picture in each quarter of a frame; the gradients of the joint kernels; one joint moved at a "
        "time; and both versions trained on real skeletons (kept)",
        f"frames: {regions} kernel{'s' if regions > 1 else ''} for four regions. Joints: {percent(dead)} of the "
        f"weights have a gradient of exactly zero; moving one joint changes what the convolutions give for "
        f"{moved.maps.max()} joint{'s' if mixes else ''} at most and, after the reshape that follows them, "
        f"{'all' if moved.tokens.min() == 25 else f'at least {moved.tokens.min()} of the'} 25 tokens "
        f"({'each token is of some joints' if joint_tokens else 'so no token is a joint'}). "
        "Held-out accuracy of a network with kernels along the joints and a token a joint, at the same cost, less the "
        f"released one's: {'; '.join(gains) or 'not trained yet'}",
        REPRODUCED if right else NOT_REPRODUCED,
        "the figures are those of two ordinary convolutions before a transformer; the network of the text is `wtmr` "
        "here (04_ablation and 08_real_recordings say what its regions and weights are worth)",
        weights,
    )  # fmt: skip
