"""The networks. `released` holds the paper's nine as they were released, and builds them by name."""

from wtmr_core import operators  # noqa: F401  (before timm)
from wtmr_core.models.released import DATASETS, MODELS, build

__all__ = ["DATASETS", "MODELS", "build"]
