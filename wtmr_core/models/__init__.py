"""The networks: `wtmr` as the paper describes it, in `released` the paper's nine as released, and a plain CNN."""

from torch import nn

from wtmr_core import torchvision_guard  # noqa: F401  (before timm)
from wtmr_core.models import released, temporal, wtmr

MODELS = ("wtmr", *released.MODELS, "temporal")

__all__ = ["MODELS", "build"]


def build(dataset: str, model: str, **sizes) -> nn.Module:
    """The network `model` (one of `MODELS`) for `dataset`: `wtmr.build`, for any, `temporal.build`, for those of
    joints, or `released.build`, for the paper's.

    All take the keywords classes, frames, size, width, depth, heads, conv_channels, dropout and drop_path; of these
    a network uses what it has a part for. Raises `ValueError` as they do.
    """
    if model == "wtmr":
        return wtmr.build(dataset, **sizes)
    if model == "temporal":
        return temporal.build(dataset, **sizes)
    return released.build(dataset, model, **sizes)
