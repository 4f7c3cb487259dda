"""The networks: `wtmr` as the paper describes it, and in `released` the paper's nine as they were released."""

from torch import nn

from wtmr_core import torchvision_guard  # noqa: F401  (before timm)
from wtmr_core.models import released, wtmr

MODELS = ("wtmr", *released.MODELS)

__all__ = ["MODELS", "build"]


def build(dataset: str, model: str, **sizes) -> nn.Module:
    """Build the network `model` (one of `MODELS`) for `dataset`: `wtmr.build`, or `released.build` for the paper's.

    Both take the keywords classes, frames, size, width, depth, heads, conv_channels, dropout and drop_path; a network
    ignores those that it has no part for. Raises `ValueError` as they do.
    """
    if model == "wtmr":
        return wtmr.build(dataset, **sizes)
    return released.build(dataset, model, **sizes)
