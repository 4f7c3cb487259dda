"""What networks reach: accuracies and losses, by data set, beside the published ones, and at which cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wtmr_core.paper import names
from wtmr_core.paper.figures import style


def ablation(table: pd.DataFrame) -> Figure:
    """Draw training losses and accuracies: a column of panels per data set, a row in each per network.

    Published losses and those of these runs have panels of their own, since that of 8 classes is not to be compared
    with that of 51. Whiskers are the range of several runs.

    Args:
        table: one row per network: dataset, model, runs; train_loss, train_accuracy and test_accuracy (0-1), each with
            …_low and …_high for the whiskers of several runs; published_train_loss, published_train_accuracy,
            published_val_accuracy, NaN where not published
    """
    sets = {name: rows.reset_index(drop=True) for name, rows in table.groupby("dataset", sort=False)}
    panels = {
        "training loss, published": {"published_train_loss": "published_train"},
        "training loss, these runs": {"train_loss": "train"},
        "accuracy, %": {
            "published_train_accuracy": "published_train",
            "published_val_accuracy": "published_val",
            "train_accuracy": "train",
            "test_accuracy": "test",
        },
    }
    if table.published_train_loss.isna().all():
        del panels["training loss, published"]
    models = list(dict.fromkeys(table.model))
    height = 0.8 + len(panels) * (0.5 + 0.32 * len(models))
    fig, axes = style.page(height, len(panels), len(sets), sharey=True)
    for column, (name, rows) in zip(axes.T, sets.items(), strict=True):
        column[0].set_title(style.dataset(name))
        for ax, (what, columns) in zip(column, panels.items(), strict=True):
            for values, kind in columns.items():
                _marks(ax, rows, values, kind, models)
            style.rows(ax, [style.network(model) for model in models])
            ax.set_xlabel(what)
            ax.set_xlim(0, 100) if what.startswith("accuracy") else ax.set_xlim(left=0)
    used = [kind for values, kind in panels["accuracy, %"].items() if table[values].notna().any()]
    half = -(-len(used) // 2)
    style.legend(fig, *(style.kinds(part) for part in (used[:half], used[half:]) if part))
    return fig


def _marks(ax: Axes, rows: pd.DataFrame, column: str, kind: str, models: list[str]) -> None:
    """Mark the values of a column, those published a little above the middle of their row, the others below."""
    scale = 100 if column.endswith("accuracy") else 1
    for row in rows.to_dict("records"):
        y = models.index(row["model"])
        place = y + (-0.16 if kind.startswith("published") else 0.16)
        if f"{column}_low" in row and row["runs"] > 1:
            ends = scale * row[f"{column}_low"], scale * row[f"{column}_high"]
            ax.hlines(place, *ends, color=style.colour(row["model"]), lw=1.2)
        ax.plot(scale * row[column], place, **style.look(row["model"], kind), clip_on=False, zorder=3)
        if np.isnan(row[column]) and column == "published_train_loss":
            ax.text(0.02, y, "not published", transform=ax.get_yaxis_transform(), va="center", color="0.5", fontsize=8)


def accuracy_cost(table: pd.DataFrame) -> Figure:
    """Draw accuracy against the cost of the network that reached it (log axis): a panel per data set.

    What is published was reached at full size; what was measured, at the sizes of these runs.

    Args:
        table: dataset, model; complete_gmacs and measured_gmacs, of a network at full size and of these runs (10⁹
            multiply-accumulates a clip, NaN for unknown); published_train_accuracy, published_val_accuracy and
            measured_test_accuracy (0-1, NaN for none)
    """
    sets = {name: rows for name, rows in table.groupby("dataset", sort=False)}
    points = {
        "published_train": ("complete_gmacs", "published_train_accuracy"),
        "published_val": ("complete_gmacs", "published_val_accuracy"),
        "test": ("measured_gmacs", "measured_test_accuracy"),
    }
    fig, (axes,) = style.page(4.0, 1, len(sets), sharey=True, sharex=True)
    for ax, (name, rows) in zip(axes, sets.items(), strict=True):
        for row in rows.to_dict("records"):
            published = [100 * row[points[kind][1]] for kind in ("published_train", "published_val")]
            ax.plot([row["complete_gmacs"]] * 2, published, color=style.colour(row["model"]), lw=1, alpha=0.5)
            for kind, (cost, accuracy) in points.items():
                ax.plot(row[cost], 100 * row[accuracy], **style.look(row["model"], kind), zorder=3)
        ax.set(title=style.dataset(name), xscale="log", ylim=(0, 103), xlabel="10⁹ multiply-\naccumulates a clip")
        ax.xaxis.set_major_formatter("{x:g}")
    axes[0].set_ylabel("accuracy, %")
    used = [kind for kind, columns in points.items() if table[list(columns)].notna().all(axis=1).any()]
    style.legend(fig, style.kinds(used), style.networks(dict.fromkeys(table.model)))
    return fig


def intervals(rows: pd.DataFrame, figure: str = "top1", title: str = "") -> Figure:
    """Draw a dot with its 95 % interval for each of `rows` of `tables.components`, a panel per data set.

    Rows without the figure are left out: the one that differences are to has none.

    Args:
        rows: dataset; label, as `tables.labels` has it or in words; `figure` and its …_low and …_high (0-1)
        figure: top1, or difference, which gets a line at 0
        title: of the figure
    """
    rows = rows.dropna(subset=figure)
    sets = {name: part.reset_index(drop=True) for name, part in rows.groupby("dataset", sort=False)}
    sizes = [len(part) for part in sets.values()]
    lines = max((style.broken(label).count("\n") + 1 for label in _short(rows.label)), default=1)
    heights = [(0.15 + 0.15 * lines) * n + 0.35 for n in sizes]
    ratios = {"height_ratios": sizes} if sizes else {}
    fig, axes = style.page(0.6 + sum(heights) + 0.3 * bool(title), max(len(sets), 1), 1, sharex=True, **ratios)
    for ax, (name, part) in zip(axes.flat, sets.items(), strict=False):
        places, values = np.arange(len(part)), 100 * part[[figure, f"{figure}_low", f"{figure}_high"]]
        colours = [style.colour(label) for label in part.get("model", part.label)]
        if figure == "difference":
            ax.axvline(0, color=style.GREY, lw=1, ls="--")
        ax.hlines(places, values[f"{figure}_low"], values[f"{figure}_high"], color=colours, lw=2)
        ax.scatter(values[figure], places, color=colours, s=36, zorder=3)
        style.rows(ax, _short(part.label))
        ax.set_title(style.dataset(name), loc="left")
    titles = {"top1": "test accuracy, %", "difference": "change in test accuracy, percentage points"}
    axes[-1, 0].set_xlabel(f"{titles[figure]} (line: 95 % interval)")
    fig.suptitle(title)
    return fig


def _short(labels: pd.Series) -> list[str]:
    """Networks in words, of a variant of the described one only what was changed."""
    return [names.variant(label) if label.startswith("wtmr ") else style.network(label) for label in labels]


def printed_accuracies(table: pd.DataFrame) -> Figure:
    """Draw what a paper prints as accuracy beside its logs' validation accuracy: a panel per data set.

    Args:
        table: dataset, model, printed, log_val, and val_low and val_high, the interval of log_val; all 0-1
    """
    sets = {name: rows.reset_index(drop=True) for name, rows in table.groupby("dataset", sort=False)}
    sizes = [len(rows) for rows in sets.values()]
    fig, axes = style.page(0.9 + sum(0.32 * n + 0.35 for n in sizes), len(sets), 1, sharex=True, height_ratios=sizes)
    for ax, (name, rows) in zip(axes.flat, sets.items(), strict=True):
        for y, row in enumerate(rows.to_dict("records")):
            ax.hlines(y, 100 * row["log_val"], 100 * row["printed"], color="0.85", lw=2, zorder=1)
            ax.hlines(y, 100 * row["val_low"], 100 * row["val_high"], color=style.colour(row["model"]), lw=1.5)
            ax.plot(100 * row["log_val"], y, **style.look(row["model"], "published_val") | {"mfc": "white"})
            # larger, so that it shows around a square in the same place
            ax.plot(100 * row["printed"], y, **style.look(row["model"], "published_train") | {"ms": 10})
        style.rows(ax, [style.network(model) for model in rows.model])
        ax.set_title(style.dataset(name), loc="left")
        ax.set_xlim(0, 102)
    axes[-1, 0].set_xlabel("accuracy, %")
    dark = {"mec": style.DARK}
    handles = [
        Line2D([], [], **style.look("", "published_train") | dark | {"ms": 10}, label="printed in the table"),
        Line2D(
            [], [], **style.look("", "published_val") | dark, label="validation, end of the log (line: 95 % interval)"
        ),
    ]
    style.legend(fig, *([handle] for handle in handles))
    return fig
