"""Arrays in, a matplotlib `Figure` out. Nothing here reads a file or knows a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")

#: bones of the 25 Kinect joints, as pairs of joint numbers from 0
BONES = (
    (0, 1), (1, 20), (20, 2), (2, 3), (20, 4), (4, 5), (5, 6), (6, 7), (7, 21), (7, 22), (20, 8), (8, 9), (9, 10),
    (10, 11), (11, 23), (11, 24), (0, 12), (12, 13), (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19),
)  # fmt: skip


def counts(classes: Mapping[str, Mapping[str, int]]) -> Figure:
    """Bars of clips: class -> part -> number."""
    table = pd.DataFrame(classes).T.fillna(0)
    fig, ax = plt.subplots(figsize=(9, 1.2 + 0.24 * len(table)))
    table.plot.barh(stacked=True, ax=ax, width=0.8)
    ax.set(xlabel="clips", ylabel="")
    ax.invert_yaxis()
    ax.legend(title="part", frameon=False)
    fig.tight_layout()
    return fig


def clips(pictures: np.ndarray, titles: Sequence[str]) -> Figure:
    """A row a clip of its frames: (b, t, h, w, c) uint8, or (b, t, m, j, 3) float joints."""
    b, t = pictures.shape[:2]
    fig, axes = plt.subplots(b, t, figsize=(1.25 * t, 1.45 * b), squeeze=False)
    for row, clip, title in zip(axes, pictures, titles, strict=True):
        for ax, frame in zip(row, clip, strict=True):
            if pictures.dtype == np.uint8:
                ax.imshow(frame.squeeze(), cmap="gray", vmin=0, vmax=255)
            else:
                _skeleton(ax, frame, clip)
            ax.set_axis_off()
        row[0].set_title(title, loc="left", fontsize=9)
    # not tight_layout: it would shrink the frames until the long titles fit
    fig.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.25 / b, wspace=0.04, hspace=0.22)
    return fig


def _skeleton(ax: Axes, bodies: np.ndarray, clip: np.ndarray) -> None:
    seen = clip[(clip != 0).any(axis=(-1, -2))]  # n j 3
    (left, low), (right, high) = seen[..., :2].min(axis=(0, 1)), seen[..., :2].max(axis=(0, 1))
    for m, joints in enumerate(bodies):
        if joints.any():
            for a, b in BONES:
                ax.plot(*joints[[a, b], :2].T, color=f"C{m}", lw=1.5)
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(low - 0.1, high + 0.1), aspect="equal")


def learning_curves(history: pd.DataFrame, published: pd.DataFrame | None, title: str, chance: float) -> Figure:
    """Loss and accuracy by epoch of a run, with the published curves where there are any.

    Both tables have epoch, train_loss, train_accuracy, val_loss, val_accuracy; accuracies and `chance` are 0-1.
    """
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    for ax, what in zip(axes, ("loss", "accuracy"), strict=True):
        for part, colour in (("train", "C0"), ("val", "C1")):
            ax.plot(history.epoch, history[f"{part}_{what}"], color=colour, label=f"{part}, this run")
            if published is not None and len(published):
                ax.plot(
                    published.epoch,
                    published[f"{part}_{what}"],
                    color=colour,
                    ls=":",
                    label=f"{part}, published",
                )
        ax.set(xlabel="epoch", ylabel=what)
    axes[1].axhline(chance, color="grey", lw=1, ls="--", label="chance")
    axes[1].set_ylim(0, 1)
    axes[1].legend(frameon=False, fontsize=9)
    fig.suptitle(title)
    fig.tight_layout()
    return fig
