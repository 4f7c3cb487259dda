"""Figures of the paper: arrays and tables in, a matplotlib `Figure` out; nothing here reads a file.

`show` displays a figure in a notebook and `save` writes it as PNG and PDF.
"""

from wtmr_core.paper.figures.data import clips, counts
from wtmr_core.paper.figures.description import describe
from wtmr_core.paper.figures.matrices import confusion
from wtmr_core.paper.figures.output import save, show
from wtmr_core.paper.figures.results import ablation, accuracy_cost, intervals, printed_accuracies
from wtmr_core.paper.figures.style import WIDTH
from wtmr_core.paper.figures.training import learning_curves
from wtmr_core.paper.figures.weights import part_weights, region_weights, weights

__all__ = [
    "WIDTH",
    "ablation",
    "accuracy_cost",
    "clips",
    "confusion",
    "counts",
    "describe",
    "intervals",
    "learning_curves",
    "part_weights",
    "printed_accuracies",
    "region_weights",
    "save",
    "show",
    "weights",
]
