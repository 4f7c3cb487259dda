"""Figures: arrays in, a matplotlib `Figure` out. Nothing here reads a file or knows a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import ScaledTranslation

from wtmr_core.skeleton import BONES

sns.set_theme(style="whitegrid", context="notebook", palette="colorblind")


def counts(classes: Mapping[str, Mapping[str, int]]) -> Figure:
    """Draw bars of the number of clips, given for each class and part."""
    table = pd.DataFrame(classes).T.fillna(0)
    fig, ax = plt.subplots(figsize=(9, 1.2 + 0.24 * len(table)))
    table.plot.barh(stacked=True, ax=ax, width=0.8)
    ax.set(xlabel="clips", ylabel="")
    ax.invert_yaxis()
    ax.legend(title="part", frameon=False)
    fig.tight_layout()
    return fig


def clips(pictures: np.ndarray, titles: Sequence[str]) -> Figure:
    """Draw clips, one row of frames each: pictures (b, t, h, w, c) uint8 or joints (b, t, m, j, 3) float."""
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
    for m, joints in enumerate(bodies):
        if joints.any():
            for a, b in BONES:
                ax.plot(*joints[[a, b], :2].T, color=f"C{m}", lw=1.5)
    _fit(ax, clip)


def _fit(ax: Axes, clip: np.ndarray) -> None:
    """Set limits within which every present body of a clip (…, j, 3) lies in every frame."""
    seen = clip[(clip != 0).any(axis=(-1, -2))]  # n j 3
    (left, low), (right, high) = seen[..., :2].min(axis=(0, 1)), seen[..., :2].max(axis=(0, 1))
    ax.set(xlim=(left - 0.1, right + 0.1), ylim=(low - 0.1, high + 0.1), aspect="equal")


def weights(clip: np.ndarray, weights: np.ndarray, grid: tuple[int, int], parts: Mapping[str, Sequence[int]]) -> Figure:
    """Draw `region_weights` of uint8 frames, or `part_weights` of the first body of joints (t, m, j, 3)."""
    if clip.dtype == np.uint8:
        return region_weights(clip, weights, grid)
    return part_weights(clip[:, 0], weights[:, : len(parts)], parts)


def region_weights(frames: np.ndarray, weights: np.ndarray, grid: tuple[int, int]) -> Figure:
    """Draw a row of frames, each region tinted by its weight, with the number in it.

    Colours are centred on 1, the mean.

    Args:
        frames: (t, h, w) or (t, h, w, c), grey or RGB, uint8 or float 0-1
        weights: (t, r), one per region, row by row of the grid
        grid: regions down and across

    Raises:
        ValueError: where shapes do not agree.
    """
    (t, h, w), (gh, gw) = frames.shape[:3], grid
    if weights.shape != (t, gh * gw):
        raise ValueError(f"weights have the shape {weights.shape}, expected ({t}, {gh * gw}): {t} frames of {gh}×{gw}")
    colours = _around_one(weights)
    fig, axes = plt.subplots(1, t, figsize=(1.7 * t + 1, 1.9), squeeze=False, layout="constrained")
    for ax, frame, grid_weights in zip(axes[0], frames, weights.reshape(t, gh, gw), strict=True):
        ax.imshow(frame.squeeze(), cmap="gray", vmin=0, vmax=255 if frame.dtype == np.uint8 else 1)
        ax.imshow(grid_weights, cmap=colours.cmap, norm=colours.norm, alpha=0.4, extent=(-0.5, w - 0.5, h - 0.5, -0.5))
        for row, column in np.ndindex(gh, gw):
            ax.text(
                (column + 0.5) * w / gw - 0.5,
                (row + 0.5) * h / gh - 0.5,
                f"{grid_weights[row, column]:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                path_effects=[withStroke(linewidth=2, foreground="white")],
            )
        ax.set_axis_off()
    _colour_bar(fig, colours, alpha=0.4)
    return fig


def part_weights(joints: np.ndarray, weights: np.ndarray, parts: Mapping[str, Sequence[int]]) -> Figure:
    """Draw a row of one body's poses, the bones of each part in the colour of its weight; the legend has the means.

    A bone belongs to the part that contains both its ends. Colours are centred on 1, the mean.

    Args:
        joints: (t, 25, 3)
        weights: (t, r), one per part, in the order of `parts`
        parts: the joints of each part, by its name

    Raises:
        ValueError: where shapes do not agree.
    """
    t = len(joints)
    if weights.shape != (t, len(parts)):
        raise ValueError(f"weights have the shape {weights.shape}, expected ({t}, {len(parts)}): frames and parts")
    colours = _around_one(weights)
    outline = {"path_effects": [withStroke(linewidth=5, foreground="0.3")], "solid_capstyle": "round"}
    fig, axes = plt.subplots(1, t, figsize=(1.7 * t + 1, 3.2), squeeze=False, layout="constrained")
    for ax, pose, frame_weights in zip(axes[0], joints, weights, strict=True):
        for part, weight in zip(parts.values(), frame_weights, strict=True):
            for bone in BONES:
                if pose.any() and set(bone) <= set(part):
                    ax.plot(*pose[list(bone), :2].T, color=colours.to_rgba(weight), lw=3, **outline)
        _fit(ax, joints)
        ax.set_axis_off()
    _colour_bar(fig, colours)
    handles = [
        plt.Line2D([], [], color=colours.to_rgba(mean), lw=3, label=f"{name} {mean:.2f}", **outline)
        for name, mean in zip(parts, weights.mean(axis=0), strict=True)
    ]
    fig.legend(
        handles=handles,
        title="mean over these frames",
        ncols=3,
        loc="outside lower center",
        frameon=False,
        fontsize=9,
        title_fontsize=9,
    )
    return fig


def _around_one(weights: np.ndarray) -> ScalarMappable:
    """Colours of weights: grey for 1, red above, blue below."""
    farthest = max(float(np.abs(weights - 1).max()), 0.01)  # where all are 1, all are grey
    return ScalarMappable(CenteredNorm(1, farthest), "coolwarm")


def _colour_bar(fig: Figure, colours: ScalarMappable, alpha: float = 1.0) -> None:
    bar = fig.colorbar(colours, ax=fig.axes, label="weight", alpha=alpha)
    bar.ax.set_ylim(bottom=max(0, colours.norm.vmin))  # no weight is negative


def learning_curves(history: pd.DataFrame, published: pd.DataFrame | None, title: str, chance: float) -> Figure:
    """Draw loss and accuracy of a run by epoch, with the published curves if there are any.

    Both tables have epoch, train_loss, train_accuracy, val_loss, val_accuracy; accuracies and `chance` are 0-1.
    """
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.8))
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        for part, colour in (("train", "C0"), ("val", "C1")):
            ax.plot(history.epoch, history[f"{part}_{quantity}"], color=colour, label=f"{part}, this run")
            if published is not None and len(published):
                ax.plot(
                    published.epoch, published[f"{part}_{quantity}"], color=colour, ls=":", label=f"{part}, published"
                )
        ax.set(xlabel="epoch", ylabel=quantity)
    axes[1].axhline(chance, color="grey", lw=1, ls="--", label="chance")
    axes[1].set_ylim(0, 1)
    axes[1].legend(frameon=False, fontsize=9)
    fig.suptitle(title)
    fig.tight_layout()
    return fig


def confusion(matrices: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw confusion matrices (in clips, by title) side by side: true classes in rows, predicted ones in columns.

    Colour is the share of its row, so that rare classes are visible; a row without clips is white. Numbers are clips,
    and are left out where there are more than 12 classes.
    """
    sizes = [2.2 + (0.42 if len(m) <= 12 else 0.17) * len(m) for m in matrices.values()]
    fig, axes = plt.subplots(
        1, len(matrices), figsize=(sum(sizes), max(sizes) - 0.4), squeeze=False, width_ratios=sizes
    )
    for ax, (title, counts) in zip(axes[0], matrices.items(), strict=True):
        shares = counts.div(counts.sum(axis=1).replace(0, 1), axis=0)
        few = len(counts) <= 12
        sns.heatmap(
            shares,
            ax=ax,
            cmap="Blues",
            vmin=0,
            vmax=1,
            square=True,
            cbar=False,
            linewidths=0.4 if few else 0,
            annot=counts if few else False,
            fmt="d",
            annot_kws={"fontsize": 9},
            xticklabels=True,
            yticklabels=True,
        )
        ax.set_title(title, fontsize=10)
        ax.tick_params(labelsize=9 if few else 6)
        ax.set_xticklabels(ax.get_xticklabels(), rotation=90)
        ax.set_yticklabels(ax.get_yticklabels(), rotation=0)
    fig.tight_layout()
    return fig


