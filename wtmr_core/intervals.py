"""How sure a figure is: intervals from draws of whole groups, and two models compared on the same clips.

`groups` (b,) name what clips have in common (a film, a performer): only clips of different groups are independent.
`labels` and `logits` are those of `evaluation`; logits (s, b, k) are those of s training runs on the same clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wtmr_core.metrics import METRICS, TOP, measure, outcomes

EXACT = 12  # groups of which every flip of signs is tried, 4096 in all


@dataclass(frozen=True)
class Interval:
    """A figure and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The top-1 accuracy of one model less another's on the same clips, its interval, and what it rests on.

    `p` is two-sided; `clips` and `groups` are counts; `first_only` and `second_only` are the clips that one model
    has right and the other wrong (McNemar's counts), with several seeds the mean over the pairs of their runs.
    """

    difference: float
    low: float
    high: float
    p: float
    clips: int
    groups: int
    first_only: float
    second_only: float


def bootstrap(
    labels: ArrayLike,
    logits: ArrayLike,
    groups: ArrayLike,
    *,
    metric: str = "top1",
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """A figure of `metrics.scores` and its percentile interval, from draws of whole groups with replacement.

    `logits` are (b, k) or, of s training runs (seeds), (s, b, k): the value is then the mean over the runs, and
    every draw takes s of them with replacement too, so that the interval covers both. One run says nothing of
    other seeds, and few too little: of the variance between runs s − 1 parts in s. Of what differs from run to
    run in each group anew, it says too much.
    A draw's mean over classes is over those that have clips in it. Of calibration_error, which chance only makes
    larger, the draws lie above the value where that is small. top1 and top5 are quick; the others are counted
    anew for each draw and run. Raises `ValueError` as `scores`, for fewer than two groups, a metric that
    is none, `draws` below 1 or a `level` that is not between 0 and 1.
    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 5.3 (percentiles); groups
    and runs both drawn: Owen 2007, The Pigeonhole Bootstrap.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; give one of {', '.join(METRICS)}")
    runs = outcomes(labels, logits, seeds=True)
    group, sizes = _grouped(groups, len(runs[0].label))
    rng = np.random.default_rng(seed)
    weights, picks = _resample(rng, draws, len(sizes)), _resample(rng, draws, len(runs))
    if metric in TOP:
        resampled = _shares(_sums([run.rank < TOP[metric] for run in runs], group), sizes, weights, picks)
    else:
        values = [[measure(metric, run, counts[group]) for run in runs] for counts in weights]
        resampled = (np.array(values) * picks).sum(axis=1) / len(runs)
    return Interval(float(np.mean([measure(metric, run) for run in runs])), *_percentiles(resampled, level))


def compare(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Whether one model is better than another: the difference of their top-1 accuracies, first − second.

    `first` and `second` are logits as in `bootstrap`, of the same clips; their runs may differ in number. The
    interval is that of `bootstrap`: both models see the same drawn groups, and each has its own drawn runs.
    `p` is that of a permutation test, which flips the signs of the groups' differences (mean over runs): the share
    of flips that bring a sum as far from 0, of all flips where at most `EXACT` groups differ, else of `draws`
    random ones and the one observed. It takes the runs as they are, so it speaks of other clips, not of other
    seeds; with g groups that differ it cannot fall below 2 / 2^g. Of all flips, with a clip in each group and one
    run of each model, it is McNemar's exact test.
    Raises `ValueError` as `bootstrap`, and where the models differ in clips or classes.
    Source: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses; the one observed: Phipson and
    Smyth 2010, Permutation P-values Should Never Be Zero.
    """
    models = [outcomes(labels, first, "first", seeds=True), outcomes(labels, second, "second", seeds=True)]
    k, other = (runs[0].classes for runs in models)
    if k != other:
        raise ValueError(f"first has {k} classes and second {other}; compare models of the same classes")
    rights = [np.array([run.rank == 0 for run in runs]) for runs in models]  # (s, b) each
    group, sizes = _grouped(groups, rights[0].shape[1])
    first_sums, second_sums = (_sums(right, group) for right in rights)
    gaps = len(second_sums) * first_sums.sum(axis=0) - len(first_sums) * second_sums.sum(
        axis=0
    )  # whole numbers, so that a tie is exactly 0
    rng = np.random.default_rng(seed)
    weights, p = _resample(rng, draws, len(sizes)), _flipped(gaps[gaps != 0], draws, rng)
    resampled = [_shares(sums, sizes, weights, _resample(rng, draws, len(sums))) for sums in (first_sums, second_sums)]
    difference = float(gaps.sum() / (len(first_sums) * len(second_sums) * len(group)))
    a, b = (right.mean(axis=0) for right in rights)
    only = float((a * (1 - b)).sum()), float((b * (1 - a)).sum())
    return Comparison(difference, *_percentiles(resampled[0] - resampled[1], level), p, len(group), len(sizes), *only)


def _grouped(groups: ArrayLike, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each clip's group (b,), and how many clips each group has."""
    if np.shape(groups) != (clips,):
        raise ValueError(f"groups have the shape {np.shape(groups)}, there are {clips} clips; name the group of each")
    number, names = pd.factorize(pd.Series(list(groups)), sort=True)  # sorted: the order of clips draws nothing else
    if unnamed := int((number < 0).sum()):
        raise ValueError(f"{unnamed} clips have no group; name the group of each")
    if len(names) < 2:
        raise ValueError(f"all clips are of one group, {names[0]!r}; an interval needs several groups")
    return number, np.bincount(number)


def _resample(rng: np.random.Generator, draws: int, n: int) -> np.ndarray:
    """How often each of `n` comes up in `n` draws with replacement: (draws, n)."""
    if draws < 1:
        raise ValueError(f"draws is {draws}; give 1 or more, 2000 for a 95 % interval")
    return rng.multinomial(n, np.full(n, 1 / n), size=draws)


def _sums(rights: Sequence[np.ndarray], group: np.ndarray) -> np.ndarray:
    """Right guesses of each run in each group: (s, groups)."""
    return np.array([np.bincount(group[right], minlength=group.max() + 1) for right in rights])


def _shares(sums: np.ndarray, sizes: np.ndarray, weights: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """The share of right guesses in each draw: `weights` (draws, groups), `picks` (draws, s) say what was drawn."""
    return ((picks @ sums) * weights).sum(axis=1) / (picks.sum(axis=1) * (weights @ sizes))


def _percentiles(resampled: np.ndarray, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a share between 0 and 1, such as 0.95")
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _flipped(gaps: np.ndarray, draws: int, rng: np.random.Generator) -> float:
    """The share of flips of the signs of `gaps` whose sum is as far from 0 as theirs; none of `gaps` is 0."""
    if exact := len(gaps) <= EXACT:
        bits = np.arange(2 ** len(gaps))[:, None] >> np.arange(len(gaps)) & 1
    else:
        bits = rng.integers(2, size=(draws, len(gaps)))
    as_far = np.abs((1 - 2 * bits) @ gaps) >= abs(gaps.sum())
    return float(as_far.mean() if exact else (as_far.sum() + 1) / (draws + 1))
