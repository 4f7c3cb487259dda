"""Figures show what they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

mpl.use("Agg")

from wtmr_core import figures, published


def test_bars_are_the_counts():
    fig = figures.counts({"sit": {"train": 3, "test": 1}, "walk": {"train": 2}})
    assert sorted(bar.get_width() for bar in fig.axes[0].patches) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "clips",
    [
        np.zeros((2, 3, 8, 8, 1), np.uint8),
        np.zeros((2, 3, 8, 8, 3), np.uint8),
        np.random.default_rng(0).normal(size=(2, 3, 2, 25, 3)).astype(np.float32),
    ],
)
def test_a_picture_for_every_frame(clips):
    fig = figures.clips(clips, ["one", "two"])
    assert len(fig.axes) == 6
    assert fig.axes[0].get_title(loc="left") == "one"


def test_bones_join_every_joint_once_to_the_body():
    joined = {j for bone in figures.BONES for j in bone}
    assert joined == set(range(25))
    assert len(figures.BONES) == 24  # a tree


def test_published_curves_are_laid_over():
    history = pd.DataFrame(
        {"epoch": [1, 2]} | {f"{p}_{w}": [0.5, 0.4] for p in ("train", "val") for w in ("loss", "accuracy")}
    )
    paper = published.epochs("hmdb51", "released-wtmr")
    fig = figures.learning_curves(history, paper, "title", chance=0.1)
    lines = fig.axes[1].get_lines()
    assert len(lines) == 5
    np.testing.assert_allclose(lines[1].get_ydata(), paper.train_accuracy)
    assert len(figures.learning_curves(history, None, "title", chance=0.1).axes[1].get_lines()) == 3


def matrix(k: int) -> pd.DataFrame:
    names = [f"class {i}" for i in range(k)]
    return pd.DataFrame(np.diag([*range(k - 1), 7]), pd.Index(names, name="true"), pd.Index(names, name="predicted"))


def test_a_matrix_shows_clips_and_shares():
    fig = figures.confusion({"one": matrix(3), "two": matrix(13)})
    assert [ax.get_title() for ax in fig.axes] == ["one", "two"]
    assert [text.get_text() for text in fig.axes[0].texts] == list("000010007")
    shares = fig.axes[0].collections[0].get_array().reshape(3, 3)
    np.testing.assert_array_equal(shares, np.diag([0, 1, 1]))  # a class without clips is white
    assert not fig.axes[1].texts  # too many classes for numbers


def test_ablation_draws_every_row_and_marks_what_is_not_published():
    given = {"dataset": ["a", "a", "b"], "model": ["x", "y size=3", "x"], "runs": [3, 1, 1],
             "published_train_loss": [1, np.nan, 2], "published_train_accuracy": [0.9, np.nan, 0.8],
             "published_val_accuracy": [0.4, np.nan, np.nan]}  # fmt: skip
    for what in ("train_loss", "train_accuracy", "test_accuracy"):
        given |= {what: [0.5, 0.6, 0.7], f"{what}_low": [0.4, 0.6, 0.7], f"{what}_high": [0.8, 0.6, 0.7]}
    loss_a, loss_b, accuracy_a, accuracy_b = figures.ablation(pd.DataFrame(given)).axes
    assert [ax.get_title() for ax in (loss_a, loss_b)] == ["a", "b"]
    heights = [bar.get_height() for bar in accuracy_a.patches]
    np.testing.assert_array_equal(heights, [0.5, 0.6, 0.5, 0.6, 0.9, np.nan, 0.4, np.nan])
    assert [label.get_text() for label in accuracy_a.get_xticklabels()] == ["x\nmean of 3", "y\nsize=3"]
    crosses = [len(c.get_offsets()) for c in accuracy_b.collections if len(c.get_offsets())]
    assert crosses == [1]
    ((_, _, (whisker,)),) = [c.lines for c in loss_a.containers if isinstance(c, ErrorbarContainer)]
    np.testing.assert_allclose(whisker.get_segments()[0][:, 1], [0.4, 0.8])


def test_accuracy_against_cost_and_the_same_bytes_again():
    table = pd.DataFrame(
        {"dataset": ["a", "b", "b"], "model": ["x", "x", "y"], "complete_gmacs": [98.2, 2.4, 0.05],
         "published_train_accuracy": [0.98, 0.5, np.nan], "published_val_accuracy": [0.45, np.nan, np.nan],
         "measured_test_accuracy": [0.4, 0.3, 0.2]}
    )  # fmt: skip
    fig = figures.accuracy_cost(table)
    assert [ax.get_title() for ax in fig.axes] == ["a", "b"]
    assert [len(line.get_ydata()) for ax in fig.axes for line in ax.get_lines()] == [3, 2, 1]
    assert fig.axes[0].get_xscale() == "log"
    first = figures.png(fig)
    assert first.startswith(b"\x89PNG")
    assert first == figures.png(figures.accuracy_cost(table))
    assert b"Software" not in first
    assert len(first) < 120_000
