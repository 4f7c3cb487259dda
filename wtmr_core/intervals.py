"""How certain a figure is: intervals from resampling whole groups, and two models compared on the same clips.

`groups` (b,) name what clips have in common, such as a film or a performer: only clips of different groups are
independent. Labels (b,) and logits (b, k) are those of `metrics`; logits (s, b, k) are those of s training runs (seeds)
on the same clips.
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
    """A figure and the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The difference of two models' top-1 accuracies on the same clips, with its interval and what it rests on.

    `p` is two-sided. `clips` and `groups` are counts. `first_only` and `second_only` are the clips that only one of the
    models gets right (McNemar's counts); with several seeds, the mean over all pairs of their runs.
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
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Compute a figure of `metrics.scores` and its percentile interval by resampling whole groups.

    Groups are taken with replacement. With several runs the value is the mean over runs, and each resample also takes s
    of the s runs with replacement, so that the interval covers clips and seeds. One run says nothing about other seeds.
    With few runs the interval covers only (s - 1) / s of the variance between them; it overstates what varies between
    runs within each group.

    A resample's mean over classes leaves out classes without clips in it. Chance can only enlarge a calibration_error,
    so where that is small its resamples lie above the value. top1 and top5 are quick; the other metrics are counted
    anew for each resample and run.

    Args:
        labels: (b,) class numbers
        logits: (b, k) of one run, or (s, b, k) of s training runs
        groups: (b,) the group of each clip
        metric: one of `metrics.METRICS`
        resamples: how many samples of groups are taken
        level: probability that the interval covers

    Raises:
        ValueError: as `metrics.scores`; for fewer than two groups, an unknown metric, `resamples` below 1, or a `level`
            that is not between 0 and 1.

    Source: Davison and Hinkley 1997, Bootstrap Methods and their Application, section 5.3 (percentiles); resampling
    groups and runs together: Owen 2007, The Pigeonhole Bootstrap.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; give one of {', '.join(METRICS)}")
    runs = outcomes(labels, logits, seeds=True)
    group, sizes = _grouped(groups, len(runs[0].label))
    rng = np.random.default_rng(seed)
    weights, picks = _resample(rng, resamples, len(sizes)), _resample(rng, resamples, len(runs))
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
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two models by their top-1 accuracies on the same clips: first minus second.

    The interval is that of `bootstrap`: both models see the same resampled groups, each with its own resampled runs.

    `p` comes from a permutation test that flips the signs of the groups' differences (means over runs). It is the share
    of flips whose sum is at least as far from 0 as the observed one: of all flips where at most `EXACT` groups differ,
    otherwise of `resamples` random flips and the observed one. It takes the runs as given, so it speaks about other
    clips, not about other seeds. Where g groups differ it cannot fall below 2 / 2^g. With one clip a group, one run of
    each model and all flips it is McNemar's exact test.

    Args:
        labels: (b,) class numbers
        first: logits of one model, (b, k) or (s, b, k)
        second: logits of the other, of the same clips; the number of its runs may differ
        groups: (b,) the group of each clip
        resamples: how many samples of groups, and of flips where not all are tried
        level: probability that the interval covers

    Raises:
        ValueError: as `bootstrap`, and where the models differ in clips or classes.

    Source: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses; counting the observed flip: Phipson
    and Smyth 2010, Permutation P-values Should Never Be Zero.
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
    weights, p = _resample(rng, resamples, len(sizes)), _flipped(gaps[gaps != 0], resamples, rng)
    resampled = [
        _shares(sums, sizes, weights, _resample(rng, resamples, len(sums))) for sums in (first_sums, second_sums)
    ]
    difference = float(gaps.sum() / (len(first_sums) * len(second_sums) * len(group)))
    a, b = (right.mean(axis=0) for right in rights)
    only = float((a * (1 - b)).sum()), float((b * (1 - a)).sum())
    return Comparison(difference, *_percentiles(resampled[0] - resampled[1], level), p, len(group), len(sizes), *only)


def _grouped(groups: ArrayLike, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """The group number of each clip (b,), and the number of clips in each group."""
    if np.shape(groups) != (clips,):
        raise ValueError(f"groups have the shape {np.shape(groups)}, there are {clips} clips; name the group of each")
    number, names = pd.factorize(pd.Series(list(groups)), sort=True)  # sorted: the order of clips changes nothing
    if unnamed := int((number < 0).sum()):
        raise ValueError(f"{unnamed} clips have no group; name the group of each")
    if len(names) < 2:
        raise ValueError(f"all clips are of one group, {names[0]!r}; an interval needs several groups")
    return number, np.bincount(number)


def _resample(rng: np.random.Generator, resamples: int, n: int) -> np.ndarray:
    """How often each of `n` items is taken in samples of `n` with replacement: (resamples, n)."""
    if resamples < 1:
        raise ValueError(f"resamples is {resamples}; give 1 or more, 2000 for a 95 % interval")
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)


def _sums(rights: Sequence[np.ndarray], group: np.ndarray) -> np.ndarray:
    """Correct predictions of each run in each group: (s, groups)."""
    return np.array([np.bincount(group[right], minlength=group.max() + 1) for right in rights])


def _shares(sums: np.ndarray, sizes: np.ndarray, weights: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """The share of correct predictions in each resample.

    `weights` (resamples, groups) and `picks` (resamples, s) count how often each group and run was taken.
    """
    return ((picks @ sums) * weights).sum(axis=1) / (picks.sum(axis=1) * (weights @ sizes))


def _percentiles(resampled: np.ndarray, level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a share between 0 and 1, such as 0.95")
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _flipped(gaps: np.ndarray, resamples: int, rng: np.random.Generator) -> float:
    """The share of sign flips of `gaps`, none of which is 0, whose sum is at least as far from 0 as theirs."""
    if exact := len(gaps) <= EXACT:
        bits = np.arange(2 ** len(gaps))[:, None] >> np.arange(len(gaps)) & 1
    else:
        bits = rng.integers(2, size=(resamples, len(gaps)))
    as_far = np.abs((1 - 2 * bits) @ gaps) >= abs(gaps.sum())
    return float(as_far.mean() if exact else (as_far.sum() + 1) / (resamples + 1))
