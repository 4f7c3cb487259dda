"""Tables as a reader wants them: headings in words, per cent, two or three digits, a dash where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

#: columns of `tables.components` and how they are shown: heading, factor, digits
COLUMNS = {
    "label": ("network", None, 0),
    "runs": ("runs", 1, 0),
    "clips": ("clips", 1, 0),
    "top1": ("right, %", 100, 1),
    "top1_low": ("from", 100, 1),
    "top1_high": ("to", 100, 1),
    "macro_f1": ("macro F1, %", 100, 1),
    "difference": ("to the described network, points", 100, 1),
    "difference_low": ("from, points", 100, 1),
    "difference_high": ("to, points", 100, 1),
    "p": ("p", 1, 3),
    "params_m": ("parameters, millions", 1, 2),
    "gmacs": ("GMACs a view", 1, 2),
    "seconds": ("training, s", 1, 0),
}


def readable(table: pd.DataFrame, caption: str, names: Mapping[str, str] | None = None) -> HTML:
    """A table of `tables.components` as HTML.

    Args:
        table: some of its rows and columns
        caption: what it shows
        names: labels -> networks in words; the others keep their label

    >>> readable(components, "Five folds", {"wtmr": "described"})
    """
    shown = pd.DataFrame(index=range(len(table)))
    digits = {}
    for column in table:
        if column not in COLUMNS:
            continue
        heading, factor, decimals = COLUMNS[column]
        if factor is None:
            shown[heading] = [(names or {}).get(label, label) for label in table[column]]
        else:
            shown[heading] = table[column].to_numpy(float) * factor
            digits[heading] = f"{{:.{decimals}f}}"
    return html(shown.style.format(digits, na_rep="–").hide(axis="index"), caption)


def html(styled: Styler, caption: str) -> HTML:
    """A styled table with its caption, the same text each time it is made."""
    return HTML(styled.set_caption(caption).set_uuid("table").to_html())
