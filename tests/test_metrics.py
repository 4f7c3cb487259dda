"""Confusion matrices and the figures of a run: by hand, against scikit-learn, and what must always hold."""

import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    confusion_matrix,
    f1_score,
    top_k_accuracy_score,
)

from wtmr_core import metrics
from wtmr_core.paper import published

CLASSES = ["clap", "sit", "walk", "wave"]
BY_HAND = pd.DataFrame(
    [[3, 1, 0, 0], [0, 2, 0, 2], [0, 0, 4, 0], [1, 0, 0, 0]],
    index=pd.Index(CLASSES, name="true"),
    columns=pd.Index(CLASSES, name="predicted"),
)
LABELS = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]
GUESSES = [0, 0, 0, 1, 1, 1, 3, 3, 2, 2, 2, 2, 0]
SURE = 1000.0  # a logit that leaves nothing to the other classes


@st.composite
def predictions(draw):
    """Labels and predictions (b,) of k classes, b and k small, and how many classes there are."""
    k, b = draw(st.integers(1, 7)), draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, k - 1), min_size=b, max_size=b)
    return draw(numbers), draw(numbers), k


@st.composite
def scored(draw, fewest=1):
    """Labels (b,) and logits (b, k) in which no two of a clip are equal, b and k small."""
    k, b = draw(st.integers(fewest, 7)), draw(st.integers(1, 20))
    labels = draw(st.lists(st.integers(0, k - 1), min_size=b, max_size=b))
    orders = draw(st.lists(st.permutations(range(k)), min_size=b, max_size=b))
    return np.array(labels), np.array(orders) * draw(st.floats(0.01, 5))


def test_a_matrix_by_hand():
    found = metrics.confusion(LABELS, GUESSES, CLASSES)
    pd.testing.assert_frame_equal(found, BY_HAND, check_dtype=False)
    assert metrics.accuracy(found) == 9 / 13


def test_of_logits_the_largest_counts():
    logits = np.eye(4)[GUESSES] - 5.0
    pd.testing.assert_frame_equal(metrics.confusion(LABELS, logits, CLASSES), BY_HAND, check_dtype=False)


def test_a_class_without_clips_keeps_its_row_and_its_column():
    found = metrics.confusion([0, 1], [0, 0], CLASSES)
    assert found.shape == (4, 4)
    assert found.loc[["walk", "wave"]].to_numpy().sum() == 0
    assert metrics.confusion([], [], CLASSES).to_numpy().sum() == 0
    assert np.isnan(metrics.accuracy(metrics.confusion([], [], CLASSES)))


def test_reduced_by_hand():
    found = metrics.reduced(BY_HAND, ["walk", "sit"])
    assert found.index.tolist() == found.columns.tolist() == ["walk", "sit", "others"]
    assert found.to_numpy().tolist() == [[4, 0, 0], [0, 2, 2], [0, 1, 4]]
    assert (found.index.name, found.columns.name) == ("true", "predicted")


def test_the_figures_of_a_class_by_hand():
    found = metrics.per_class(BY_HAND)
    assert found.clips.tolist() == [4, 4, 4, 1]
    np.testing.assert_allclose(found.precision, [3 / 4, 2 / 3, 1, 0])
    np.testing.assert_allclose(found.recall, [3 / 4, 1 / 2, 1, 0])
    np.testing.assert_allclose(found.f1, [3 / 4, 4 / 7, 1, 0])


@given(predictions())
def test_as_scikit_learn_has_them(case):
    labels, guesses, k = case
    names = [f"class {i}" for i in range(k)]
    counts = metrics.confusion(labels, guesses, names)
    if k > 1:  # of a single class scikit-learn warns, labels given or not
        np.testing.assert_array_equal(counts, confusion_matrix(labels, guesses, labels=range(k)))
    assert metrics.accuracy(counts) == pytest.approx(accuracy_score(labels, guesses))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an empty class is no reason for a warning
        found = metrics.per_class(counts)
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
    counts = metrics.confusion(labels, guesses, names)
    found = metrics.reduced(counts, kept)
    assert found.to_numpy().sum() == len(labels)
    assert [found.loc[c, c] for c in kept] == [counts.loc[c, c] for c in kept]
    assert found.loc[kept].sum(axis=1).tolist() == counts.loc[kept].sum(axis=1).tolist()
    assert found[kept].sum().tolist() == counts[kept].sum().tolist()
    assert metrics.accuracy(found) >= metrics.accuracy(counts)  # collapsing never lowers it


