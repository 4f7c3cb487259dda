"""What a table of differences allows to be said, in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from wtmr_core.paper import names
from wtmr_core.paper.readable import listed, points

LEVEL = 0.05


def standing(rows: pd.DataFrame, words: Callable[[str], str] = names.network) -> str:
    """Say which networks are clearly above or below the one they are compared with, and which are not.

    A difference is clear where its interval leaves out zero and its p is at most `LEVEL`. Rows without a difference say
    nothing.

    Args:
        rows: of `tables.components`, all on one data set
        words: label -> what the network is called

    >>> standing(rows[rows.dataset == "ntu60"])
    'clearly below it: WTMR-Net (−23.6 points), WMRC-Net (−19.2 points) and TimeSformer (−26.1 points)'
    """
    compared = rows.dropna(subset="difference")
    unlikely = compared.p <= LEVEL
    below, above = unlikely & (compared.difference_high < 0), unlikely & (compared.difference_low > 0)
    parts = {"clearly above it": above, "clearly below it": below, "no clear difference": ~(above | below)}
    said = []
    for verdict, which in parts.items():
        if which.any():
            networks = (f"{words(row.label)} ({points(row.difference)})" for row in compared[which].itertuples())
            said.append(f"{verdict}: {listed(networks)}")
    return "; ".join(said) or "there is nothing to compare it with"


def by_dataset(rows: pd.DataFrame, words: Callable[[str], str] = names.network) -> str:
    """`standing` on each data set, as a list in Markdown."""
    parts = rows.groupby("dataset", sort=False)
    return "\n".join(f"* {names.dataset(dataset)}: {standing(part, words)}." for dataset, part in parts)
