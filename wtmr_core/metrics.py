"""What a run's predictions are worth: confusion matrices, the figures of each class and those of all clips.

Throughout, `labels` (b,) are the true classes of b clips as numbers from 0, and `logits` (b, k) a run's scores of
the k classes: their softmax is its probabilities, the largest its guess (among equals the first).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_fscore_support

OTHERS = "others"
BINS = 15  # of confidence, as Guo et al. 2017 have them
TOP = {"top1": 1, "top5": 5}
METRICS = (*TOP, "mean_class_accuracy", "macro_f1", "calibration_error")


@dataclass(frozen=True)
class Judged:
    """What the figures need of a run's predictions: arrays (b,), and how many classes there are."""

    label: np.ndarray
    guess: np.ndarray
    before: np.ndarray  # how many classes the run puts before the label; 0 is right
    confidence: np.ndarray  # the probability (0-1) of the guess
    classes: int


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """The confusion matrix in clips, complete: every class a row (index `true`) and a column (`predicted`).

    `labels` (b,) are the true classes as numbers, `predicted` the predicted ones (b,) or logits (b, k), of
    which the largest counts; `classes` are the k names. A class without clips is a row of zeros.
    Raises `ValueError` where shapes do not agree, a class has no name, or a logit is not finite.
    """
    truth, guess = np.asarray(labels), np.asarray(predicted)
    if guess.ndim == 2:
        if guess.shape[1] != len(classes):
            raise ValueError(f"logits have {guess.shape[1]} classes, names are given for {len(classes)}")
        guess = _finite(guess, "logits").argmax(axis=1)
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise ValueError(f"labels have the shape {truth.shape} and predictions {guess.shape}; both must be (b,)")
    _numbered(truth, "label", len(classes))
    _numbered(guess, "prediction", len(classes))
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (truth.astype(int), guess.astype(int)), 1)
    return _frame(counts, classes)


def reduced(confusion: pd.DataFrame, kept: Sequence[str]) -> pd.DataFrame:
    """The matrix with the classes `kept`, in that order, and "others", which all the rest are added up in.

    The clips stay as many. With no class left over, "others" is a row and a column of zeros.
    Raises `ValueError` for a class that the matrix has not, or that is given twice.
    """
    if missing := [name for name in kept if name not in confusion.index]:
        raise ValueError(f"the matrix has no class {missing[0]!r}; it has {', '.join(confusion.index)}")
    if len(set(kept)) < len(kept) or OTHERS in kept:
        raise ValueError(f"the classes kept must differ from each other and from {OTHERS!r}: {', '.join(kept)}")
    place = {name: k for k, name in enumerate(kept)}
    group = [place.get(name, len(kept)) for name in confusion.index]
    onto = np.eye(len(kept) + 1, dtype=int)[group]  # (k, kept + 1): which group each class belongs to
    return _frame(onto.T @ confusion.to_numpy() @ onto, [*kept, OTHERS])