def test_probabilities_by_hand():
    found = metrics.probabilities([[0, np.log(3)], [5, 5]])
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5]])
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(metrics.probabilities([[SURE, SURE + np.log(3)]]), found[:1])
        assert metrics.probabilities([[SURE, 0.0]]).tolist() == [[1, 0]]


def test_the_rank_of_a_label_by_hand():
    labels = [2, 0, 1, 1]
    logits = [[1, 2, 3, 0], [1, 2, 3, 0], [9, 8, 7, 6], [-1, -4, -3, -2]]  # label comes 1st, 3rd, 2nd, 4th
    (run,) = metrics.outcomes(labels, logits)
    assert run.rank.tolist() == [0, 2, 1, 3]
    assert [metrics.measure(metric, run) for metric in metrics.TOP] == [1 / 4, 1]


def test_among_equal_logits_the_first_ranks_highest():
    labels, logits = np.arange(4), np.zeros((4, 4))
    (run,) = metrics.outcomes(labels, logits)
    assert run.rank.tolist() == [0, 1, 2, 3]
    assert metrics.measure("top1", run) == metrics.accuracy(metrics.confusion(labels, logits, CLASSES)) == 1 / 4


def test_calibration_by_hand(monkeypatch):
    labels = [0, 0, 1, 1]
    logits = [[0, 0], [SURE, 0], [SURE, 0], [0, np.log(1.5)]]  # confidence 0.5, 1, 1 and 0.6; only the third is wrong
    monkeypatch.setattr(metrics, "BINS", 4)  # 0.5 lies in the bin that it ends, 1 in the last
    assert metrics.scores(labels, logits)["calibration_error"] == pytest.approx((0.5 + 0.4 + 2 * 0.5) / 4)


def test_a_run_always_sure_is_off_by_its_errors():
    logits = np.eye(4)[GUESSES] * SURE
    assert metrics.scores(LABELS, logits)["calibration_error"] == pytest.approx(4 / 13)
    assert metrics.scores(LABELS, np.eye(4)[LABELS] * SURE)["calibration_error"] == 0


def test_scores_by_hand():
    found = metrics.scores(LABELS, np.eye(4)[GUESSES] * SURE)
    assert list(found) == list(metrics.METRICS)
    assert found == pytest.approx(
        {
            "top1": 9 / 13,
            "top5": 1,
            "mean_class_accuracy": (3 / 4 + 1 / 2 + 1 + 0) / 4,
            "macro_f1": (3 / 4 + 4 / 7 + 1 + 0) / 4,
            "calibration_error": 4 / 13,
        }
    )


def test_a_class_without_clips_is_in_no_mean():
    found = metrics.scores([0, 0, 1], np.eye(3)[[0, 2, 1]])  # class 2 has none, but is guessed
    assert found["mean_class_accuracy"] == (1 / 2 + 1) / 2
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


@given(scored(fewest=3))  # of two classes scikit-learn wants one score
def test_scores_as_scikit_learn_has_them(case):
    labels, logits = case
    k, guesses = logits.shape[1], logits.argmax(axis=1)
    found = metrics.scores(labels, logits)
    (run,) = metrics.outcomes(labels, logits)
    for n in range(1, k):
        assert (run.rank < n).mean() == pytest.approx(top_k_accuracy_score(labels, logits, k=n, labels=range(k)))
    assert found["top1"] == pytest.approx(accuracy_score(labels, guesses))
    assert found["top5"] == (run.rank < 5).mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that is guessed and has no clips
        assert found["mean_class_accuracy"] == pytest.approx(balanced_accuracy_score(labels, guesses))
    present = np.unique(labels)
    assert found["macro_f1"] == pytest.approx(
        f1_score(labels, guesses, labels=present, average="macro", zero_division=0)
    )


