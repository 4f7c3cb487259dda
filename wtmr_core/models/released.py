"""The paper's nine networks as released: three data sets times WTMR-Net, its CNN alone, and TimeSformer.

They are rebuilt from the paper's public notebooks, oddities included; what is kept only because it was released that
way has a comment "as released". The same classes make smaller networks for tests and miniature runs. How the class
tokens start is not on record, nor how the embeddings of HMDB51's TimeSformer and NTU's WTMR-Net do: here they start at
zero, as the embeddings of HMDB51's WTMR-Net do.

Axes: b clip, t frame, c channel, h w pixels (or cells of a map), p q pixels within a patch, n token, d width, j joint,
k class.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange, reduce
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional as F

from wtmr_core.modality import CHANNELS, MODALITIES, has_joints
from wtmr_core.models.timesformer import drop_rates
from wtmr_core.skeleton import JOINTS

DATASETS = ("hmdb51", "ntu60", "svideoqa")
MODELS = ("released-wtmr", "released-wmrc", "released-timesformer")

CLASSES = {"hmdb51": 51, "ntu60": 60, "svideoqa": 8}
MAP_PATCH = 8  # side of WTMR-Net's patches, in cells of the CNN's map
FRAME_PATCH = 16  # side of TimeSformer's patches, in pixels
PROFILED_MAP = 16  # side of the map in the SVideoQA WTMR-Net that was profiled


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


class FramesWTMR(nn.Module):
    """WTMR-Net on HMDB51 and SVideoQA: two convolutions per frame, patches of their map, space-time attention.

    Clips (b, frames, channels, size, size) → logits (b, classes). With `resized_to` the map of each frame is first
    resized to that side; the embeddings keep the length that `size` asks for, and clips may have any size for which
    that suffices.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        conv_channels: tuple[int, int],
        dropout: float,
        drop_path: float = 0.0,
        resized_to: int | None = None,
    ):
        super().__init__()
        _check_multiple("size", size, 4 * MAP_PATCH, "the map, a quarter of a frame, is cut into 8×8 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.resized_to = resized_to
        if resized_to:
            _check_multiple("resized_to", resized_to, MAP_PATCH, "the resized map is cut into 8×8 patches")
            del self.expected["h"], self.expected["w"]
        tokens = frames * (size // 4 // MAP_PATCH) ** 2
        self.cnn = frame_cnn(channels, conv_channels)
        self.project = nn.Linear(MAP_PATCH**2 * conv_channels[1], width)
        # as released: a row for every token of the clip, of which only those of one frame are used
        self.position = nn.Parameter(torch.zeros(1, tokens, width))
        # as released: "temporal", but a row for every token, so that it tells places apart as well
        self.temporal = nn.Parameter(torch.zeros(1, tokens, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (b, t, c, h, w) → patches of each frame's map, before any embedding (b, t, n, width)."""
        b = len(clips)
        maps = self.cnn(rearrange(clips, "b t c h w -> (b t) c h w"))  # (b t) c h/4 w/4
        if self.resized_to:
            maps = F.interpolate(maps, size=(self.resized_to, self.resized_to), mode="bilinear")
        patches = rearrange(
            maps, "(b t) c (h p) (w q) -> b t (h w) (p q c)", b=b, p=MAP_PATCH, q=MAP_PATCH
        )  # (b, t, n, 64 c)
        return self.project(patches)  # (b, t, n, d)

    def forward(self, clips: Tensor) -> Tensor:
        _check_shape(clips, self.expected, rank=5)
        tokens = self.tokens(clips)  # (b, t, n, d)
        _, t, n, _ = tokens.shape
        if t * n > self.temporal.shape[1]:
            raise ValueError(f"{t} frames of {n} patches exceed the embedding's {self.temporal.shape[1]} rows")
        tokens = tokens + self.position[:, None, :n]  # the same n rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        tokens = tokens + self.temporal[:, : t * n]
        return self.encoder(tokens)


class FramesCNN(nn.Module):
    """WMRC-Net on HMDB51 and SVideoQA: WTMR-Net's two convolutions, their map averaged over frames, linear layer.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(self, channels: int, classes: int, frames: int, size: int, conv_channels: tuple[int, int]):
        super().__init__()
        _check_multiple("size", size, 4, "two pools halve each side")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.cnn = frame_cnn(channels, conv_channels)
        self.head = nn.Linear(conv_channels[1] * (size // 4) ** 2, classes)

    def forward(self, clips: Tensor) -> Tensor:
        _check_shape(clips, self.expected, rank=5)
        maps = self.cnn(rearrange(clips, "b t c h w -> (b t) c h w"))  # (b t) c h/4 w/4
        # as released: the mean forgets the order of the frames
        features = reduce(maps, "(b t) c h w -> b (c h w)", "mean", b=len(clips))
        return self.head(features)  # (b, k)


class HMDB51TimeSformer(nn.Module):
    """The TimeSformer baseline on HMDB51: 16×16 patches of the frames, joint attention, mean over tokens.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        drop_path: float = 0.0,
    ):
        super().__init__()
        _check_multiple("size", size, FRAME_PATCH, "frames are cut into 16×16 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.project = nn.Linear(FRAME_PATCH**2 * channels, width)
        self.position = nn.Parameter(torch.zeros(1, frames * (size // FRAME_PATCH) ** 2, width))
        self.blocks = blocks(width, depth, heads, drop_path)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        _check_shape(clips, self.expected, rank=5)
        tokens = self.project(frame_patches(clips))  # (b, t, n, d)
        tokens = rearrange(tokens, "b t n d -> b (t n) d") + self.position
        # as released: no class token and no dropout, unlike the other two baselines
        tokens = self.blocks(tokens)
        # as released: the mean first, then LayerNorm
        features = reduce(tokens, "b n d -> b d", "mean")
        return self.head(self.norm(features))  # (b, k)


class SVideoQATimeSformer(nn.Module):
    """The TimeSformer baseline on SVideoQA: 16×16 patches of the frames, joint attention, class token.

    Clips (b, frames, channels, size, size) → logits (b, classes).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        frames: int,
        size: int,
        width: int,
        depth: int,
        heads: int,
        dropout: float,
        drop_path: float = 0.0,
    ):
        super().__init__()
        _check_multiple("size", size, FRAME_PATCH, "frames are cut into 16×16 patches")
        self.expected = {"t": frames, "c": channels, "h": size, "w": size}
        self.project = nn.Linear(FRAME_PATCH**2 * channels, width)
        tokens = frames * (size // FRAME_PATCH) ** 2
        # as released: both from N(0, 1), far larger than the tokens they are added to; the position
        # embedding has a row for every token of the clip, of which only those of one frame are used; and the
        # "temporal" one also has a row for every token
        self.position = nn.Parameter(torch.randn(1, tokens, width))
        self.temporal = nn.Parameter(torch.randn(1, tokens, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def forward(self, clips: Tensor) -> Tensor:
        _check_shape(clips, self.expected, rank=5)
        tokens = self.project(frame_patches(clips))  # (b, t, n, d)
        tokens = tokens + self.position[:, None, : tokens.shape[2]]  # the same n rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        return self.encoder(tokens + self.temporal)


class JointsWTMR(nn.Module):
    """WTMR-Net on NTU RGB+D 60: two convolutions per frame, a token for each "joint", space-time attention.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(
        self,
        classes: int,
        frames: int,
        width: int,
        depth: int,
        heads: int,
        conv_channels: tuple[int, int],
        dropout: float,
        drop_path: float = 0.0,
    ):
        super().__init__()
        # as released: 625 = 25 · 25 rows in both embeddings, whatever the frames; 25 and 25 · frames are used
        rows = JOINTS * JOINTS
        if frames * JOINTS > rows:
            raise ValueError(f"frames must be at most {JOINTS}, the embedding has {rows} rows; found {frames}")
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        # as released: the kernel (1, 3) runs along an axis of width one, so two thirds of it meet padding
        # only, and no joint meets another
        self.cnn = nn.Sequential(
            nn.Conv2d(3, conv_channels[0], (1, 3), padding=(0, 1)),
            nn.ReLU(),
            nn.Conv2d(conv_channels[0], conv_channels[1], (1, 3), padding=(0, 1)),
            nn.ReLU(),
        )
        self.project = nn.Linear(conv_channels[1], width)
        self.position = nn.Parameter(torch.zeros(1, rows, width))
        self.temporal = nn.Parameter(torch.zeros(1, rows, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def features(self, joints: Tensor) -> Tensor:
        """Joints (b, t, j, 3) → the features that tokens are projected from (b, t, 25, channels)."""
        maps = self.cnn(rearrange(joints, "b t j c -> (b t) c j 1"))  # (b t) c j 1
        flat = rearrange(maps, "(b t) c j 1 -> b t (c j)", b=len(joints))
        # as released: reshaped where it should have been transposed, so each of the 25 tokens holds a few
        # channels of all joints, and none is a joint
        return rearrange(flat, "b t (n c) -> b t n c", n=JOINTS)

    def forward(self, joints: Tensor) -> Tensor:
        _check_shape(joints, self.expected, rank=4)
        tokens = self.project(self.features(joints))  # (b, t, n, d)
        tokens = tokens + self.position[:, None, :JOINTS]  # the same 25 rows in every frame
        tokens = rearrange(tokens, "b t n d -> b (t n) d")
        return self.encoder(tokens + self.temporal[:, : tokens.shape[1]])


class JointsCNN(nn.Module):
    """WMRC-Net on NTU RGB+D 60: three convolutions per frame, means over joints and frames.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(self, classes: int, frames: int, conv_channels: tuple[int, int], width: int):
        super().__init__()
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        channels = (3, *conv_channels, width)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            # as released: a kernel along an axis of width one, which mixes no joints
            layers += [nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1)), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.cnn = nn.Sequential(*layers)
        self.head = nn.Linear(width, classes)

    def forward(self, joints: Tensor) -> Tensor:
        _check_shape(joints, self.expected, rank=4)
        maps = self.cnn(rearrange(joints, "b t j c -> (b t) c j 1"))  # (b t) c j 1
        frames = reduce(maps, "(b t) c j 1 -> b t c", "mean", b=len(joints))
        # as released: logits of each frame, then their mean, which forgets the order of the frames
        return reduce(self.head(frames), "b t k -> b k", "mean")


class JointsTimeSformer(nn.Module):
    """The TimeSformer baseline on NTU RGB+D 60: a token for each joint of each frame, joint attention.

    Joints (b, frames, 25, 3), metres → logits (b, classes).
    """

    def __init__(
        self, classes: int, frames: int, width: int, depth: int, heads: int, dropout: float, drop_path: float = 0.0
    ):
        super().__init__()
        self.expected = {"t": frames, "j": JOINTS, "c": 3}
        self.project = nn.Linear(3, width)
        # as released: from N(0, 1), far larger than the tokens it is added to
        self.position = nn.Parameter(torch.randn(1, frames * JOINTS, width))
        self.encoder = ClassTokenEncoder(width, depth, heads, classes, dropout, drop_path)

    def forward(self, joints: Tensor) -> Tensor:
        _check_shape(joints, self.expected, rank=4)
        tokens = self.project(joints)  # (b, t, j, d)
        tokens = rearrange(tokens, "b t j d -> b (t j) d")
        return self.encoder(tokens + self.position)


def blocks(width: int, depth: int, heads: int, drop_path: float) -> nn.Sequential:
    """A stack of timm's blocks.

    `drop_path` is the probability that the last block is skipped; it rises from 0 in the first of several. As released
    it is 0.
    """
    return nn.Sequential(*(Block(width, heads, drop_path=rate) for rate in drop_rates(drop_path, depth)))


def frame_cnn(channels: int, conv_channels: tuple[int, int]) -> nn.Sequential:
    """The two convolutions and pools of WTMR-Net and WMRC-Net on frames.

    Frames (b, channels, h, w) → maps (b, conv_channels[1], h/4, w/4).
    """
    first, second = conv_channels
    # as released: no regions and no weights, though the paper describes both
    return nn.Sequential(
        nn.Conv2d(channels, first, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


def frame_patches(clips: Tensor) -> Tensor:
    """Clips (b, t, c, h, w) → the pixels of their 16×16 patches (b, t, n, 256 c)."""
    return rearrange(clips, "b t c (h p) (w q) -> b t (h w) (p q c)", p=FRAME_PATCH, q=FRAME_PATCH)


def build(
    dataset: str,
    model: str,
    *,
    classes: int | None = None,
    frames: int = 16,
    size: int = 224,
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
    conv_channels: tuple[int, int] | None = None,
    dropout: float | None = None,
    drop_path: float = 0.0,
    profiled: bool = False,
) -> nn.Module:
    """Build the network `model` (one of `MODELS`) as released for `dataset` (one of `DATASETS`).

    None means as released; for `heads` it means as many as keep the released width of a head (64 on frames, 32 on
    joints). A size that a network has no part for is ignored (networks of joints have no `size`, CNNs no `depth`), so
    that one set of sizes serves all nine. NTU's WMRC-Net takes `width` as the channels of its third convolution.

    Args:
        dataset, model: by their names
        classes: k
        frames: of a clip
        size: height and width of a frame in pixels
        width, depth, heads: of the transformer
        conv_channels: of the two convolutions
        dropout: its probability
        drop_path: stochastic depth of the last block, 0 as released
        profiled: the SVideoQA WTMR-Net with one more step, a resize of the CNN's map to 16×16: the variant whose cost
            was published, for clips of 56×56 pixels

    Returns:
        A network for floating-point input (b, frames, 1, size, size) on hmdb51, (b, frames, 3, size, size) on svideoqa,
        and (b, frames, 25, 3) in metres on ntu60, with logits (b, classes) as output. It raises `ValueError` for other
        shapes.

    Raises:
        ValueError: for an unknown name, and for sizes that do not fit: `size` no multiple of 32 (WTMR-Net), 16
            (TimeSformer) or 4 (WMRC-Net), `width` no multiple of `heads`, more than 25 frames in NTU's WTMR-Net.
    """
    if dataset not in DATASETS:
        raise ValueError(f"there is no data set {dataset!r}; there are {', '.join(DATASETS)}")
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}; there are {', '.join(MODELS)}")
    if profiled and (dataset, model) != ("svideoqa", "released-wtmr"):
        raise ValueError(f"only svideoqa's released-wtmr has a profiled variant, {dataset}'s {model} has none")

    on_joints = has_joints(dataset)
    classes = CLASSES[dataset] if classes is None else classes
    width = (256 if on_joints else 768) if width is None else width
    heads = max(1, width // (32 if on_joints else 64)) if heads is None else heads
    if depth is None:
        depth = 6 if on_joints or (dataset, model) == ("hmdb51", "released-timesformer") else 12
    conv_channels = (64, 128) if conv_channels is None else tuple(conv_channels)
    dropout = 0.3 if dropout is None else dropout
    least = {
        "classes": classes,
        "frames": frames,
        "size": size,
        "width": width,
        "depth": depth,
        "heads": heads,
    }
    check_least(least)
    if model != "released-wmrc":
        _check_multiple("width", width, heads, f"it is shared among {heads} heads")

    if on_joints:
        if model == "released-wtmr":
            return JointsWTMR(classes, frames, width, depth, heads, conv_channels, dropout, drop_path)
        if model == "released-wmrc":
            return JointsCNN(classes, frames, conv_channels, width)
        return JointsTimeSformer(classes, frames, width, depth, heads, dropout, drop_path)
    channels = CHANNELS[MODALITIES[dataset]]
    if model == "released-wtmr":
        resized_to = PROFILED_MAP if profiled else None
        return FramesWTMR(
            channels, classes, frames, size, width, depth, heads, conv_channels, dropout, drop_path, resized_to
        )
    if model == "released-wmrc":
        return FramesCNN(channels, classes, frames, size, conv_channels)
    if dataset == "hmdb51":
        return HMDB51TimeSformer(channels, classes, frames, size, width, depth, heads, drop_path)
    return SVideoQATimeSformer(channels, classes, frames, size, width, depth, heads, dropout, drop_path)


def check_least(numbers: dict[str, int]) -> None:
    """Raise `ValueError`, with its name, for the first of these sizes that is less than 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, found {number}")


def _check_multiple(name: str, number: int, of: int, why: str) -> None:
    if number % of:
        raise ValueError(f"{name} must be a multiple of {of}, since {why}; found {number}")


def _check_shape(inputs: Tensor, expected: dict[str, int], rank: int) -> None:
    """Raise `ValueError` unless the axes of `inputs` after the first are as `expected`, in that order.

    Axes beyond those of `expected`, up to `rank` in all, may have any length.
    """
    if inputs.ndim != rank or tuple(inputs.shape[1 : 1 + len(expected)]) != tuple(expected.values()):
        axes = ["b", *(f"{axis}={length}" for axis, length in expected.items())]
        axes += ["h", "w"][: rank - len(axes)]
        raise ValueError(f"expected clips of shape ({', '.join(axes)}), found {tuple(inputs.shape)}")
