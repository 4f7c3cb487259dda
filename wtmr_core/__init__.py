"""A companion to the WTMR-Net paper: its models, loaders and figures, as published and corrected."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

# OpenCV reads these when it is imported, before a command's environment is cleaned (see `environment`)
for _name in [name for name in os.environ if name.startswith("OPENCV_") and name != "OPENCV_FFMPEG_LOGLEVEL"]:
    del os.environ[_name]

try:
    __version__ = version("wtmr-core")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

__all__ = ["Classifier"]


def __getattr__(name: str) -> type:
    """`wtmr_core.Classifier`, without torch being imported before it is asked for."""
    if name != "Classifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wtmr_core.classifier import Classifier

    return Classifier
