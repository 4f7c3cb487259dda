"""Figures of the paper: arrays and tables in, a matplotlib `Figure` out; nothing here reads a file.

`show` displays a figure in a notebook and `save` writes it as PNG and PDF.
"""

from wtmr_core.paper.figures.description import describe
from wtmr_core.paper.figures.output import png, save, show
from wtmr_core.paper.figures.results import (
    ablation,
    accuracy_cost,
    clips,
    confusion,
    counts,
    intervals,
    learning_curves,
    part_weights,
    plt,
    printed_accuracies,
    region_weights,
    weights,
)

__all__ = [
    "ablation",
    "accuracy_cost",
    "clips",
    "confusion",
    "counts",
    "describe",
    "intervals",
    "learning_curves",
    "part_weights",
    "plt",
    "png",
    "printed_accuracies",
    "region_weights",
    "save",
    "show",
    "weights",
]
