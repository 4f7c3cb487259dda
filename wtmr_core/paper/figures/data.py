"""Pictures of data: how many clips there are of each class, and clips frame by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from wtmr_core.paper.figures import style
from wtmr_core.skeleton import BONES

#: part -> its words and its colour; those of networks are left to networks
PARTS = {
    "train": ("training", "#B8B8B8"),
    "val": ("validation", "#787878"),
    "test": ("test", "#303030"),
    "unused": ("unused", "#E8E8E8"),
}
BODIES = ("#0072B2", "#E69F00")


def counts(classes: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw how many clips there are of each class, a bar of the parts train, val, test and unused end to end.

    Args:
        classes: class -> part -> clips
    """
    table = pd.DataFrame(classes).T.fillna(0)
    fig, ((ax,),) = style.page(1.0 + 0.2 * len(table))
    left = np.zeros(len(table))
    for part in sorted(table, key=lambda part: [*PARTS, part].index(part)):
        words, colour = PARTS.get(part, (part, style.GREY))
        ax.barh(range(len(table)), table[part], 0.75, left, color=colour, edgecolor="white", lw=0.5, label=words)
        left += table[part].to_numpy(float)
    style.rows(ax, [name.replace("_", " ") for name in table.index])
    ax.set_xlabel("clips")
    fig.legend(loc="outside upper center", ncols=len(PARTS))
    return fig


def clips(pictures: np.ndarray, titles: Sequence[str]) -> Figure:
    """Draw clips, a row of frames each under its title.

    Args:
        pictures: (b, t, h, w, c) uint8, grey or RGB, or joints (b, t, m, j, 3) float
        titles: one for each clip
    """
    b, t = pictures.shape[:2]
    high = style.WIDTH / t * (pictures.shape[2] / pictures.shape[3] if pictures.dtype == np.uint8 else 1.3)
    above = 0.25  # inches for a title
    fig = Figure((style.WIDTH, b * (high + above)))  # another layout would part the frames until the titles fit
    axes = fig.subplots(b, t, squeeze=False)
    fig.subplots_adjust(0.01, 0.005, 0.99, 1 - above / fig.get_figheight(), wspace=0.04, hspace=above / high)
    for row, clip, title in zip(axes, pictures, titles, strict=True):
        for ax, frame in zip(row, clip, strict=True):
            if pictures.dtype == np.uint8:
                ax.imshow(frame.squeeze(), cmap="gray", vmin=0, vmax=255)
            else:
                _skeletons(ax, frame, clip)
            ax.set_axis_off()
        row[0].set_title(title, loc="left", pad=3)
    return fig


def _skeletons(ax: Axes, bodies: np.ndarray, clip: np.ndarray) -> None:
    for m, joints in enumerate(bodies):
        if joints.any():
            ax.add_collection(LineCollection(joints[np.array(BONES), :2], color=BODIES[m % len(BODIES)], lw=1.5))
    fit(ax, clip)


def fit(ax: Axes, clip: np.ndarray) -> None:
    """Set limits within which every present body of a clip (…, j, 3) lies in every frame."""
    seen = clip[(clip != 0).any(axis=(-1, -2))]  # n j 3
    (left, low), (right, high) = seen[..., :2].min(axis=(0, 1)), seen[..., :2].max(axis=(0, 1))
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(low - 0.1, high + 0.1), aspect="equal")
