"""A routine and its departures as pictures: a clock, a calendar, a day against what is usual.

They are drawn in `matplotlib.rc_context(STYLE)`, which takes as long as a picture and so is entered once for all.
"""

from __future__ import annotations

import datetime as dt
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from wtmr_core.tracking.departures import hhmm
from wtmr_core.tracking.learning import Habits
from wtmr_core.tracking.spans import HOUR, midnight

if TYPE_CHECKING:
    from wtmr_core.tracking.habits import Course

# from Okabe and Ito, "Color universal design" (2008), distinct for the colour-blind too; red is for departures alone
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
HATCHES = ("", "///", "...", "xxx")
STYLE = {"text.parse_math": False, "font.family": "DejaVu Sans", "hatch.linewidth": 0.5}  # names are no formulas
ALARM, KNOWN, ORDINARY, PART = "#D55E00", "#DDDDDD", "#CFE8F5", "#FFFFFF"
WIDTH = 7.2  # inches of a page
MOST = 12  # activities that have a colour of their own
OTHERS = "all others"


def looks(habits: Habits) -> dict[str, tuple[str, str]]:
    """Activity -> colour and hatch, the longest first; the rest as `OTHERS`."""
    sums = {name: minutes.sum() for name, minutes in habits.clock().items()}
    order = sorted(sums, key=lambda name: (-sums[name], name))
    named = order if len(order) <= MOST else order[: MOST - 1]
    found = {n: (COLOURS[k % len(COLOURS)], HATCHES[k // len(COLOURS)]) for k, n in enumerate(named)}
    return found | ({OTHERS: ("#999999", "")} if len(order) > len(named) else {})


def clock(habits: Habits, person: str = "") -> Figure:
    """Draw what a day is made of, hour by hour, on the face of a clock of 24 hours; radii are minutes."""
    minutes, shown = habits.clock(), looks(habits)
    figure = Figure(figsize=(WIDTH, 5))
    axes = figure.add_axes((0.08, 0.08, 0.58, 0.77), projection="polar")
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    base = np.zeros(24)
    angles = (np.arange(24) + 0.5) / 24 * 2 * np.pi
    for name, (colour, hatch) in shown.items():
        one = minutes[name] if name in minutes else sum(m for n, m in minutes.items() if n not in shown)
        axes.bar(angles, one, 2 * np.pi / 24, base, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3)
        base = base + one
    axes.set_xticks(np.arange(0, 24, 3) / 24 * 2 * np.pi, [f"{h:02}:00" for h in range(0, 24, 3)])
    axes.set_rmax(max(60.0, float(base.max())))
    axes.set_rticks([30, 60], ["30", "60 min"], fontsize=8)
    axes.set_rlabel_position(352)
    axes.grid(visible=True, color="#B0B0B0", linewidth=0.8)
    handles = [Patch(facecolor=c, hatch=h, edgecolor="white", label=_short(n, 20)) for n, (c, h) in shown.items()]
    figure.legend(handles=handles, loc="center left", bbox_to_anchor=(0.72, 0.47), frameon=False, fontsize=9)
    days = sum(1 for d in habits.days if d.hours)
    who = f" of {person}" if person else ""
    figure.suptitle(f"The day{who}: mean minutes of each hour, of {days} days", x=0.02, ha="left", fontsize=11)
    if not shown:
        axes.text(0, 0, "nothing is learnt", ha="center")
    return figure


def calendar(course: Course, person: str = "") -> Figure:
    """Draw the days as a calendar, a week a line, and mark those with departures, with their kinds."""
    days = sorted({*course.days, *course.learnt, *(d.day for found in course.departures.values() for d in found)})
    marked: dict[dt.date, list[str]] = {}
    for found in course.departures.values():
        for one in found:
            marked.setdefault(one.day, []).append(one.kind)
    first = days[0] - dt.timedelta(days=days[0].weekday()) if days else dt.date(1970, 1, 5)
    weeks = (days[-1] - first).days // 7 + 1 if days else 1
    height = 0.95 + 0.52 * weeks
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.125, 0.1 / height, 0.865, 1 - 0.95 / height))
    for date in days:
        line, column = divmod((date - first).days, 7)
        learnt, judged, kinds = date in course.learnt, date in course.judged, marked.get(date)
        colour = ALARM if kinds else KNOWN if learnt else ORDINARY if judged else PART
        axes.add_patch(Rectangle((column, line), 0.94, 0.92, facecolor=colour, edgecolor="#888888", linewidth=0.6))
        axes.text(column + 0.04, line + 0.3, str(date.day), fontsize=8, color="white" if kinds else "black")
        if kinds:
            lines = [part for kind in sorted(set(kinds)) for part in textwrap.wrap(kind, 12)]
            text = "\n".join(lines if len(lines) <= 3 else [*lines[:2], "…"])
            axes.text(column + 0.91, line + 0.46, text, fontsize=7, ha="right", va="center", color="white")
    axes.set(xlim=(0, 7), ylim=(weeks, 0))
    axes.set_xticks(np.arange(7) + 0.47, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    axes.xaxis.tick_top()
    axes.set_yticks(np.arange(weeks) + 0.46, [f"{first + dt.timedelta(days=7 * k):%d %b %Y}" for k in range(weeks)])
    axes.tick_params(length=0, labelsize=8)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    labels = {"departure": ALARM, "ordinary": ORDINARY, "learnt": KNOWN, "not judged": PART}
    handles = [Patch(facecolor=c, edgecolor="#888888", label=n) for n, c in labels.items()]
    above = {"bbox_to_anchor": (1, 1 - 0.3 / height), "fontsize": 9, "borderaxespad": 0.2}
    figure.legend(handles=handles, loc="upper right", ncols=4, frameon=False, **above)
    figure.text(0.02, 1 - 0.25 / height, f"Days{f' of {person}' if person else ''}, by week", fontsize=11)
    return figure


def day(course: Course, habits: Habits, date: dt.date, person: str = "") -> Figure:
    """Draw a day, a lane for each activity, over how often that is done at each hour, with its departures."""
    base, begins = midnight(date), habits.rhythm.begins
    found = course.departures.get(date, [])
    begin = base + begins * HOUR
    end = max([begin + 24 * HOUR, *(min(d.span[1], begin + 36 * HOUR) for d in found)])
    rows, usual, shown = course.rows.within(begin, end), habits.often(), looks(habits)
    new = sorted({str(name) for name in rows.activity} - set(usual))
    names = [*(n for n in shown if n != OTHERS), *new[:4]] + ([OTHERS] if OTHERS in shown or new[4:] else [])
    lanes = {name: k for k, name in enumerate(names)}
    said = [f"{d.kind}: expected {d.expected}; observed {d.observed} (score {d.score:.1f})" for d in found]
    lines = [line for text in said for line in textwrap.wrap(text, 88)]
    top, height = 0.85 + 0.2 * len(lines), 0.3 * max(len(names), 1)
    whole = top + height + 0.55
    figure = Figure(figsize=(WIDTH, whole))
    words = [_short(name, 28) for name in names]
    left = (0.25 + 0.075 * max(map(len, words), default=0)) / WIDTH
    axes = figure.add_axes((left, 0.5 / whole, 0.965 - left, height / whole))
    hours = np.arange(int(begins), int(-(-(end - base) // HOUR)))
    table = np.zeros((len(names), len(hours)))
    for name, share in usual.items():
        lane = lanes.get(name, lanes.get(OTHERS, -1))
        table[lane] = np.maximum(table[lane], share[hours % 24])
    axes.imshow(table, cmap="Greys", vmin=0, vmax=1.6, aspect="auto",
                extent=(hours[0], hours[-1] + 1, len(names) - 0.5, -0.5))  # fmt: skip
    for lane, name in enumerate(names):
        of_lane = [n == name or (name == OTHERS and n not in lanes) for n in rows.activity]
        spans = [((s - base) / HOUR, max((e - s) / HOUR, 0.03))
                 for s, e in zip(rows.start[of_lane], rows.end[of_lane], strict=True)]  # fmt: skip
        axes.broken_barh(spans, (lane - 0.3, 0.6), facecolor="#0072B2")
    for one in found:
        left, right = ((t - base) / HOUR for t in one.span)
        left, right = max(left, hours[0]), max(min(right, hours[-1] + 1), left + 0.1)
        own = [lanes[n] for n in one.activity.split("; ") if n in lanes] or list(lanes.values())
        for lane in own:
            line = 1 if len(own) < len(lanes) else 0
            look = {"facecolor": "none", "edgecolor": ALARM, "hatch": "//", "linewidth": line}
            axes.add_patch(Rectangle((left, lane - 0.5), right - left, 1, **look))
        axes.vlines((left, right), -0.5, len(names) - 0.5, color=ALARM, linewidth=1.5)
    axes.set(xlim=(begins, (end - base) / HOUR), ylim=(len(names) - 0.5, -0.5), xlabel="time of day")
    ticks = np.arange(np.ceil(begins / 3) * 3, (end - base) / HOUR + 0.01, 3)
    axes.set_xticks(ticks, [hhmm(t) for t in ticks])
    axes.set_yticks(range(len(names)), words, fontsize=8)
    axes.grid(visible=False)
    axes.spines[["top", "right"]].set_visible(False)
    handles = [Patch(facecolor="#0072B2", label="this day"), Patch(facecolor="#999999", label="often at this hour"),
               Patch(facecolor="none", edgecolor=ALARM, hatch="//", label="departure")]  # fmt: skip
    above = {"bbox_to_anchor": (1, 1 - (top - 0.3) / whole), "fontsize": 9, "borderaxespad": 0.2}
    figure.legend(handles=handles, loc="upper right", ncols=3, frameon=False, **above)
    who = f", {person}" if person else ""
    figure.text(0.02, 1 - 0.27 / whole, f"{date:%A} {date}{who}", fontsize=11, weight="bold")
    for k, line in enumerate(lines):
        figure.text(0.02, 1 - (0.52 + 0.2 * k) / whole, line, fontsize=9)
    return figure


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