def ablation(table: pd.DataFrame) -> Figure:
    """Draw bars of training loss (above) and accuracy (below): a column per data set, a group of bars per network.

    Hatched bars are published; a cross marks a published bar that does not exist (NaN).

    Args:
        table: one row per network: dataset, model, runs; train_loss, train_accuracy and test_accuracy (0-1), each with
            …_low and …_high for the whiskers of several runs; published_train_loss, published_train_accuracy,
            published_val_accuracy
    """
    sets = {name: rows for name, rows in table.groupby("dataset", sort=False)}
    widths = [1.2 + 1.0 * len(rows) for rows in sets.values()]
    fig, axes = plt.subplots(
        2, len(sets), figsize=(max(sum(widths), 7), 6), squeeze=False, width_ratios=widths, sharex="col", sharey="row"
    )
    for column, (dataset, rows) in zip(axes.T, sets.items(), strict=True):
        names = [
            "\n".join([*row.model.split(), *([f"mean of {row.runs}"] if row.runs > 1 else [])])
            for row in rows.itertuples()
        ]
        _bars(column[0], rows, names, _LOSS_BARS)
        _bars(column[1], rows, names, _ACCURACY_BARS)
        column[0].set_title(dataset)
        column[1].tick_params(axis="x", labelsize=9, rotation=30)
        plt.setp(column[1].get_xticklabels(), ha="right", rotation_mode="anchor")
    axes[0, 0].set(ylabel="training loss")
    axes[1, 0].set(ylabel="accuracy", ylim=(0, 1))
    handles = axes[1, 0].get_legend_handles_labels()[0]
    handles += [plt.Line2D([], [], marker="x", color="grey", ls="", label="not published")]
    fig.legend(handles=handles, ncols=5, loc="upper center", frameon=False, fontsize=9)
    fig.tight_layout(rect=(0, 0, 1, 0.95))
    return fig


