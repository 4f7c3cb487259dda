"""WTMR-Net as the paper describes it: context-aware multi-region CNN, contextual feature embedding, TimeSformer.

Axes: b clip, t frame, c channel, h w pixels, r region, m body, j joint, n token, d width, k class.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from wtmr_core.modality import MODALITIES, channels, has_joints
from wtmr_core.models.backbones import Backbone
from wtmr_core.models.bodies import BODIES, BodyRegions, PlainBodies
from wtmr_core.models.embedding import Encodings, PatchEmbedding, PatchMeans
from wtmr_core.models.pretrained import load_timesformer
from wtmr_core.models.regions import FrameRegions, PlainFrames, Regions
from wtmr_core.models.released import CLASSES, check_least
from wtmr_core.models.timesformer import TimeSformer
from wtmr_core.skeleton import JOINTS, PARTS

KERNELS, WEIGHTS = ("own", "shared"), ("learned", "uniform")
SHRINKS = 4  # the CNN halves each side twice
PATCH = 32  # pixels of a side of the patches that the paper has


class WTMR(nn.Module):
    """Clips → logits (b, k), for any `cnn` that maps clips to `Regions`.

    Regions → patches as tokens → encodings → TimeSformer → the mean over all tokens that are present → dropout and
    linear layer. With a `depth` of 0, the tokens are averaged as they are embedded. `expected` is the length of each
    axis after the first, by its letter; clips of another shape raise `ValueError`. With a `backbone`, the CNN works on
    its maps, and clips may also be the maps of its frozen layers (b, t, c, h, w). If `residual`, what the TimeSformer
    makes of the tokens is added to them, each channel multiplied by a scale that starts at zero (Touvron et al., "Going
    deeper with image transformers", ICCV 2021).
    """

    def __init__(
        self,
        cnn: nn.Module,
        patches: PatchEmbedding | PatchMeans,
        encodings: Encodings,
        timesformer: TimeSformer,
        classes: int,
        dropout: float,
        expected: dict[str, int],
        backbone: Backbone | None = None,
        residual: bool = False,
    ):
        super().__init__()
        self.backbone = backbone
        self.cnn, self.patches, self.encodings, self.timesformer = cnn, patches, encodings, timesformer
        self.dropout = nn.Dropout(dropout)
        (width,) = timesformer.norm.normalized_shape
        # without blocks nothing is made of the tokens: the scale stays at zero
        self.scale = nn.Parameter(torch.zeros(width), requires_grad=len(timesformer.blocks) > 0) if residual else None
        self.head = nn.Linear(width, classes)
        self.expected = expected

    def regions(self, clips: Tensor) -> Regions:
        """The CNN's maps of clips, and the weight of each region in each frame, for figures."""
        expected = self.expected
        if self.backbone is not None and clips.ndim == 5 and clips.shape[2] != self.backbone.channels:
            expected = {"t": expected["t"], "c": self.backbone.frozen_width, "h": clips.shape[3], "w": clips.shape[4]}
        lengths = dict(zip(expected, clips.shape[1:], strict=False))
        fits = all(length in (None, lengths.get(axis)) for axis, length in expected.items())
        if clips.ndim != 1 + len(expected) or not fits:
            axes = ", ".join(["b", *(f"{axis}={length or '1 or 2'}" for axis, length in self.expected.items())])
            raise ValueError(f"expected clips of shape ({axes}), found {tuple(clips.shape)}")
        return self.cnn(clips if self.backbone is None else self._maps(clips))

    def _maps(self, clips: Tensor) -> Tensor:
        """The backbone's maps (b, t, c, h, w) of clips."""
        maps = self.backbone(rearrange(clips, "b t c h w -> (b t) c h w"))
        side = self.expected["h"] // self.backbone.stage
        if maps.shape[-2:] != (side, side):
            h, w = maps.shape[-2:]
            raise ValueError(
                f"the backbone makes a map of {h}×{w} cells, not of {side}×{side}, a frame's side by "
                f"{self.backbone.stage}; choose another, or another stage"
            )
        return rearrange(maps, "(b t) c h w -> b t c h w", b=len(clips))

    def resize(self, frames: int, size: int | None = None) -> None:
        """Adapt the network to other clips by interpolating its encodings.

        Clips then have `frames` frames and, for pictures, `size` pixels a side. Resize first, then create the
        optimiser. Raises `ValueError` for lengths that its patches do not divide.
        """
        step, grid = self.patches.patch[0], self.encodings.grid
        if frames % step:
            raise ValueError(f"frames must be a multiple of {step}, the frames of a token; found {frames}")
        if size is not None:
            side = self.expected["h"] // grid[0]
            if size % side:
                raise ValueError(f"size must be a multiple of {side}, the pixels of a patch; found {size}")
            grid = (size // side, size // side)
            self.expected |= {"h": size, "w": size}
        self.encodings.resize(frames // step, grid)
        self.expected |= {"t": frames}

    def forward(self, clips: Tensor) -> Tensor:
        regions = self.regions(clips)
        patches = self.patches(regions.maps)
        class_token, tokens = self.encodings(patches)
        _, tokens = self.timesformer(class_token, tokens, regions.present)  # (b, t, n, d)
        if self.scale is not None:
            tokens = patches + self.scale * tokens
        if regions.present is None:
            feature = tokens.mean(dim=(1, 2))
        else:
            present = regions.present[:, None, :, None].to(tokens.dtype)
            feature = (tokens * present).mean(dim=1).sum(dim=1) / present.sum(dim=(1, 2))
        return self.head(self.dropout(feature))  # (b, k)


def build(
    dataset: str,
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
    regions: tuple[int, int] = (2, 2),
    kernels: str = "own",
    region_weights: str = "learned",
    context: bool = True,
    motion: bool = True,
    cnn: bool = True,
    patch: int | None = None,
    time_encoding: bool = True,
    attention: str = "joint",
    residual: bool = False,
    colour: bool | None = None,
    backbone: str | None = None,
    backbone_weights: str | None = None,
    backbone_stage: int = 4,
    backbone_frozen: int = 0,
    timesformer_weights: str | None = None,
) -> WTMR:
    """Build the network of the paper for `dataset`, with the parts that the settings of the same names leave it.

    None means the paper's value: width 768 (256 on joints), as many heads as divide it and are at least 64 (32) wide,
    convolutions of 64 and 128 channels, dropout 0.3, patches of 8×8 cells (on joints, of 2 frames of a part; over a
    backbone, of 32×32 pixels), 12 blocks (6). Data sets other than the paper's need `classes`. With `cnn` off, tokens
    are patches of the frames or of the backbone's maps, as many as with it, or the joints of each part. If `residual`,
    regions, context and TimeSformer are added to the backbone's map and start at nothing, the tokens are the means of
    their patches, and the width is that of the map: training starts as that of `linear`.

    Returns:
        A network for grey or RGB pictures (b, frames, 1 or 3, size, size), or for joints (b, frames, 1 or 2, 25, 3) in
        metres; `modality.MODALITIES` says which. Its output are logits (b, classes).

    Raises:
        ValueError: for sizes that do not fit, as `Backbone`, and as `load_timesformer` for its weights.
    """
    if dataset not in MODALITIES:
        raise ValueError(f"there is no data set {dataset!r}; there are {', '.join(MODALITIES)}")
    if kernels not in KERNELS:
        raise ValueError(f"kernels is {kernels!r}; it can be {' or '.join(KERNELS)}")
    if region_weights not in WEIGHTS:
        raise ValueError(f"region_weights is {region_weights!r}; it can be {' or '.join(WEIGHTS)}")
    on_joints = has_joints(dataset)
    classes = CLASSES.get(dataset, 0) if classes is None else classes
    depth = (6 if on_joints else 12) if depth is None else depth
    conv_channels = (64, 128) if conv_channels is None else tuple(conv_channels)
    dropout = 0.3 if dropout is None else dropout
    if backbone_weights and not backbone:
        raise ValueError(f"there is no backbone for the weights {backbone_weights}; name it")
    if residual and (not backbone or on_joints):
        raise ValueError(f"residual is true, but {dataset} has no map of a backbone to add to; name one, over frames")
    if residual and timesformer_weights:
        raise ValueError("residual is true, so tokens are means of patches; timesformer_weights are for projected ones")
    eyes = None
    if backbone and not on_joints:
        eyes = Backbone(
            backbone,
            backbone_stage,
            channels=channels(dataset, colour),
            weights=backbone_weights,
            frozen=backbone_frozen,
        )
    if residual and width not in (None, eyes.width):
        raise ValueError(f"width is {width}; with residual it is that of the backbone's map: give {eyes.width}")
    if width is None:
        width = eyes.width if residual else 256 if on_joints else 768
    if heads is None:
        most = max(1, width // (32 if on_joints else 64))
        heads = next(count for count in range(most, 0, -1) if width % count == 0)
    shrinks = backbone_stage if backbone else SHRINKS
    if patch is None:
        patch = 2 if on_joints else max(1, PATCH // shrinks)
    least = {
        "classes": classes,
        "frames": frames,
        "width": width,
        "heads": heads,
        "patch": patch,
        "regions": min(regions),
    }
    check_least(least)
    parts = {"separate": kernels == "own", "learned": region_weights == "learned", "context": context, "motion": motion}

    if on_joints:
        if frames % patch:
            raise ValueError(f"frames must be a multiple of patch, {patch} frames a token; found {frames}")
        network = BodyRegions(conv_channels, **parts) if cnn else PlainBodies()
        width_of_map = conv_channels[1] if cnn else 3 * network.joints.shape[1]
        cut, length, grid = (patch, 1, 1), frames // patch, (BODIES, len(PARTS))
        expected = {"t": frames, "m": None, "j": JOINTS, "c": 3}
    else:
        step, colours = shrinks * patch, channels(dataset, colour)
        part = "a quarter" if shrinks == SHRINKS else f"1/{shrinks}"
        if size < 1 or size % step:
            raise ValueError(
                f"size must be a multiple of {step}, since the map, {part} of a frame, is cut into "
                f"{patch}×{patch} patches; found {size}"
            )
        if cnn and any(size % (shrinks * side) for side in regions):
            raise ValueError(
                f"size must be a multiple of {shrinks} times each side of the grid of "
                f"{regions[0]}×{regions[1]} regions; found {size}"
            )
        inputs = eyes.width if backbone else colours
        network = PlainFrames(normalised=inputs if residual else 0)
        if cnn:
            network = FrameRegions(inputs, conv_channels, regions, **parts, halves=not backbone, residual=residual)
        width_of_map = conv_channels[1] if cnn else inputs
        cut = (1, patch, patch) if cnn or backbone else (1, step, step)
        length, grid = frames, (size // step, size // step)
        expected = {"t": frames, "c": colours, "h": size, "w": size}

    patches = PatchMeans(cut) if residual else PatchEmbedding(width_of_map, cut, width)
    encodings = Encodings(width, length, grid, time=time_encoding)
    timesformer = TimeSformer(width, depth, heads, attention=attention, drop_path=drop_path)
    if timesformer_weights:
        load_timesformer(timesformer_weights, patches, encodings, timesformer)
    return WTMR(network, patches, encodings, timesformer, classes, dropout, expected, eyes, residual)
