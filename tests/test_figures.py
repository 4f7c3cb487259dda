"""Figures show what they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

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
