"""The networks: `wtmr` as the paper describes it, the paper's nine as `released`, and baselines."""

from torch import nn

from wtmr_core import torchvision_guard  # noqa: F401  (before timm)
from wtmr_core.models import linear, released, temporal, wtmr

MODELS = ("wtmr", *released.MODELS, "temporal", "linear", "logistic")

__all__ = ["MODELS", "build"]


def build(dataset: str, model: str, **sizes) -> nn.Module:
    """Build the network `model` (one of `MODELS`) for `dataset`.

    `wtmr.build` for any, `temporal.build` for those of joints, `linear.build` for those of pictures, `released.build`
    for the paper's. `linear` and `logistic` are the same network, which differ in how they are trained.

    All take the keywords classes, frames, size, width, depth, heads, conv_channels, dropout and drop_path; a
    network ignores those that it has no part for. Raises `ValueError` as they do.
    """
    if model == "wtmr":
        return wtmr.build(dataset, **sizes)
    if model == "temporal":
        return temporal.build(dataset, **sizes)
    if model in ("linear", "logistic"):
        return linear.build(dataset, **sizes)
    return released.build(dataset, model, **sizes)
