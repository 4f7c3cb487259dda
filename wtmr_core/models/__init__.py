"""The networks. `released` holds the paper's nine as they were released, and builds them by name."""

from wtmr_core.models.released import DATASETS, MODELS, build

__all__ = ["DATASETS", "MODELS", "build"]
