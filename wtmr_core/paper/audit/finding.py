"""A finding of the audit: a published claim, an experiment on it, its result, and a verdict from a fixed set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

REPRODUCED = "reproduced"
AS_PUBLISHED = "reproduced only when counted as published"
NOT_REPRODUCED = "not reproduced"
#: sets and networks as the paper calls them
SETS = {"hmdb51": "HMDB51", "ntu60": "NTU", "svideoqa": "SVideoQA"}
NAMES = {"released-wtmr": "WTMR-Net", "released-wmrc": "WMRC-Net", "released-timesformer": "TimeSformer"}


def undecided(without: str) -> str:
    """The verdict that something is missing: "cannot be decided without …"."""
    return f"cannot be decided without {without}"


class AuditError(ValueError):
    """A finding cannot be examined; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Finding:
    """One finding of the audit.

    Attributes:
        number: 1 to 15
        title: in a few words
        claim: the published figure or statement, and where it stands
        question: what the experiment answers
        ran: the experiment, what it ran on, here and now or kept
        result: what came out, with its uncertainty
        verdict: on the claim: `REPRODUCED`, `AS_PUBLISHED`, `NOT_REPRODUCED` or `undecided(…)`
        believe: what to take instead
        table: the figures behind the result
        details: lines of a table in Markdown for the page, where the result has more figures than a sentence holds
    """

    number: int
    title: str
    claim: str
    question: str
    ran: str
    result: str
    verdict: str
    believe: str
    table: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)
    details: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in (REPRODUCED, AS_PUBLISHED, NOT_REPRODUCED) and not self.verdict.startswith(
            undecided("")
        ):
            raise AuditError(f"{self.verdict!r} is no verdict of the audit")


def share(right: float, clips: int, level: float = 0.95) -> tuple[float, float, float]:
    """An accuracy (0-1) and its Wilson interval, of `right` clips among `clips`.

    Raises `AuditError` where there are no clips. Source: Wilson 1927, JASA 22.

    >>> [round(x, 3) for x in share(8, 10)]
    [0.8, 0.49, 0.943]
    """
    if clips <= 0:
        raise AuditError(f"{clips} clips have no accuracy: give those of one clip or more")
    p, z = right / clips, stats.norm.ppf((1 + level) / 2)
    centre, margin = p + z * z / (2 * clips), z * np.sqrt(p * (1 - p) / clips + z * z / (4 * clips * clips))
    return p, float((centre - margin) / (1 + z * z / clips)), float((centre + margin) / (1 + z * z / clips))


def mean(values: pd.Series | np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """The mean of a few values, such as one a seed, and the interval of Student's t; needs two values or more.

    >>> [round(x, 2) for x in mean(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.48, 4.48]
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        raise AuditError(f"{len(values)} value says nothing about others: train two seeds or more")
    margin = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - margin), float(values.mean() + margin)


def percent(value: float) -> str:
    """0.4557 -> "45.6 %"."""
    return f"{100 * value:.1f} %"


def points(triple: tuple[float, float, float]) -> str:
    """A difference of accuracies with its interval, in percentage points: "+3.2 (−1.0 to +7.4) points"."""
    return "{} ({} to {}) points".format(*(f"{100 * x:+.1f}".replace("-", "−") for x in triple))


def only(table: pd.DataFrame, what: str, **where: object) -> pd.Series:
    """The one row of a published table for which the columns in `where` have these values.

    Raises `AuditError`, naming figure and table, where there is none or more than one.
    """
    rows = table
    for column, value in where.items():
        if column not in table:
            raise AuditError(f"{what} has no column {column}: it is not the published table")
        rows = rows[rows[column] == value]
    if len(rows) != 1:
        said = ", ".join(f"{column} {value}" for column, value in where.items())
        raise AuditError(f"{what} has {len(rows)} rows of {said}, where one belongs: see that the file is whole")
    return rows.iloc[0]
