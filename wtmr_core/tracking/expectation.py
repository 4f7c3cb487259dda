"""What a figure of a day is expected to be, with more doubt the fewer the days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from wtmr_core import literals
from wtmr_core.tracking.day_table import KNOWLEDGE


@cache
def knowledge() -> dict[str, Any]:
    """The content of `habits.yaml`."""
    return literals.read(KNOWLEDGE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Expected:
    """What a figure is expected to be: Student's t in the figure's own scale.

    Attributes:
        middle, spread: of the distribution, in the scale
        freedom: its degrees of freedom
        days: days that it is learnt from, those of long ago counting less
        scale: plain, log (of 1 + x) or root
    """

    middle: float
    spread: float
    freedom: float
    days: float
    scale: str = "plain"

    @property
    def usual(self) -> float:
        """The middle as the figure itself."""
        return unscaled(self.middle, self.scale)

    def over(self, value: float) -> float:
        """The probability of a value as large as this, or larger."""
        return float(stats.t.sf((scaled(value, self.scale) - self.middle) / self.spread, self.freedom))

    def interval(self, share: float = 0.9) -> tuple[float, float]:
        """Bounds between which `share` of days are expected to lie."""
        reach = stats.t.ppf((1 + share) / 2, self.freedom) * self.spread
        return unscaled(self.middle - reach, self.scale), unscaled(self.middle + reach, self.scale)


def scaled(value: Any, scale: str) -> Any:
    """A figure, or several, in the scale in which it is compared."""
    return np.log1p(value) if scale == "log" else np.sqrt(value) if scale == "root" else value


def unscaled(value: float, scale: str) -> float:
    """What `scaled` makes that value; 0 for what no figure is."""
    return math.expm1(max(value, 0)) if scale == "log" else max(value, 0) ** 2 if scale == "root" else value


def middle(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median."""
    order = np.argsort(values, kind="stable")
    values, total = values[order], np.cumsum(weights[order])
    k = int(np.searchsorted(total, total[-1] / 2))
    return float((values[k] + values[min(k + 1, len(values) - 1)]) / 2 if total[k] == total[-1] / 2 else values[k])
