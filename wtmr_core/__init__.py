"""A companion to the WTMR-Net paper: its models, loaders and figures, as published and corrected."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wtmr-core")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"