def per_class(confusion: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall and F1 (0-1) of each class of a matrix, and its clips, as scikit-learn has them.

    Index class; columns clips, precision, recall, f1. What has nothing to be a share of is 0: the precision
    of a class never predicted, the recall of one without clips. Leave the latter out of a macro mean.
    """
    k = len(confusion)
    true, predicted = (axis.ravel() for axis in np.indices((k, k)))
    scores = precision_recall_fscore_support(
        true, predicted, labels=np.arange(k), sample_weight=confusion.to_numpy().ravel(), zero_division=0
    )
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1"), scores, strict=False)), index=confusion.index)
    table.insert(0, "clips", confusion.sum(axis=1))
    return table.rename_axis(index="class")


def accuracy(confusion: pd.DataFrame) -> float:
    """The share (0-1) of the clips of a matrix that lie on its diagonal; NaN without clips."""
    counts = confusion.to_numpy()
    return float(np.trace(counts) / counts.sum()) if counts.sum() else float("nan")


def probabilities(logits: ArrayLike) -> np.ndarray:
    """The probabilities (0-1) of classes: the softmax of logits (..., k) over their last axis.

    Raises `ValueError` where a logit is not finite.
    """
    finite = _finite(np.asarray(logits, float), "logits")
    powers = np.exp(finite - finite.max(axis=-1, keepdims=True))  # none above 1, so that none overflows
    return powers / powers.sum(axis=-1, keepdims=True)


def topk(labels: ArrayLike, logits: ArrayLike, k: int) -> float:
    """The share (0-1) of clips whose label is among the `k` largest logits; among equal ones the first counts.

    With `k` beyond the number of classes that is every clip. Raises `ValueError` for a `k` below 1, and as `scores`.
    """
    if k < 1:
        raise ValueError(f"k is {k}; the label is looked for among the k largest logits, so give 1 or more")
    (run,) = judge(labels, logits)
    return float(np.mean(run.before < k))


def calibration(labels: ArrayLike, logits: ArrayLike, bins: int = BINS) -> pd.DataFrame:
    """The reliability diagram: how often a run is right when it is so sure, in `bins` of equal width.

    Confidence is the probability of the guess. Columns: low, high (a bin's ends; high lies in it, low in the one
    before, except that 0 lies in the first), clips, confidence and accuracy (0-1, means over the bin's clips; NaN
    without any). Raises `ValueError` for `bins` below 1, and as `scores`.
    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 2.
    """
    (run,) = judge(labels, logits)
    clips, confidence, right = _binned(run, np.ones(len(run.label)), bins)
    edges, some = np.linspace(0, 1, bins + 1), np.where(clips > 0, clips, np.nan)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "clips": clips.astype(int),
            "confidence": confidence / some,
            "accuracy": right / some,
        }
    )


def calibration_error(labels: ArrayLike, logits: ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error (0-1): |accuracy − confidence| of the bins of `calibration`, weighted by clips.

    Raises as `calibration`. Source: Guo et al. 2017, equation 3.
    """
    (run,) = judge(labels, logits)
    return _calibration_error(run, np.ones(len(run.label)), bins)


def scores(labels: ArrayLike, logits: ArrayLike) -> dict[str, float]:
    """The figures of a run, all 0-1, by the names in `METRICS`.

    top1, top5 as `topk` (top5 is 1 with five classes or fewer); mean_class_accuracy and macro_f1, the means of
    recall and F1 over the classes that have clips, as scikit-learn's `balanced_accuracy_score` and `f1_score` with
    these classes as `labels`; calibration_error with `BINS` bins.
    Raises `ValueError` without clips, where shapes do not agree, a label is no class or a logit not finite.
    """
    (run,) = judge(labels, logits)
    return {metric: measure(metric, run) for metric in METRICS}


def judge(labels: ArrayLike, logits: ArrayLike, what: str = "logits", several: bool = False) -> list[Judged]:
    """What the figures need of one run or, where `several` are allowed and logits are (s, b, k), of each of s.

    Raises `ValueError` as `scores`, whose checks are these; `what` is what it calls the logits.
    """
    truth, runs = np.asarray(labels), np.asarray(logits, float)
    if truth.ndim != 1 or runs.ndim not in ((2, 3) if several else (2,)) or runs.shape[-2] != len(truth):
        shapes = "(b,) and (b, k)" + " or (s, b, k)" * several
        raise ValueError(f"labels have the shape {truth.shape} and {what} {runs.shape}; they must be {shapes}")
    if not runs.size:
        raise ValueError(f"{what} of the shape {runs.shape} hold nothing; give those of one clip or more")
    _numbered(truth, "label", runs.shape[-1])
    if runs.ndim == 2:
        return [_judged(truth, _finite(runs, what))]
    return [_judged(truth, _finite(run, f"{what}[{i}]")) for i, run in enumerate(runs)]


def measure(metric: str, run: Judged, weights: ArrayLike | None = None) -> float:
    """A figure of `scores`, each clip counted as often as `weights` (b,) say; once, where there are none.

    Raises `ValueError` for a metric that is none of `METRICS`.
    """
    weights = np.ones(len(run.label)) if weights is None else np.asarray(weights, float)
    if metric in TOP:
        return float(np.average(run.before < TOP[metric], weights=weights))
    if metric == "calibration_error":
        return _calibration_error(run, weights, BINS)
    clips, guessed, right = (
        np.bincount(of, weights * counted, run.classes)
        for of, counted in ((run.label, 1), (run.guess, 1), (run.label, run.before == 0))
    )
    here = clips > 0
    if metric == "mean_class_accuracy":
        return float((right[here] / clips[here]).mean())
    if metric == "macro_f1":
        return float((2 * right[here] / (clips + guessed)[here]).mean())
    raise ValueError(f"metric is {metric!r}; give one of {', '.join(METRICS)}")


def _judged(truth: np.ndarray, run: np.ndarray) -> Judged:
    own = np.take_along_axis(run, truth[:, None], axis=1)
    before = (run > own) | ((run == own) & (np.arange(run.shape[1]) < truth[:, None]))
    return Judged(truth, run.argmax(axis=1), before.sum(axis=1), probabilities(run).max(axis=1), run.shape[1])


def _binned(run: Judged, weights: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each bin, low < confidence ≤ high: its clips, the sum of their confidences, and how many are right."""
    if bins < 1:
        raise ValueError(f"bins is {bins}; give 1 or more")
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], run.confidence)
    return tuple(np.bincount(place, weights * each, bins) for each in (1, run.confidence, run.before == 0))


def _calibration_error(run: Judged, weights: np.ndarray, bins: int) -> float:
    _, confidence, right = _binned(run, weights, bins)
    return float(np.abs(right - confidence).sum() / weights.sum())


def _finite(logits: np.ndarray, what: str) -> np.ndarray:
    if bad := int((~np.isfinite(logits)).any(axis=-1).sum()):
        raise ValueError(f"{what} of {bad} clips are not finite: the run that wrote them failed, train it again")
    return logits


def _numbered(numbers: np.ndarray, what: str, classes: int) -> None:
    if len(numbers) and not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"a {what} must be the number of a class, found {numbers.dtype}")
    if outside := sorted(set(numbers.tolist()) - set(range(classes))):
        raise ValueError(f"a {what} is {outside[0]}; there are {classes} classes, numbered from 0")


def _frame(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    names = list(classes)
    return pd.DataFrame(counts, pd.Index(names, name="true"), pd.Index(names, name="predicted"))