#: column, label, colour, published
_LOSS_BARS = (
    ("train_loss", "train, these runs", "C0", False),
    ("published_train_loss", "train, published", "C0", True),
)
_ACCURACY_BARS = (
    ("train_accuracy", "train, these runs", "C0", False),
    ("test_accuracy", "test, these runs", "C1", False),
    ("published_train_accuracy", "train, published", "C0", True),
    ("published_val_accuracy", "validation, published", "C1", True),
)


def _bars(ax: Axes, rows: pd.DataFrame, names: Sequence[str], bars: Sequence[tuple[str, str, str, bool]]) -> None:
    places, width = np.arange(len(rows)), 0.8 / len(bars)
    for i, (column, label, colour, is_published) in enumerate(bars):
        heights, x = rows[column].to_numpy(float), places + (i - (len(bars) - 1) / 2) * width
        look = {"alpha": 0.45, "hatch": "///"} if is_published else {}
        ax.bar(x, heights, width, label=label, color=colour, edgecolor="white", **look)
        ax.scatter(
            x[np.isnan(heights)],
            np.zeros(np.isnan(heights).sum()),
            marker="x",
            s=18,
            color=colour,
            zorder=3,
            clip_on=False,
        )
        if not is_published and (repeated := rows.runs.to_numpy() > 1).any():
            ends = rows[[f"{column}_low", f"{column}_high"]].to_numpy(float).T
            ax.errorbar(
                x[repeated],
                heights[repeated],
                np.abs(ends - heights)[:, repeated],
                fmt="none",
                ecolor="black",
                capsize=3,
                lw=1,
            )
    ax.set_xticks(places, names)
    ax.grid(axis="x", visible=False)


