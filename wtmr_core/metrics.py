"""How good a run's predictions are: confusion matrices, figures of each class, and figures of all clips.

Throughout, `labels` (b,) are the true classes of b clips, numbered from 0, and `logits` (b, k) are a run's scores of
the k classes. Their softmax gives the probabilities; the class with the largest is predicted (the first among equals).
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
class Outcome:
    """What a run made of b clips, as the figures need it: arrays (b,), and the number of classes."""

    label: np.ndarray
    guess: np.ndarray  # the predicted class
    rank: np.ndarray  # how many classes score above the label; 0 is right
    confidence: np.ndarray  # the probability (0-1) of the predicted class
    classes: int


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """Count clips by true and predicted class.

    Args:
        labels: true classes (b,)
        predicted: predicted classes (b,), or logits (b, k)
        classes: the names of the k classes

    Returns:
        (k, k) counts with the true classes as rows (index `true`) and the predicted ones as columns (`predicted`);
        a class without clips has a row of zeros.

    Raises:
        ValueError: where shapes do not agree, a class has no name, or a logit is not finite.

    >>> confusion([0, 1, 1], [0, 0, 1], ["sit", "walk"]).to_numpy().tolist()
    [[1, 0], [1, 1]]
    """
    truth, guess = np.asarray(labels), np.asarray(predicted)
    if guess.ndim == 2:
        if guess.shape[1] != len(classes):
            raise ValueError(f"logits have {guess.shape[1]} classes, names are given for {len(classes)}")
        guess = _finite(guess, "logits").argmax(axis=1)
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise ValueError(f"labels have the shape {truth.shape} and predictions {guess.shape}; both must be (b,)")
    _check_classes(truth, "label", len(classes))
    _check_classes(guess, "prediction", len(classes))
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (truth.astype(int), guess.astype(int)), 1)
    return _frame(counts, classes)


def reduced(confusion: pd.DataFrame, kept: Sequence[str]) -> pd.DataFrame:
    """Reduce a confusion matrix to the classes `kept`, in that order, and "others", the sum of the rest.

    The number of clips stays the same. With no class left over, "others" is a row and a column of zeros.

    Raises:
        ValueError: for a class that is not in the matrix or is given twice.
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
    """Compute precision, recall and F1 (0-1) of each class of a confusion matrix, as scikit-learn defines them.

    Returns:
        A row for each class (index `class`) with the columns clips, precision, recall, f1. A share of nothing is 0:
        the precision of a class that is never predicted, the recall of one without clips. Leave classes without
        clips out of a macro mean.
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
    """The share (0-1) of the clips of a confusion matrix on its diagonal; NaN without clips."""
    counts = confusion.to_numpy()
    return float(np.trace(counts) / counts.sum()) if counts.sum() else float("nan")


def probabilities(logits: ArrayLike) -> np.ndarray:
    """Softmax of logits (..., k) over the last axis: probabilities (0-1) of the same shape.

    Raises `ValueError` where a logit is not finite.
    """
    finite = _finite(np.asarray(logits, float), "logits")
    powers = np.exp(finite - finite.max(axis=-1, keepdims=True))  # none above 1, so that none overflows
    return powers / powers.sum(axis=-1, keepdims=True)


def scores(labels: ArrayLike, logits: ArrayLike) -> dict[str, float]:
    """All figures of a run, from 0 to 1, by their names in `METRICS`.

    Args:
        labels: true classes (b,)
        logits: the scores of the classes (b, k)

    Returns:
        top1, top5: the share of clips whose label is among the 1 or 5 largest logits; top5 is 1 with five classes
            or fewer. Among equal logits the first ranks highest.
        mean_class_accuracy, macro_f1: means of recall and of F1 over the classes that have clips, equal to
            scikit-learn's `balanced_accuracy_score` and to its `f1_score` with these classes as `labels`.
        calibration_error: the expected calibration error, the distance of accuracy from confidence averaged over
            `BINS` bins of equal width and weighted by their clips; confidence is the probability of the predicted class
            (Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3).

    Raises:
        ValueError: where there are no clips, shapes do not agree, a label is not a class, or a logit is not finite.

    >>> scores([0, 1], [[2.0, 1.0], [3.0, 0.0]])["top1"]
    0.5
    """
    (run,) = outcomes(labels, logits)
    return {metric: measure(metric, run) for metric in METRICS}


def outcomes(labels: ArrayLike, logits: ArrayLike, name: str = "logits", *, seeds: bool = False) -> list[Outcome]:
    """What each run makes of the clips, ready to be measured: of one run or, with `seeds`, of each of several.

    Args:
        labels: true classes (b,)
        logits: (b, k) of one run or, where `seeds` allows it, (s, b, k) of s training runs
        name: what error messages call the logits

    Raises:
        ValueError: as `scores`.
    """
    truth, runs = np.asarray(labels), np.asarray(logits, float)
    if truth.ndim != 1 or runs.ndim not in ((2, 3) if seeds else (2,)) or runs.shape[-2] != len(truth):
        shapes = "(b,) and (b, k)" + " or (s, b, k)" * seeds
        raise ValueError(f"labels have the shape {truth.shape} and {name} {runs.shape}; they must be {shapes}")
    if not runs.size:
        raise ValueError(f"{name} of the shape {runs.shape} hold nothing; give those of one clip or more")
    _check_classes(truth, "label", runs.shape[-1])
    if runs.ndim == 2:
        return [_outcome(truth, _finite(runs, name))]
    return [_outcome(truth, _finite(run, f"{name}[{i}]")) for i, run in enumerate(runs)]


def measure(metric: str, run: Outcome, weights: ArrayLike | None = None) -> float:
    """One figure of `scores`, with each clip counted `weights` (b,) times; once by default.

    A bootstrap calls this for each resample, so it counts by itself: scikit-learn's functions take 25 to 130 times
    as long. Raises `ValueError` for a metric that is not in `METRICS`.
    """
    weights = np.ones(len(run.label)) if weights is None else np.asarray(weights, float)
    if metric in TOP:
        return float(np.average(run.rank < TOP[metric], weights=weights))
    correct = run.rank == 0
    if metric == "calibration_error":
        bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], run.confidence)  # low < confidence <= high
        confidence, right = (np.bincount(bins, weights * values, BINS) for values in (run.confidence, correct))
        return float(np.abs(right - confidence).sum() / weights.sum())
    clips, guesses, right = (
        np.bincount(classes, weights * counted, run.classes)
        for classes, counted in ((run.label, 1), (run.guess, 1), (run.label, correct))
    )
    present = clips > 0
    if metric == "mean_class_accuracy":
        return float((right[present] / clips[present]).mean())
    if metric == "macro_f1":
        return float((2 * right[present] / (clips + guesses)[present]).mean())
    raise ValueError(f"metric is {metric!r}; give one of {', '.join(METRICS)}")


def _outcome(truth: np.ndarray, logits: np.ndarray) -> Outcome:
    score = np.take_along_axis(logits, truth[:, None], axis=1)  # of the label
    above = (logits > score) | ((logits == score) & (np.arange(logits.shape[1]) < truth[:, None]))
    return Outcome(truth, logits.argmax(axis=1), above.sum(axis=1), probabilities(logits).max(axis=1), logits.shape[1])


def _finite(logits: np.ndarray, name: str) -> np.ndarray:
    if bad := int((~np.isfinite(logits)).any(axis=-1).sum()):
        raise ValueError(f"{name} of {bad} clips are not finite: the run that wrote them failed, train it again")
    return logits


def _check_classes(numbers: np.ndarray, kind: str, classes: int) -> None:
    if len(numbers) and not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"a {kind} must be the number of a class, found {numbers.dtype}")
    if outside := sorted(set(numbers.tolist()) - set(range(classes))):
        raise ValueError(f"a {kind} is {outside[0]}; there are {classes} classes, numbered from 0")


def _frame(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    names = list(classes)
    return pd.DataFrame(counts, pd.Index(names, name="true"), pd.Index(names, name="predicted"))
