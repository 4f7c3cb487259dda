"""The paper's nine networks as released: three data sets times WTMR-Net, its CNN alone, and TimeSformer.

They are rebuilt from the paper's public notebooks, oddities included; what is kept only because it was released that
way has a comment "as released". The same classes make smaller networks for tests and miniature runs. How the class
tokens start is not on record, nor how the embeddings of HMDB51's TimeSformer and NTU's WTMR-Net do: here they start at
zero, as the embeddings of HMDB51's WTMR-Net do.

`frames` and `joints` hold the networks, `parts` what they share; `build` chooses one.
"""

from __future__ import annotations

from torch import nn

from wtmr_core.modality import CHANNELS, MODALITIES, has_joints
from wtmr_core.models.released.frames import FramesCNN, FramesWTMR, HMDB51TimeSformer, SVideoQATimeSformer, frame_cnn
from wtmr_core.models.released.joints import JointsCNN, JointsTimeSformer, JointsWTMR
from wtmr_core.models.released.parts import blocks, check_least, check_multiple

__all__ = ["CLASSES", "DATASETS", "MODELS", "JointsWTMR", "blocks", "build", "check_least", "frame_cnn"]

DATASETS = ("hmdb51", "ntu60", "svideoqa")
MODELS = ("released-wtmr", "released-wmrc", "released-timesformer")

CLASSES = {"hmdb51": 51, "ntu60": 60, "svideoqa": 8}
PROFILED_MAP = 16  # side of the map in the SVideoQA WTMR-Net that was profiled


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
        check_multiple("width", width, heads, f"it is shared among {heads} heads")

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
