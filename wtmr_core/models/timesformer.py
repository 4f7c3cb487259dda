"""TimeSformer's encoder: joint, divided and space-only attention over the tokens of a clip.

With the same weights, outputs equal those of Hugging Face's `TimesformerModel`.

Axes: b clip, t frame, n token of a frame, d width, a head.

Source: Bertasius et al., "Is space-time attention all you need for video understanding?", ICML 2021.
"""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange, reduce, repeat
from timm.layers import DropPath, Mlp
from torch import Tensor, nn
from torch.nn import functional as F

ATTENTION = ("joint", "divided", "space")


class TimeSformer(nn.Module):
    """Class token (b, 1, d) and tokens (b, t, n, d) → the same, after `depth` blocks and a LayerNorm.

    Args:
        width: d
        depth: number of blocks
        heads: of each attention
        attention: `joint`, every token sees the whole clip; `divided`, in each block first its own place in all frames,
            then its own frame; `space`, its own frame only, and the class token is the mean over frames
        drop_path: stochastic depth of the last block; it rises from 0 in the first of several

    Raises:
        ValueError: for an unknown attention, and for a `width` that `heads` do not divide.
    """

    def __init__(self, width: int, depth: int, heads: int, *, attention: str = "joint", drop_path: float = 0.0):
        super().__init__()
        if attention not in ATTENTION:
            raise ValueError(f"attention is {attention!r}; it can be {', '.join(ATTENTION)}")
        self.attention = attention
        rates = drop_rates(drop_path, depth)
        self.blocks = nn.ModuleList(Block(width, heads, rate, divided=attention == "divided") for rate in rates)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, class_token: Tensor, tokens: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encode the tokens.

        No token attends to places that are not `present` (b, n) bool, whatever finite values they hold.
        """
        t = tokens.shape[1]
        seen = None
        if present is not None:
            where = "b n -> b (t n)" if self.attention == "joint" else "b n -> (b t) n"
            seen = F.pad(repeat(present, where, t=t), (1, 0), value=True)  # the class token, always
        if self.attention == "space":
            class_token = repeat(class_token, "b 1 d -> (b t) 1 d", t=t)
            tokens = rearrange(tokens, "b t n d -> (b t) 1 n d")
        x = torch.cat([class_token, rearrange(tokens, "b t n d -> b (t n) d")], dim=1)  # (b, 1 + t n, d)
        for block in self.blocks:
            x = block(x, tokens.shape[1], seen)
        x = self.norm(x)
        class_token, tokens = x[:, :1], rearrange(x[:, 1:], "b (t n) d -> b t n d", t=tokens.shape[1])
        if self.attention == "space":
            class_token = reduce(class_token, "(b t) 1 d -> b 1 d", "mean", t=t)
            tokens = rearrange(tokens, "(b t) 1 n d -> b t n d", t=t)
        return class_token, tokens


def drop_rates(drop_path: float, depth: int) -> list[float]:
    """The stochastic depth of each block: `drop_path` in the last, rising evenly from 0 in the first of several."""
    return np.linspace(drop_path, 0, depth)[::-1].tolist()  # from behind, so that a single block is the last


class Block(nn.Module):
    """(b, 1 + t n, d) → the same: attention, if `divided` over time and then over space, and an MLP."""

    def __init__(self, width: int, heads: int, drop_path: float = 0.0, *, divided: bool = False):
        super().__init__()
        if divided:
            self.time_norm = nn.LayerNorm(width, eps=1e-6)
            self.time_attention = Attention(width, heads)
            self.time_project = nn.Linear(width, width)
        self.divided = divided
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, 4 * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, frames: int, seen: Tensor | None = None) -> Tensor:
        """Apply the block.

        `seen` are the tokens that may be attended to: (b, 1 + t n) bool, or (b t, 1 + n) where `divided`.
        """
        if self.divided:
            x = self._over_time_then_space(x, frames, seen)
        else:
            x = x + self.drop_path(self.attention(self.norm(x), seen))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))

    def _over_time_then_space(self, x: Tensor, frames: int, seen: Tensor | None) -> Tensor:
        class_token, tokens = x[:, :1], x[:, 1:]
        places = rearrange(tokens, "b (t n) d -> (b n) t d", t=frames)
        change = self.drop_path(self.time_attention(self.time_norm(places)))
        tokens = tokens + self.time_project(rearrange(change, "(b n) t d -> b (t n) d", b=len(x)))

        # each frame has the class token to itself, whose changes are averaged
        stills = rearrange(tokens, "b (t n) d -> (b t) n d", t=frames)
        stills = torch.cat([repeat(class_token, "b 1 d -> (b t) 1 d", t=frames), stills], dim=1)
        change = self.drop_path(self.attention(self.norm(stills), seen))
        class_token = class_token + reduce(change[:, :1], "(b t) 1 d -> b 1 d", "mean", t=frames)
        tokens = tokens + rearrange(change[:, 1:], "(b t) n d -> b (t n) d", t=frames)
        return torch.cat([class_token, tokens], dim=1)


class Attention(nn.Module):
    """(b, n, d) → (b, n, d): multi-head self-attention; `seen` (b, n) bool are the tokens that may be attended to."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of {heads}, since {heads} heads share it; found {width}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b n (qkv a d) -> qkv b a n d", qkv=3, a=self.heads)
        mask = None if seen is None else rearrange(seen, "b n -> b 1 1 n")
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.project(rearrange(x, "b a n d -> b n (a d)"))
