"""The weights of regions, drawn over frames or bodies: always in the same colours, so that figures can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from wtmr_core.paper.figures import style
from wtmr_core.paper.figures.data import fit
from wtmr_core.skeleton import BONES

#: of a weight: grey for 1, the mean; red above and blue below, the deepest from 0.5 and 1.5 on
SCALE = ScalarMappable(CenteredNorm(1, 0.5), "coolwarm")
TINT = 0.4  # opacity over a frame
ROW = 4  # frames


def weights(
    clip: np.ndarray,
    weights: np.ndarray,
    grid: tuple[int, int],
    parts: Mapping[str, Sequence[int]],
    title: str = "",
) -> Figure:
    """Draw `region_weights` of uint8 frames, or `part_weights` of the first body of joints (t, m, j, 3)."""
    if clip.dtype == np.uint8:
        return region_weights(clip, weights, grid, title)
    return part_weights(clip[:, 0], weights[:, : len(parts)], parts, title)


def region_weights(frames: np.ndarray, weights: np.ndarray, grid: tuple[int, int], title: str = "") -> Figure:
    """Draw frames, each region tinted by its weight (see `SCALE`), with the number in it.

    Args:
        frames: (t, h, w) or (t, h, w, c), grey or RGB, uint8 or float 0-1
        weights: (t, r), one per region, row by row of the grid
        grid: regions down and across
        title: what the clip shows

    Raises:
        ValueError: where shapes do not agree.
    """
    (t, h, w), (gh, gw) = frames.shape[:3], grid
    if weights.shape != (t, gh * gw):
        raise ValueError(f"weights have the shape {weights.shape}, expected ({t}, {gh * gw}): {t} frames of {gh}×{gw}")
    across, down = min(t, ROW), -(-t // ROW)
    wide = (style.WIDTH - 0.9) / across
    fig, axes = style.page(down * (wide * h / w + 0.05) + 0.35, down, across)
    size = min(9.0, 72 * wide / gw / 3.2)  # so that four characters fit into a region
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, frame, grid_weights in zip(axes.flat, frames, weights.reshape(t, gh, gw), strict=False):
        ax.imshow(frame.squeeze(), cmap="gray", vmin=0, vmax=255 if frame.dtype == np.uint8 else 1)
        extent = (-0.5, w - 0.5, h - 0.5, -0.5)
        ax.imshow(grid_weights, cmap=SCALE.cmap, norm=SCALE.norm, alpha=TINT, extent=extent)
        for row, column in np.ndindex(gh, gw):
            place = (column + 0.5) * w / gw - 0.5, (row + 0.5) * h / gh - 0.5
            around = [withStroke(linewidth=2, foreground="white")]
            number = f"{grid_weights[row, column]:.2f}"
            ax.text(*place, number, ha="center", va="center", fontsize=size, path_effects=around)
    _finish(fig, title, TINT)
    return fig


def part_weights(
    joints: np.ndarray, weights: np.ndarray, parts: Mapping[str, Sequence[int]], title: str = ""
) -> Figure:
    """Draw a row of one body's poses, the bones of each part in the colour of its weight; the legend has the means.

    A bone belongs to the part that contains both its ends. Colours are those of `SCALE`.

    Args:
        joints: (t, 25, 3)
        weights: (t, r), one per part, in the order of `parts`
        parts: the joints of each part, by its name
        title: what the body does

    Raises:
        ValueError: where shapes do not agree.
    """
    t = len(joints)
    if weights.shape != (t, len(parts)):
        raise ValueError(f"weights have the shape {weights.shape}, expected ({t}, {len(parts)}): frames and parts")
    outline = {"path_effects": [withStroke(linewidth=5, foreground="0.3")], "solid_capstyle": "round"}
    fig, (axes,) = style.page(3.2, 1, t)
    for ax, pose, frame_weights in zip(axes, joints, weights, strict=True):
        for part, weight in zip(parts.values(), frame_weights, strict=True):
            for bone in BONES:
                if pose.any() and set(bone) <= set(part):
                    ax.plot(*pose[list(bone), :2].T, color=SCALE.to_rgba(weight), lw=3, **outline)
        fit(ax, joints)
        ax.set_axis_off()
    _finish(fig, title)
    means = zip(parts, weights.mean(axis=0), strict=True)
    handles = [Line2D([], [], color=SCALE.to_rgba(m), lw=3, label=f"{part} {m:.2f}", **outline) for part, m in means]
    style.legend(fig, *([handle] for handle in handles), title="mean over these frames")
    return fig


def _finish(fig: Figure, title: str, opacity: float = 1.0) -> None:
    fig.colorbar(SCALE, ax=fig.axes, label="weight", alpha=opacity, extend="both", ticks=[0.5, 0.75, 1, 1.25, 1.5])
    fig.suptitle(title)
