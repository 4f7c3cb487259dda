"""WTMR-Net as the paper describes it: context-aware multi-region CNN, contextual feature embedding, TimeSformer.

Axes: b clip, t frame, c channel, h w pixels, r region, m body, j joint, n token, d width, k class.
"""

from __future__ import annotations

from torch import Tensor, nn

from wtmr_core.modality import CHANNELS, MODALITIES, has_joints
from wtmr_core.models.bodies import BODIES, BodyRegions, PlainBodies
from wtmr_core.models.embedding import Encodings, PatchEmbedding
from wtmr_core.models.pretrained import load_timesformer
from wtmr_core.models.regions import FrameRegions, PlainFrames, Regions
from wtmr_core.models.released import CLASSES, check_least
from wtmr_core.models.timesformer import TimeSformer
from wtmr_core.skeleton import JOINTS, PARTS

KERNELS, WEIGHTS = ("own", "shared"), ("learned", "uniform")
SHRINKS = 4  # the CNN halves each side twice


class WTMR(nn.Module):
    """Clips → logits (b, k), for any `cnn` that maps clips to `Regions`.

    Regions → patches as tokens → encodings → TimeSformer → the mean over all tokens that are present → dropout and
    linear layer. With a `depth` of 0, the tokens are averaged as they are embedded. `expected` is the length of each
    axis after the first, by its letter; clips of another shape raise `ValueError`.
    """

    def __init__(
        self,
        cnn: nn.Module,
        patches: PatchEmbedding,
        encodings: Encodings,
        timesformer: TimeSformer,
        classes: int,
        dropout: float,
        expected: dict[str, int],
    ):
        super().__init__()
        self.cnn, self.patches, self.encodings, self.timesformer = cnn, patches, encodings, timesformer
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(timesformer.norm.normalized_shape[0], classes)
        self.expected = expected

    def regions(self, clips: Tensor) -> Regions:
        """The CNN's maps of clips, and the weight of each region in each frame, for figures."""
        lengths = dict(zip(self.expected, clips.shape[1:], strict=False))
        fits = all(length in (None, lengths.get(axis)) for axis, length in self.expected.items())
        if clips.ndim != 1 + len(self.expected) or not fits:
            axes = ", ".join(["b", *(f"{axis}={length or '1 or 2'}" for axis, length in self.expected.items())])
            raise ValueError(f"expected clips of shape ({axes}), found {tuple(clips.shape)}")
        return self.cnn(clips)

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
        class_token, tokens = self.encodings(self.patches(regions.maps))
        _, tokens = self.timesformer(class_token, tokens, regions.present)  # (b, t, n, d)
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
    backbone: str | None = None,
    backbone_weights: str | None = None,
    timesformer_weights: str | None = None,
) -> WTMR:
    """Build the network of the paper for `dataset`, with the parts that the settings of the same names leave it.

    None means the paper's value: width 768 (256 on joints), heads of width 64 (32), convolutions of 64 and 128
    channels, dropout 0.3, patches of 8×8 cells (on joints, of 2 frames of a part), 12 blocks (6). Data sets other than
    the paper's need `classes`. With `cnn` off, tokens are patches of the frames, as many as with it, or the joints of
    each part.

    Returns:
        A network for grey or RGB pictures (b, frames, 1 or 3, size, size), or for joints (b, frames, 1 or 2, 25, 3) in
        metres; `modality.MODALITIES` says which. Its output are logits (b, classes).

    Raises:
        ValueError: for sizes that do not fit, and as `load_timesformer` for its weights.
    """
    if dataset not in MODALITIES:
        raise ValueError(f"there is no data set {dataset!r}; there are {', '.join(MODALITIES)}")
    if kernels not in KERNELS:
        raise ValueError(f"kernels is {kernels!r}; it can be {' or '.join(KERNELS)}")
    if region_weights not in WEIGHTS:
        raise ValueError(f"region_weights is {region_weights!r}; it can be {' or '.join(WEIGHTS)}")
    on_joints = has_joints(dataset)
    classes = CLASSES.get(dataset, 0) if classes is None else classes
    width = (256 if on_joints else 768) if width is None else width
    heads = max(1, width // (32 if on_joints else 64)) if heads is None else heads
    depth = (6 if on_joints else 12) if depth is None else depth
    conv_channels = (64, 128) if conv_channels is None else tuple(conv_channels)
    dropout = 0.3 if dropout is None else dropout
    patch = (2 if on_joints else 8) if patch is None else patch
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
        channels = conv_channels[1] if cnn else 3 * network.joints.shape[1]
        cut, length, grid = (patch, 1, 1), frames // patch, (BODIES, len(PARTS))
        expected = {"t": frames, "m": None, "j": JOINTS, "c": 3}
    else:
        step = SHRINKS * patch
        if size < 1 or size % step:
            raise ValueError(
                f"size must be a multiple of {step}, since the map, a quarter of a frame, is cut into "
                f"{patch}×{patch} patches; found {size}"
            )
        if cnn and any(size % (SHRINKS * side) for side in regions):
            raise ValueError(
                f"size must be a multiple of {SHRINKS} times each side of the grid of "
                f"{regions[0]}×{regions[1]} regions; found {size}"
            )
        network, colours = PlainFrames(), CHANNELS[MODALITIES[dataset]]
        if cnn:
            network = FrameRegions(
                colours, conv_channels, regions, **parts, backbone=backbone, backbone_weights=backbone_weights
            )
        channels = conv_channels[1] if cnn else colours
        cut = (1, patch, patch) if cnn else (1, step, step)
        length, grid = frames, (size // step, size // step)
        expected = {"t": frames, "c": colours, "h": size, "w": size}

    patches = PatchEmbedding(channels, cut, width)
    encodings = Encodings(width, length, grid, time=time_encoding)
    timesformer = TimeSformer(width, depth, heads, attention=attention, drop_path=drop_path)
    if timesformer_weights:
        load_timesformer(timesformer_weights, patches, encodings, timesformer)
    return WTMR(network, patches, encodings, timesformer, classes, dropout, expected)