@given(scored())
def test_calibration_against_a_plain_sum_over_bins(case):
    labels, logits = case
    confidence, right = metrics.probabilities(logits).max(axis=1), logits.argmax(axis=1) == labels
    gaps = 0.0
    for low, high in pairwise(np.linspace(0, 1, metrics.BINS + 1)):
        inside = (low < confidence) & (confidence <= high)
        gaps += abs(right[inside].sum() - confidence[inside].sum())
    error = metrics.scores(labels, logits)["calibration_error"]
    assert error == pytest.approx(gaps / len(labels))
    assert abs(right.mean() - confidence.mean()) - 1e-9 <= error <= 1


@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_clips_changes_no_score(case, random):
    labels, logits = case
    order = random.sample(range(len(labels)), len(labels))
    assert metrics.scores(labels[order], logits[order]) == pytest.approx(metrics.scores(labels, logits))


@given(scored(), st.data())
def test_a_weight_counts_a_clip_as_often(case, data):
    labels, logits = case
    size = len(labels)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size).filter(any)))
    (run,) = metrics.outcomes(labels, logits)
    found = {metric: metrics.measure(metric, run, weights) for metric in metrics.METRICS}
    again = np.repeat(np.arange(size), weights)
    assert found == pytest.approx(metrics.scores(labels[again], logits[again]))


def test_each_of_several_runs_is_measured():
    logits = np.array([np.eye(4)[GUESSES], np.eye(4)[LABELS]])
    found = metrics.outcomes(LABELS, logits, seeds=True)
    assert [metrics.measure("top1", run) for run in found] == [9 / 13, 1]


@pytest.mark.parametrize(
    ("dataset", "accuracy"), [("hmdb51", 0.948), ("ntu60", 0.996), ("svideoqa", 0.479)]
)  # as the audit quotes the first two
def test_the_accuracy_of_the_published_matrices(dataset, accuracy):
    assert metrics.accuracy(published.confusion(dataset)) == pytest.approx(accuracy, abs=5e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.confusion([0, 1], [0], CLASSES), r"labels have the shape \(2,\) and predictions \(1,\)"),
        (lambda: metrics.confusion([0, 4], [0, 0], CLASSES), "a label is 4; there are 4 classes"),
        (lambda: metrics.confusion([0, 0], [0, -1], CLASSES), "a prediction is -1"),
        (lambda: metrics.confusion([0.5], [0], CLASSES), "a label must be the number of a class"),
        (lambda: metrics.confusion([0], np.zeros((1, 3)), CLASSES), "3 classes, names are given for 4"),
        (lambda: metrics.confusion([0], [[0, np.nan, 0, 0]], CLASSES), "logits of 1 clips are not finite"),
        (lambda: metrics.reduced(BY_HAND, ["smile"]), "no class 'smile'; it has clap, sit"),
        (lambda: metrics.reduced(BY_HAND, ["sit", "sit"]), "must differ"),
        (lambda: metrics.probabilities([0, np.inf]), "not finite"),
        (lambda: metrics.scores([2], [[0, 1]]), "a label is 2; there are 2 classes"),
        (lambda: metrics.scores([-1], [[0, 1]]), "a label is -1"),
        (lambda: metrics.scores([0.0], [[0, 1]]), "a label must be the number of a class"),
        (lambda: metrics.scores([], np.zeros((0, 3))), r"logits of the shape \(0, 3\) hold nothing"),
        (lambda: metrics.scores([0, 1], np.zeros((3, 2))), r"shape \(2,\) and logits \(3, 2\)"),
        (lambda: metrics.scores([0], [0]), r"must be \(b,\) and \(b, k\)$"),
        (lambda: metrics.scores([0], np.zeros((2, 1, 3))), r"must be \(b,\) and \(b, k\)$"),
        (lambda: metrics.scores([0, 0], [[0, np.nan], [0, 0]]), "logits of 1 clips are not finite"),
        (
            lambda: metrics.outcomes([0], [[[0, 1]], [[0, np.inf]]], "logits", seeds=True),
            r"logits\[1\] of 1 clips are not finite",
        ),
        (lambda: metrics.measure("top2", metrics.outcomes([0], [[0, 1]])[0]), "metric is 'top2'; give one of top1"),
    ],
)
def test_what_cannot_be_counted(call, message):
    with pytest.raises(ValueError, match=message):
        call()
