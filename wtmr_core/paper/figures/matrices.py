"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from wtmr_core.paper.figures import style

FEW = 12  # classes; with more there is no room for numbers
ABOVE = 0.3  # inches for a title
SMALLEST = 0.22  # inches of a cell beside which another matrix may stand


def confusion(matrices: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw confusion matrices in cells of one size: true classes in rows, predicted ones in columns.

    Colour is the share of its row, so that rare classes are visible; a row without clips is white. Numbers are clips,
    and are left out where there are more than 12 classes. Two matrices stand side by side where there is room.

    Args:
        matrices: title -> clips, with the classes as index and columns
    """
    sizes = [len(matrix) for matrix in matrices.values()]
    font = 9 if max(sizes) <= FEW else max(4.5, 9 - 0.075 * max(sizes))
    words = max(_width(_words(name), font) for matrix in matrices.values() for name in matrix.index)
    left, below, bar = words + 0.35, words + 0.4, 0.9  # inches beside, below and to the right of the cells
    beside = (style.WIDTH - bar - left * len(sizes)) / sum(sizes) >= SMALLEST
    across = (len(sizes), sum(sizes)) if beside else (1, max(sizes))
    cell = min(0.5, (style.WIDTH - bar - left * across[0]) / across[1])
    heights = [ABOVE + cell * size + below for size in sizes]
    height = max(heights) if beside else sum(heights)
    fig = Figure((style.WIDTH, height))
    x, top = left, height
    for (title, counts), size in zip(matrices.items(), sizes, strict=True):
        side = cell * size
        ax = fig.add_axes(_inches(fig, x, top - ABOVE - side, side, side))
        _matrix(ax, counts, font, cell)
        ax.set(title=title, xlabel="predicted class", ylabel="true class")
        x, top = (x + side + left, top) if beside else (x, top - ABOVE - side - below)
    right = left * across[0] + cell * across[1] + 0.2
    long = min(2.5, cell * max(sizes))
    shares = fig.add_axes(_inches(fig, right, height - ABOVE - long, 0.12, long))
    fig.colorbar(ax.images[0], shares, label="share of the true class, %").outline.set_visible(False)
    return fig


def _matrix(ax: Axes, counts: pd.DataFrame, font: float, cell: float) -> None:
    shares = 100 * counts.div(counts.sum(axis=1).replace(0, 1), axis=0).to_numpy()
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="none")
    classes = [_words(name) for name in counts.index]
    ax.set_xticks(range(len(counts)), classes, rotation=90)
    ax.set_yticks(range(len(counts)), classes)
    ax.tick_params(length=0, labelsize=font)
    ax.grid(visible=False)
    ax.spines[:].set_visible(True)
    if len(counts) <= FEW:
        digits = max(3, len(str(counts.to_numpy().max())))
        size = min(9, 72 * cell / (0.72 * digits))  # so that each number fits into its cell
        for row, column in np.ndindex(shares.shape):
            ink = "white" if shares[row, column] > 55 else "0.15"
            number = str(counts.iloc[row, column])
            ax.text(column, row, number, ha="center", va="center", color=ink, fontsize=size)


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _width(text: str, size: float) -> float:
    """How many inches a text takes."""
    return TextPath((0, 0), text, size, prop=FontProperties(family=mpl.rcParams["font.family"])).get_extents().x1 / 72


def _inches(fig: Figure, *box: float) -> np.ndarray:
    """A box in inches (left, bottom, width, height) as shares of a figure."""
    return np.array(box) / np.tile(fig.get_size_inches(), 2)
