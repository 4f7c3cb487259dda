"""What a run's predictions are worth: confusion matrices, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_fscore_support

OTHERS = "others"


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
        if bad := int((~np.isfinite(guess)).any(axis=1).sum()):
            raise ValueError(f"logits of {bad} clips are not finite: the run that wrote them failed, train it again")
        guess = guess.argmax(axis=1)
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise ValueError(f"labels have the shape {truth.shape} and predictions {guess.shape}; both must be (b,)")
    for what, numbers in (("label", truth), ("prediction", guess)):
        if len(numbers) and not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(f"a {what} must be the number of a class, found {numbers.dtype}")
        if outside := sorted(set(numbers.tolist()) - set(range(len(classes)))):
            raise ValueError(f"a {what} is {outside[0]}; there are {len(classes)} classes, numbered from 0")
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


def _frame(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    names = list(classes)
    return pd.DataFrame(counts, pd.Index(names, name="true"), pd.Index(names, name="predicted"))
