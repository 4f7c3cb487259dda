"""What the released networks share: their encoder, and the checks of sizes and shapes.

Axes: b clip, h w pixels, n token, d width, k class.
"""

from __future__ import annotations

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from wtmr_core.models.timesformer import drop_rates


class ClassTokenEncoder(nn.Module):
    """Tokens (b, n, width) → logits (b, classes): class token, dropout, blocks, LayerNorm, linear layer."""

    def __init__(self, width: int, depth: int, heads: int, classes: int, dropout: float, drop_path: float):
        super().__init__()
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = blocks(width, depth, heads, drop_path)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        class_token = self.class_token.expand(len(tokens), -1, -1)  # (b, 1, d)
        tokens = torch.cat([class_token, tokens], dim=1)  # (b, 1 + n, d)
        tokens = self.blocks(self.dropout(tokens))
        return self.head(self.norm(tokens[:, 0]))  # (b, k)


def blocks(width: int, depth: int, heads: int, drop_path: float) -> nn.Sequential:
    """A stack of timm's blocks.

    `drop_path` is the probability that the last block is skipped; it rises from 0 in the first of several. As released
    it is 0.
    """
    return nn.Sequential(*(Block(width, heads, drop_path=rate) for rate in drop_rates(drop_path, depth)))


def check_least(numbers: dict[str, int]) -> None:
    """Raise `ValueError`, with its name, for the first of these sizes that is less than 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, found {number}")


def check_multiple(name: str, number: int, of: int, why: str) -> None:
    if number % of:
        raise ValueError(f"{name} must be a multiple of {of}, since {why}; found {number}")


def check_shape(inputs: Tensor, expected: dict[str, int], rank: int) -> None:
    """Raise `ValueError` unless the axes of `inputs` after the first are as `expected`, in that order.

    Axes beyond those of `expected`, up to `rank` in all, may have any length.
    """
    if inputs.ndim != rank or tuple(inputs.shape[1 : 1 + len(expected)]) != tuple(expected.values()):
        axes = ["b", *(f"{axis}={length}" for axis, length in expected.items())]
        axes += ["h", "w"][: rank - len(axes)]
        raise ValueError(f"expected clips of shape ({', '.join(axes)}), found {tuple(inputs.shape)}")
