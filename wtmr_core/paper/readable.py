"""Tables as a reader wants them: headings in words, units, per cent, few digits, a dash where there is nothing.

A table shows as HTML in a notebook and as text in a terminal, and gives itself as LaTeX.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import pandas as pd

from wtmr_core.paper import names

DASH = "–"
#: unit -> factor, digits, with a sign
UNITS = {"%": (100, 1, False), "points": (100, 1, True)}


@dataclass(frozen=True)
class Column:
    """How a column is shown. What is too small for the digits is shown as, for example, <0.001.

    Attributes:
        heading: in words; the unit is added to it
        unit: "%" and "points" show shares (0-1) times 100, points with their sign; any other changes no value
        digits: after the decimal point; None: that of the unit, or three significant ones
        words: makes a name of each value
        group: the heading above this one and its neighbours of the same group
    """

    heading: str
    unit: str = ""
    digits: int | None = None
    words: Callable[[Any], str] | None = None
    group: str = ""

    def value(self, value: Any) -> str:
        """One value as it is shown, without its unit; a dash for None, NaN and empty text."""
        if (pd.api.types.is_scalar(value) and pd.isna(value)) or value == "":
            return DASH
        if self.words is not None:
            return self.words(value)
        if pd.api.types.is_bool(value):
            return "yes" if value else "no"
        if not pd.api.types.is_number(value):
            return str(value)
        factor, digits, signed = UNITS.get(self.unit, (1, None, False))
        digits = digits if self.digits is None else self.digits
        if digits is None:  # three significant ones, but all before the point
            kind = "d" if not pd.api.types.is_float(value) else ".3g" if abs(value) < 999.5 else ".0f"
        else:
            kind = f".{digits}f"
        shown = round(value * factor, 9) if factor != 1 else value  # 0.6345 is 63.45, not 63.449999999999996
        if digits and not signed and 0 < shown < 0.5 * 10**-digits:
            return f"<{10**-digits:.{digits}f}"
        return f"{shown:{'+' if signed else ''}{kind}}".replace("-", "−")

    def interval(self, value: float, low: float, high: float) -> str:
        """A value with its interval, such as 72.8 (68.2–77.1); alone where that is not known or is the value itself."""
        if pd.isna(value) or pd.isna(low) or pd.isna(high) or low == value == high:
            return self.value(value)
        return f"{self.value(value)} ({self.range(low, high)})"

    def range(self, low: float, high: float) -> str:
        """A range, such as 68.2–77.1 or −2.3 to +4.8; a dash where an end is not known."""
        if pd.isna(low) or pd.isna(high):
            return DASH
        between = " to " if UNITS.get(self.unit, (1, None, False))[2] else "–"
        return f"{self.value(low)}{between}{self.value(high)}"


#: columns of `tables` that mean the same wherever they stand
COLUMNS = {
    "dataset": Column("data set", words=names.dataset),
    "model": Column("network", words=names.network),
    "label": Column("network", words=names.network),
    "unit": Column("resampled by"),
    "top1": Column("right", "%"),
    "top5": Column("among the first five", "%"),
    "mean_class_accuracy": Column("mean over classes", "%"),
    "macro_f1": Column("macro F1", "%"),
    "calibration_error": Column("calibration error", "%"),
    "difference": Column("difference", "points"),
    "p": Column("p", digits=3),
    "params_m": Column("parameters", "10⁶", 2),
    "gmacs": Column("GMACs a view", digits=3),
    "seconds": Column("training", "s", 0),
    "minutes": Column("training", "min", 1),
    "train_loss": Column("training loss", digits=2),
    "train_accuracy": Column("training", "%"),
    "val_accuracy": Column("validation", "%"),
    "test_accuracy": Column("test", "%"),
}


@dataclass(frozen=True, eq=False)
class Table:
    """A table of text with its caption: HTML in a notebook, plain text in a terminal, LaTeX for a paper.

    Attributes:
        cells: all of them text; columns are headings, or pairs of a heading and the one above it
        caption: what it shows
        numbers: for each column, whether it holds numbers, which stand to the right
    """

    cells: pd.DataFrame
    caption: str
    numbers: tuple[bool, ...]

    def _repr_html_(self) -> str:
        right = [f".col{i}" for i, number in enumerate(self.numbers) if number]
        styles: list[dict[str, Any]] = [
            {"selector": "", "props": "margin: 0 0 1em 0;"},
            {"selector": "caption", "props": "caption-side: top; text-align: left; min-width: 18em;"},
            {"selector": "td, th", "props": "text-align: left; vertical-align: top; padding: 0.2em 0.6em;"},
        ]
        for i, number in enumerate(self.numbers):
            if not number:  # short names stay on one line, longer ones take two
                longest = max(map(len, self.cells.iloc[:, i]), default=0)
                width = min(0.62 * longest, max(9, 0.36 * longest), 14)
                styles.append({"selector": f"td.col{i}", "props": f"min-width: {width:.1f}em;"})
        if right:
            styles.append({"selector": ", ".join(right), "props": "text-align: right;"})
            styles.append({"selector": ", ".join(f"td{column}" for column in right), "props": "white-space: nowrap;"})
        if self.cells.columns.nlevels > 1:
            styles.append({"selector": "thead th.level0", "props": "text-align: center;"})
        styler = self.cells.style.hide(axis="index").format(escape="html").format_index(escape="html", axis="columns")
        styler = styler.set_table_styles(styles).set_caption(escape(self.caption)).set_uuid(_identity(self.caption))
        styler.cell_ids = False
        return f'<div style="overflow-x: auto;">\n{styler.to_html()}</div>'

    def __repr__(self) -> str:
        shown = self.cells
        if shown.columns.nlevels > 1:
            shown = shown.set_axis([": ".join(filter(None, pair)) for pair in shown.columns], axis="columns")
        return f"{self.caption}\n{shown.to_string(index=False)}"

    def latex(self) -> str:
        """The table for a paper that uses the package booktabs."""
        styler = self.cells.style.hide(axis="index").format(escape="latex")
        styler = styler.format_index(escape="latex", axis="columns")
        layout = "".join("r" if number else "l" for number in self.numbers)
        caption = re.sub(r"([&%$#_{}])", r"\\\1", self.caption)
        return _typeset(styler.to_latex(caption=caption, column_format=layout, hrules=True, multicol_align="c"))


def table(
    frame: pd.DataFrame,
    caption: str,
    columns: Iterable[str] | Mapping[str, str | Column | None] | None = None,
) -> Table:
    """Make a table that can be read of any data frame.

    A column whose frame has its …_low and …_high shows them as an interval; where the frame has these alone, they are
    the range. A data set that is repeated from row to row is named once.

    Args:
        frame: its rows are shown in their order, its index is not
        caption: what it shows; two tables on one page have two captions
        columns: which columns, in what order, and how: by name alone as in `COLUMNS`, or each with a heading or a
            `Column`. None: all of them, intervals with their value

    Raises:
        ValueError: where `frame` has no such column.

    >>> table(parts, "What each part is worth", {"label": None, "top1": "test", "seconds": Column("time", "s", 0)})
    """
    if columns is None:
        ends = {f"{name}{end}" for name in frame for end in ("_low", "_high")}
        columns = [name for name in frame if name not in ends]
    given = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    if lost := [name for name in given if name not in frame and f"{name}_low" not in frame]:
        raise ValueError(f"the table {caption!r} has no column {lost[0]!r}; there are {', '.join(map(str, frame))}")
    cells, numbers, headings = [], [], []
    for name, look in given.items():
        column = look if isinstance(look, Column) else COLUMNS.get(name, Column(str(name).replace("_", " ")))
        if isinstance(look, str):
            column = replace(column, heading=look)
        cells.append(_column(frame, name, column))
        values = frame[name if name in frame else f"{name}_low"]
        numbers.append(column.words is None and pd.api.types.is_numeric_dtype(values))
        unit = f", {column.unit}" if column.unit else ""
        headings.append((column.group, f"{column.heading}{unit}"))
    grouped = any(group for group, _ in headings)
    shown = pd.DataFrame(dict(enumerate(cells)))
    shown.columns = pd.MultiIndex.from_tuples(headings) if grouped else [heading for _, heading in headings]
    return Table(shown, caption, tuple(numbers))


def _column(frame: pd.DataFrame, name: str, column: Column) -> list[str]:
    """The cells of one column."""
    low, high = f"{name}_low", f"{name}_high"
    if name not in frame:
        return [column.range(*ends) for ends in zip(frame[low], frame[high], strict=True)]
    if low in frame and high in frame:
        return [column.interval(*values) for values in zip(frame[name], frame[low], frame[high], strict=True)]
    if name == "dataset":
        repeated = frame[name].eq(frame[name].shift())
        return ["" if again else column.value(value) for value, again in zip(frame[name], repeated, strict=True)]
    return [column.value(value) for value in frame[name]]


def _typeset(latex: str) -> str:
    """The characters that not every LaTeX has, by its own commands."""
    for character, command in {"−": "$-$", "⁶": "$^6$", "⁹": "$^9$", "×": r"$\times$", DASH: "--"}.items():
        latex = latex.replace(character, command)
    return latex


def percent(share: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A share (0-1) for a sentence, with its interval where that is known; a dash where it is not known itself.

    >>> percent(0.728, 0.682, 0.771)
    '72.8 % (68.2–77.1)'
    """
    return _with_unit(Column("", "%"), share, low, high)


def points(difference: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A difference of shares for a sentence; what is not known as with `percent`.

    >>> points(0.012, -0.023, 0.048)
    '+1.2 points (−2.3 to +4.8)'
    """
    return _with_unit(Column("", "points"), difference, low, high)


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them.

    >>> listed(["HMDB51", "NTU RGB+D", "SVideoQA"])
    'HMDB51, NTU RGB+D and SVideoQA'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _with_unit(column: Column, value: float, low: float, high: float) -> str:
    number, _, interval = column.interval(value, low, high).partition(" ")
    return number if number == DASH else f"{number} {column.unit} {interval}".strip()


def _identity(caption: str) -> str:
    return f"{zlib.crc32(caption.encode()):08x}"
