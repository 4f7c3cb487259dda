"""Confusion matrices and the figures of a class: by hand, against scikit-learn, and what must always hold."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

from wtmr_core import evaluation, published

CLASSES = ["clap", "sit", "walk", "wave"]
BY_HAND = pd.DataFrame(
    [[3, 1, 0, 0], [0, 2, 0, 2], [0, 0, 4, 0], [1, 0, 0, 0]],
    index=pd.Index(CLASSES, name="true"),
    columns=pd.Index(CLASSES, name="predicted"),
)
LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
GUESSES = [0, 0, 0, 1, 1, 1, 3, 3, 2, 2, 2, 2, 0]


@st.composite
def predictions(draw):
    """Labels and predictions (b,) of k classes, b and k small, and how many classes there are."""
    k, b = draw(st.integers(1, 7)), draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, k - 1), min_size=b, max_size=b)
    return draw(numbers), draw(numbers), k


def test_a_matrix_by_hand():
    found = evaluation.confusion(LABELS, GUESSES, CLASSES)
    pd.testing.assert_frame_equal(found, BY_HAND, check_dtype=False)
    assert evaluation.accuracy(found) == 9 / 13


def test_of_logits_the_largest_counts():
    logits = np.eye(4)[GUESSES] - 5.0
    pd.testing.assert_frame_equal(evaluation.confusion(LABELS, logits, CLASSES), BY_HAND, check_dtype=False)


def test_a_class_without_clips_keeps_its_row_and_its_column():
    found = evaluation.confusion([0, 1], [0, 0], CLASSES)
    assert found.shape == (4, 4)
    assert found.loc[["walk", "wave"]].to_numpy().sum() == 0
    assert evaluation.confusion([], [], CLASSES).to_numpy().sum() == 0
    assert np.isnan(evaluation.accuracy(evaluation.confusion([], [], CLASSES)))


def test_reduced_by_hand():
    found = evaluation.reduced(BY_HAND, ["walk", "sit"])
    assert found.index.tolist() == found.columns.tolist() == ["walk", "sit", "others"]
    assert found.to_numpy().tolist() == [[4, 0, 0], [0, 2, 2], [0, 1, 4]]
    assert (found.index.name, found.columns.name) == ("true", "predicted")


def test_the_figures_of_a_class_by_hand():
    found = evaluation.per_class(BY_HAND)
    assert found.clips.tolist() == [4, 4, 4, 1]
    np.testing.assert_allclose(found.precision, [3 / 4, 2 / 3, 1, 0])
    np.testing.assert_allclose(found.recall, [3 / 4, 1 / 2, 1, 0])
    np.testing.assert_allclose(found.f1, [3 / 4, 4 / 7, 1, 0])


@given(predictions())
def test_as_scikit_learn_has_them(case):
    labels, guesses, k = case
    names = [f"class {i}" for i in range(k)]
    counts = evaluation.confusion(labels, guesses, names)
    if k > 1:  # of a single class scikit-learn warns, labels given or not
        np.testing.assert_array_equal(counts, confusion_matrix(labels, guesses, labels=range(k)))
    assert evaluation.accuracy(counts) == pytest.approx(accuracy_score(labels, guesses))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an empty class is no reason for a warning
        found = evaluation.per_class(counts)
    expected = classification_report(
        labels, guesses, labels=range(k), target_names=names, output_dict=True, zero_division=0
    )
    for name in names:
        theirs = [expected[name][key] for key in ("support", "precision", "recall", "f1-score")]
        np.testing.assert_allclose(found.loc[name, ["clips", "precision", "recall", "f1"]].tolist(), theirs)


@given(predictions(), st.data())
def test_reducing_loses_no_clip_and_no_hit_of_a_class_kept(case, data):
    labels, guesses, k = case
    names = [f"class {i}" for i in range(k)]
    kept = data.draw(st.lists(st.sampled_from(names), unique=True))
    counts = evaluation.confusion(labels, guesses, names)
    found = evaluation.reduced(counts, kept)
    assert found.to_numpy().sum() == len(labels)
    assert [found.loc[c, c] for c in kept] == [counts.loc[c, c] for c in kept]
    assert found.loc[kept].sum(axis=1).tolist() == counts.loc[kept].sum(axis=1).tolist()
    assert found[kept].sum().tolist() == counts[kept].sum().tolist()
    assert evaluation.accuracy(found) >= evaluation.accuracy(counts)  # collapsing never lowers it


@pytest.mark.parametrize(
    ("dataset", "accuracy"), [("hmdb51", 0.948), ("ntu60", 0.996), ("svideoqa", 0.479)]
)  # as the audit quotes the first two
def test_the_accuracy_of_the_published_matrices(dataset, accuracy):
    assert evaluation.accuracy(published.confusion(dataset)) == pytest.approx(accuracy, abs=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluation.confusion([0, 1], [0], CLASSES), r"labels have the shape \(2,\) and predictions \(1,\)"),
        (lambda: evaluation.confusion([0, 4], [0, 0], CLASSES), "a label is 4; there are 4 classes"),
        (lambda: evaluation.confusion([0, 0], [0, -1], CLASSES), "a prediction is -1"),
        (lambda: evaluation.confusion([0.5], [0], CLASSES), "a label must be the number of a class"),
        (lambda: evaluation.confusion([0], np.zeros((1, 3)), CLASSES), "3 classes, names are given for 4"),
        (lambda: evaluation.confusion([0], [[0, np.nan, 0, 0]], CLASSES), "logits of 1 clips are not finite"),
        (lambda: evaluation.reduced(BY_HAND, ["smile"]), "no class 'smile'; it has clap, sit"),
        (lambda: evaluation.reduced(BY_HAND, ["sit", "sit"]), "must differ"),
    ],
)
def test_what_cannot_be_counted(call, message):
    with pytest.raises(ValueError, match=message):
        call()
