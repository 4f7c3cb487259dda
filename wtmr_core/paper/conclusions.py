"""What a table of differences allows to be said, in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from wtmr_core.paper import names
from wtmr_core.paper.readable import listed, percent, points

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
    below, above = _clear(compared)
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


def by_chance(rows: pd.DataFrame) -> str:
    """Say how many differences are clear (see `standing`), and how many would be where there is none.

    Args:
        rows: of `tables.components`; those without a difference do not count
    """
    compared = rows.dropna(subset="difference")
    clear = int(sum(side.sum() for side in _clear(compared)))
    chance = len(compared) * LEVEL
    return (
        f"Of {len(compared)} differences {clear} {'is' if clear == 1 else 'are'} clear; by chance alone about one in "
        f"twenty is, here {f'{chance:.1g}' if chance < 1 else f'{chance:.0f}'}."
    )


def against(rows: pd.DataFrame, words: Callable[[str], str] = names.network) -> str:
    """Say what the network compared with gets right, and how the others stand to it.

    Args:
        rows: of `tables.components`, all on one data set; the row without a difference is the one compared with
        words: label -> what the network is called

    Raises:
        ValueError: where not exactly one row has no difference.
    """
    bases = rows[rows.difference.isna()]
    if len(bases) != 1:
        raise ValueError(f"{len(bases)} rows have no difference: give one, that of the network compared with")
    (base,) = bases.itertuples()
    right = percent(base.top1, base.top1_low, base.top1_high)
    return f"**{words(base.label)}**, {right} right; {standing(rows, words)}"


def _clear(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Which rows are clearly below what they are compared with, and which clearly above."""
    unlikely = rows.p <= LEVEL
    return unlikely & (rows.difference_high < 0), unlikely & (rows.difference_low > 0)
