"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wtmr_core.paper.figures import style

FEW = 12  # classes; with more there is no room for numbers
SMALLEST = 0.22  # inches of a cell beside which another matrix may stand


def confusion(matrices: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw confusion matrices in cells of one size: true classes in rows, predicted ones in columns.

    Colour is the share of its row, so that rare classes are visible; a row without clips is white. Numbers are clips,
    and are left out where there are more than 12 classes. Two matrices stand side by side where there is room.

    Args:
        matrices: title -> clips, with the classes as index and columns
    """
    sizes = [len(matrix) for matrix in matrices.values()]
    longest = max(len(str(name)) for matrix in matrices.values() for name in matrix.index)
    font = 9 if max(sizes) <= FEW else max(4.5, 9 - 0.075 * max(sizes))
    words = 0.009 * font * longest + 0.5  # inches that class names and what they are of take
    room = style.WIDTH - 1
    beside = (room - words * len(sizes)) / sum(sizes) >= SMALLEST
    cell = min(0.5, (room - words * len(sizes)) / sum(sizes) if beside else (room - words) / max(sizes))
    heights = [cell * size + words + 0.45 for size in sizes]
    shape = (1, len(sizes)) if beside else (len(sizes), 1)
    ratios = {"width_ratios" if beside else "height_ratios": sizes}
    fig, axes = style.page(max(heights) if beside else sum(heights), *shape, **ratios)
    for ax, (title, counts) in zip(axes.flat, matrices.items(), strict=True):
        shares = 100 * counts.div(counts.sum(axis=1).replace(0, 1), axis=0).to_numpy()
        image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="none")
        classes = [str(name).replace("_", " ") for name in counts.index]
        ax.set_xticks(range(len(counts)), classes, rotation=90)
        ax.set_yticks(range(len(counts)), classes)
        ax.tick_params(length=0, labelsize=font)
        ax.grid(visible=False)
        ax.spines[:].set_visible(True)
        ax.set(title=title, xlabel="predicted class", ylabel="true class")
        size = min(9, 72 * cell / (0.72 * max(3, len(str(counts.to_numpy().max())))))  # so that numbers fit into cells
        for row, column in np.ndindex(shares.shape if max(sizes) <= FEW else (0, 0)):
            ink = "white" if shares[row, column] > 55 else "0.15"
            number = str(counts.iloc[row, column])
            ax.text(column, row, number, ha="center", va="center", color=ink, fontsize=size)
    bar = fig.colorbar(image, ax=axes, shrink=0.6, aspect=25, label="share of the true class, %")
    for ax in axes.flat:
        ax.set_anchor("N")
    bar.outline.set_visible(False)
    return fig
