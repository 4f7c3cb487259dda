"""What all figures share: the width of a page, the colours of networks, marks, per cent and legends beside the data.

Importing this sets matplotlib's defaults, seaborn's white grid and ours over it: ticks are made with those that hold
when a figure is rendered.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from wtmr_core.paper import names

WIDTH = 7.2  # inches of a page
GREY, DARK = "0.6", "0.25"
mpl.rcParams.update(
    sns.axes_style("whitegrid")
    | {
        "font.family": "DejaVu Sans",  # comes with matplotlib, so that texts are as wide on every machine
        "font.size": 9,
        "axes.titlesize": 9.5,
        "figure.titlesize": 10,
        "legend.frameon": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.edgecolor": "0.7",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "grid.color": "0.9",
        "xtick.color": "0.7",
        "ytick.color": "0.7",
        "xtick.labelcolor": "0.15",
        "ytick.labelcolor": "0.15",
        "text.parse_math": False,  # names are no formulas
        "hatch.linewidth": 0.5,
    }
)

#: of each network, from Okabe and Ito, "Color universal design" (2008): distinct for the colour-blind too
COLOURS = {
    "released-wtmr": "#0072B2",
    "released-wmrc": "#CC79A7",
    "released-timesformer": "#009E73",
    "wtmr": "#D55E00",
    "temporal": "#56B4E9",
    "linear": "#E69F00",
    "logistic": "#000000",
}
#: what is published is hollow, what was measured is filled; training points upwards
MARKS = {
    "published_train": ("^", "training, published"),
    "published_val": ("s", "validation, published"),
    "train": ("^", "training, these runs"),
    "test": ("o", "test, these runs"),
}


def page(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure as wide as a page and `height` inches high, and its axes (rows, columns); options as of `subplots`."""
    fig = Figure((WIDTH, height), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.07, h_pad=0.05)
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def colour(network: str) -> str:
    """The colour of a network, given by its model, its label (see `tables.labels`) or its name in words."""
    coded = {words: model for model, words in names.NETWORKS.items()}.get(network, network)
    return COLOURS.get(coded.split(" ")[0].rstrip(","), GREY)


def look(network: str, kind: str) -> dict[str, Any]:
    """How a value of `network` is marked, given what `kind` of `MARKS` it is."""
    marker, _ = MARKS[kind]
    face = "none" if kind.startswith("published") else colour(network)
    return {"marker": marker, "ls": "none", "ms": 6, "mew": 1.3, "mfc": face, "mec": colour(network)}


def kinds(chosen: Iterable[str]) -> list[Line2D]:
    """Handles that tell the `chosen` of `MARKS` apart in a legend, in no network's colour."""
    return [Line2D([], [], **look("", kind) | {"mec": DARK}, label=MARKS[kind][1]) for kind in chosen]


def networks(models: Iterable[str]) -> list[Line2D]:
    """Handles of networks for a legend, in their colours and in words."""
    return [Line2D([], [], color=colour(model), lw=4, label=network(model)) for model in models]


def legend(fig: Figure, *columns: Sequence[Artist], title: str | None = None) -> Legend:
    """Set a legend below all axes, each of `columns` a column of handles."""
    rows = max(map(len, columns))
    gap = Line2D([], [], ls="none", label=" ")
    handles = [handle for column in columns for handle in [*column, *[gap] * (rows - len(column))]]
    return fig.legend(handles=handles, ncols=len(columns), loc="outside lower center", title=title)


def dataset(name: str) -> str:
    """A data set in words; other words stay as they are."""
    return names.DATASETS.get(name, name)


def network(label: str) -> str:
    """A network in words, given by its model or its label; other words stay as they are."""
    return names.network(label) if label.split(" ")[0].rstrip(",") in names.NETWORKS else label


def broken(label: str) -> str:
    """A label in lines that leave room for data beside it."""
    return textwrap.fill(label, 34)


def rows(ax: Axes, labels: Sequence[str]) -> None:
    """Give each of the rows 0, 1, … of `ax` its label, the first above."""
    ax.set_yticks(range(len(labels)), [broken(label) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
