"""A figure in words and rounded numbers: short, and the same wherever the same data is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PathCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FixedLocator

LISTED = 12  # of more values than these, and more artists of one kind, a summary is given


def describe(fig: Figure) -> str:
    """Describe what a figure draws, a line for each panel's words and for each line, bar group, image and matrix.

    Numbers are as exact as three digits of the largest of them; of more than 12 values, their count, least, largest and
    mean are given.
    """
    title = fig.get_suptitle()
    lines = [f"Figure: {title}" if title else "Figure"]
    lines += [f"  legend: {_legend(legend)}" for legend in fig.legends]
    for number, ax in enumerate(fig.axes, 1):
        lines += [f"  panel {number}{_words(ax)}", *(f"    {line}" for line in _drawn(ax))]
    return "\n".join(lines)


def _words(ax: Axes) -> str:
    titles = [text for side in ("left", "center", "right") if (text := ax.get_title(side))]
    axes = {"x": ax.xaxis, "y": ax.yaxis}
    words = {name: axis.label.get_text() for name, axis in axes.items() if axis.get_visible()}
    for name, axis in axes.items():
        if ax.axison and isinstance(axis.get_major_locator(), FixedLocator):
            ticks = [" ".join(tick.get_text().split()) for tick in axis.get_ticklabels()]
            words[name] = f"{words[name]} ({_few(ticks)})".strip()
    found = "; ".join(titles + [f"{name}: {text}" for name, text in words.items() if text and ax.axison])
    return f": {' '.join(found.split())}" if found else ""


def _few(words: list[str]) -> str:
    if len(words) <= LISTED:
        return ", ".join(words)
    return f"{', '.join(words[:3])} … {words[-1]}: {len(words)}"


def _legend(legend: Legend) -> str:
    return ", ".join(" ".join(text.get_text().split()) for text in legend.get_texts())


def _drawn(ax: Axes) -> Iterator[str]:
    if legend := ax.get_legend():
        yield f"legend: {_legend(legend)}"
    for bars in ax.containers:
        if isinstance(bars, BarContainer):
            yield f"bars{_label(bars)}: {_numbers(bars.datavalues)}"
    lines = ax.get_lines()
    if len(lines) > LISTED:
        x, y = np.concatenate([np.asarray(line.get_xydata(), float) for line in lines]).T
        yield f"{len(lines)} lines: x {_numbers(x)}; y {_numbers(y)}"
    else:
        for line in lines:
            x, y = line.get_data(orig=False)
            yield f"line{_label(line)}: x {_numbers(x)}; y {_numbers(y)}"
    for collection in ax.collections:
        yield from _collected(collection)
    for image in ax.images:
        values = np.asarray(image.get_array(), float)
        yield f"image {'×'.join(map(str, values.shape))}: {_numbers(values)}"
    if ax.texts:
        yield f"text: {_few([' '.join(text.get_text().split()) for text in ax.texts])}"


def _collected(collection: Collection) -> Iterator[str]:
    if isinstance(collection, QuadMesh):
        values = collection.get_array()
        yield f"matrix {'×'.join(map(str, values.shape))}: {_numbers(values)}"
    elif isinstance(collection, LineCollection):
        ends = np.array([segment[[0, -1]] for segment in collection.get_segments() if len(segment)])
        if len(ends):
            (x0, x1), (y0, y1) = ends[..., 0].T, ends[..., 1].T
            level = np.array_equal(y0, y1)
            along = f"y {_numbers(y0)}" + ("" if level else f" to {_numbers(y1)}")
            yield f"segments{_label(collection)}: x {_numbers(x0)} to {_numbers(x1)}; {along}"
    elif isinstance(collection, PathCollection) and len(places := collection.get_offsets()):
        x, y = np.ma.filled(places, np.nan).T
        yield f"points{_label(collection)}: x {_numbers(x)}; y {_numbers(y)}"


def _label(artist: object) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else f" “{' '.join(label.split())}”"


def _numbers(values: object) -> str:
    values = np.ma.filled(np.ma.asarray(values, float), np.nan).ravel()
    known = values[np.isfinite(values)]
    largest = np.abs(known).max(initial=0)
    digits = 2 - int(np.floor(np.log10(largest))) if largest else 0  # of the largest three: the others are as exact
    if len(values) <= LISTED:
        return " ".join(_number(value, digits) for value in values)
    if not len(known):
        return f"{len(values)} values, none known"
    least, mean, most = (_number(value, digits) for value in (known.min(), known.mean(), known.max()))
    return f"{len(values)} values, {least} to {most}, mean {mean}"


def _number(value: float, digits: int) -> str:
    return "–" if np.isnan(value) else f"{round(value, digits) + 0.0:.10g}"
