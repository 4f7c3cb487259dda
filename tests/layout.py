"""What in a figure covers what it should not, and what leaves its canvas."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def words(fig: Figure) -> Iterator[Text]:
    """The visible texts of a figure, without those of legends."""
    hidden = {id(text) for legend in legends(fig) for text in legend.findobj(Text)}
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not (ax.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9):
                    hidden |= {id(tick.label1), id(tick.label2)}
            if not ax.axison:
                hidden |= {id(axis.label), id(axis.offsetText)}
    for text in fig.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden:
            yield text


def legends(fig: Figure) -> list[Legend]:
    return fig.findobj(Legend)


def faults(fig: Figure) -> list[str]:
    """What covers what, and what leaves the canvas."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [(repr(text.get_text()), text.get_window_extent(renderer)) for text in words(fig)]
    boxes += [("a legend", legend.get_window_extent(renderer)) for legend in legends(fig)]
    found = [f"{one} covers {two}" for (one, a), (two, b) in combinations(boxes, 2) if cover(a, b)]
    width, height = canvas.get_width_height()
    for name, box in boxes:
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5:
            found.append(f"{name} leaves the canvas")
    for legend in legends(fig):
        box = legend.get_window_extent(renderer)
        found += [
            f"a legend covers panel {n}" for n, ax in enumerate(fig.axes, 1) if cover(box, ax.get_window_extent())
        ]
    return found


def cover(a: Bbox, b: Bbox) -> bool:
    """Whether two boxes share more than half a pixel each way."""
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5
