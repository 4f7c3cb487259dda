"""The course of a training."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wtmr_core.paper.figures import style


def learning_curves(
    history: pd.DataFrame,
    published: pd.DataFrame | None,
    title: str,
    chance: float,
    model: str = "",
    classes: tuple[int, int] | None = None,
) -> Figure:
    """Draw loss and accuracy of a run by epoch, and beside them the published ones if there are any.

    Losses have axes of their own, since that of 8 classes is not to be compared with that of 51.

    Args:
        history: epoch, train_loss, train_accuracy, val_loss, val_accuracy; accuracies 0-1, NaN where nothing validated
        published: the same columns; None or no rows for none
        title: of the figure
        chance: the accuracy of one answer for all clips of the run, 0-1
        model: the network, whose colour the lines have
        classes: of the run and of the published one, for their headings
    """
    compared = published is not None and len(published) > 0
    parts = {"train": ("training", "--"), "val": ("validation", "-")}
    fig, axes = style.page(4.6, 2, 2, sharex="col") if compared else style.page(2.8, 1, 2)
    if compared:
        columns = [("this run", history, axes[:, 0]), ("published", published, axes[:, 1])]
    else:
        columns = [("", history, axes[0])]
    for column, (heading, curves, (loss, accuracy)) in enumerate(columns):
        for part, (words, line) in parts.items():
            drawn = {"color": style.colour(model), "ls": line, "label": words}
            loss.plot(curves.epoch, curves[f"{part}_loss"], **drawn)
            accuracy.plot(curves.epoch, 100 * curves[f"{part}_accuracy"], **drawn)
        if compared:
            loss.set_title(f"{heading}, {classes[column]} classes" if classes else heading)
        loss.set(xlabel="" if compared else "epoch", ylabel="loss")
        loss.set_ylim(bottom=0)
        accuracy.set(xlabel="epoch", ylabel="accuracy, %", ylim=(0, 100))
    columns[0][2][1].axhline(100 * chance, color=style.GREY, lw=1, ls=":")
    known = {part: any(curves[f"{part}_loss"].notna().any() for _, curves, _ in columns) for part in parts}
    handles = [
        Line2D([], [], color=style.colour(model), ls=line, label=words)
        for part, (words, line) in parts.items()
        if known[part]
    ]
    handles.append(Line2D([], [], color=style.GREY, lw=1, ls=":", label="always the most frequent class, this run"))
    style.legend(fig, *([handle] for handle in handles))
    fig.suptitle(title)
    return fig