def accuracy_cost(table: pd.DataFrame) -> Figure:
    """Draw accuracy against multiply-accumulates (log axis): a panel per data set, a colour per network.

    Networks of similar cost would hide each other, so each colour is shifted sideways by a few points.

    Args:
        table: dataset, model, complete_gmacs (10⁹; rows without are left out) and the accuracies (0-1, NaN for none)
            published_train_accuracy, published_val_accuracy, measured_test_accuracy, each with its own marker
    """
    table = table.dropna(subset="complete_gmacs")
    sets, models = list(dict.fromkeys(table.dataset)), list(dict.fromkeys(table.model))
    marks = {
        "published_train_accuracy": ("^", "published training"),
        "published_val_accuracy": ("s", "published validation"),
        "measured_test_accuracy": ("o", "measured test"),
    }
    fig, axes = plt.subplots(1, len(sets), figsize=(max(3.7 * len(sets), 7), 4.4), squeeze=False, sharey=True)
    for ax, name in zip(axes[0], sets, strict=True):
        rows = table[table.dataset == name]
        ax.set(title=name, xscale="log", xlim=(rows.complete_gmacs.min() / 2, rows.complete_gmacs.max() * 2))
        ax.set(xlabel="GMACs a clip, complete", ylim=(0, 1.02))
        for row in rows.itertuples():
            i = models.index(row.model)
            beside = ScaledTranslation((i - (len(models) - 1) / 2) * 7 / 72, 0, fig.dpi_scale_trans)
            look = {"color": f"C{i}", "transform": ax.transData + beside}
            heights = [y for column in marks if not np.isnan(y := getattr(row, column))]
            ax.plot([row.complete_gmacs] * len(heights), heights, lw=1, alpha=0.5, **look)
            for column, (marker, _) in marks.items():
                ax.scatter(row.complete_gmacs, getattr(row, column), marker=marker, s=45, zorder=3, **look)
    axes[0, 0].set_ylabel("accuracy")
    kinds = [plt.Line2D([], [], marker=m, color="grey", ls="", label=text) for m, text in marks.values()]
    networks = [plt.Line2D([], [], color=f"C{i}", lw=4, label=model) for i, model in enumerate(models)]
    for handles, y in ((kinds, 0.06), (networks, 0.0)):
        fig.legend(handles=handles, ncols=3, loc="lower center", bbox_to_anchor=(0.5, y), frameon=False, fontsize=9)
    fig.tight_layout(rect=(0, 0.14, 1, 1))
    return fig


def intervals(rows: pd.DataFrame, figure: str = "top1", title: str = "") -> Figure:
    """Draw a dot with its interval for each of `rows` of `tables.components`, from top to bottom.

    `figure` is top1, or difference, which gets a dashed line at 0; NaN is not drawn.
    """
    names = rows.dataset + " " + rows.label.str.removeprefix("wtmr ")
    places = np.arange(len(rows))
    fig, ax = plt.subplots(figsize=(8, 1.1 + 0.32 * len(rows)))
    if figure == "difference":
        ax.axvline(0, color="grey", lw=1, ls="--")
    ax.hlines(places, rows[f"{figure}_low"], rows[f"{figure}_high"], color="C0", lw=2)
    ax.plot(rows[figure], places, "o", color="C0", ms=6)
    ax.set_yticks(places, names)
    titles = {"top1": "test accuracy", "difference": "change in test accuracy"}
    ax.set(title=title, xlabel=titles[figure], ylim=(len(rows) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    fig.tight_layout()
    return fig


def printed_accuracies(table: pd.DataFrame) -> Figure:
    """Draw what a paper prints as accuracy beside its logs' validation accuracy, a row per network.

    Args:
        table: dataset, model, printed, log_val, and val_low and val_high, the interval of log_val; all 0-1
    """
    fig, ax = plt.subplots(figsize=(9, 0.8 + 0.42 * len(table)))
    rows = np.arange(len(table))
    ax.hlines(rows, table.log_val, table.printed, color="0.8", lw=2, zorder=1)
    errors = [table.log_val - table.val_low, table.val_high - table.log_val]
    ax.errorbar(
        table.log_val, rows, xerr=errors, fmt="s", ms=5, color="C1", capsize=3, label="validation, from the log (95 %)"
    )
    # hollow and larger, so that it shows around a square in the same place
    ax.plot(table.printed, rows, "^", color="C0", ms=12, mew=1.5, fillstyle="none", label="printed in the table")
    ax.set_yticks(rows, [f"{row.dataset}, {row.model}" for row in table.itertuples()])
    ax.set(xlim=(0, 1.02), ylim=(len(table) - 0.4, -0.6), xlabel="accuracy")
    ax.grid(axis="y", visible=False)
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    fig.tight_layout()
    return fig
