"""Figures show what they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from PIL import Image

mpl.use("Agg")

from matplotlib.colors import to_rgba

from wtmr_core.paper import figures, published
from wtmr_core.paper.figures import results
from wtmr_core.skeleton import PARTS


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


@pytest.mark.parametrize(
    "frames",
    [
        np.full((2, 8, 12), 0.5),
        np.full((2, 8, 12, 1), 128, np.uint8),
        np.full((2, 8, 12, 3), 128, np.uint8),
    ],
    ids=["grey, 0-1", "grey", "rgb"],
)
def test_regions_lie_where_the_grid_has_them_and_show_their_weight(frames):
    weights = np.array([[0.2, 1.8, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    *axes, bar = figures.region_weights(frames, weights, (2, 3)).axes
    assert [text.get_text() for text in axes[0].texts] == ["0.20", "1.80", "1.00", "1.00", "1.00", "1.00"]
    places = [text.get_position() for text in axes[0].texts]
    assert places == [(1.5, 1.5), (5.5, 1.5), (9.5, 1.5), (1.5, 5.5), (5.5, 5.5), (9.5, 5.5)]
    frame, tint = axes[0].images
    assert frame.get_extent() == tint.get_extent()
    np.testing.assert_array_equal(tint.get_array(), [[0.2, 1.8, 1], [1, 1, 1]])
    assert (tint.norm.vmin, tint.norm(1.0), tint.norm.vmax) == pytest.approx((0.2, 0.5, 1.8))
    assert axes[1].images[1].norm(1.0) == 0.5  # one scale for all frames
    assert bar.get_ylim() == pytest.approx((0.2, 1.8))


def test_a_colour_bar_has_no_weight_below_0_and_one_weight_is_grey():
    (_, bar) = figures.region_weights(np.zeros((1, 4, 4)), np.array([[0.1, 3.5, 0.2, 0.2]]), (2, 2)).axes
    assert bar.get_ylim() == (0, 3.5)
    (ax, _) = figures.region_weights(np.zeros((1, 4, 4)), np.ones((1, 4)), (2, 2)).axes
    assert set(np.unique(ax.images[1].norm(np.ones(4)))) == {0.5}


def test_parts_are_drawn_in_the_colour_of_their_weight():
    joints = np.random.default_rng(0).normal(size=(3, 25, 3))
    joints[1] = 0  # not seen
    weights = np.array([[0.5, 1.5, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0.5]])
    fig = figures.part_weights(joints, weights, PARTS)
    first, second, third, _ = fig.axes
    assert [len(ax.get_lines()) for ax in (first, second, third)] == [24, 0, 24]  # each bone once, so in one part
    blue, grey, red = (to_rgba(results._around_one(weights).to_rgba(weight)) for weight in (0.5, 1, 1.5))
    assert len({blue, grey, red}) == 3
    drawn = {tuple(map(tuple, line.get_xydata())): line.get_color() for line in first.get_lines()}
    for bone, colour in (((20, 2), blue), ((7, 22), red), ((0, 16), grey)):  # trunk, left arm, right leg
        assert drawn[tuple(map(tuple, joints[0, bone, :2]))] == colour
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "trunk 0.83", "left arm 1.17", "right arm 1.00", "left leg 1.00", "right leg 0.83",
    ]  # fmt: skip


def test_weights_of_frames_or_of_the_first_body():
    frames, joints = np.zeros((2, 8, 8, 3), np.uint8), np.random.default_rng(0).normal(size=(2, 2, 25, 3))
    assert len(figures.weights(frames, np.ones((2, 4)), [2, 2], PARTS).axes[0].texts) == 4
    two_bodies = np.tile([[1.2, 0.8, 1, 1, 1, 0, 0, 0, 0, 0]], (2, 1))
    fig = figures.weights(joints, two_bodies, [2, 2], PARTS)
    np.testing.assert_array_equal(fig.axes[0].get_lines()[0].get_xydata(), joints[0, 0, [0, 1], :2])
    assert fig.legends[0].get_texts()[0].get_text() == "trunk 1.20"


def test_weights_of_another_shape():
    with pytest.raises(ValueError, match=r"weights have the shape \(2, 3\), expected \(2, 4\): 2 frames of 2×2"):
        figures.region_weights(np.zeros((2, 8, 8)), np.ones((2, 3)), (2, 2))
    with pytest.raises(ValueError, match=r"weights have the shape \(5,\), expected \(2, 5\): frames and parts"):
        figures.part_weights(np.ones((2, 25, 3)), np.ones(5), PARTS)


def test_intervals_from_top_to_bottom():
    rows = pd.DataFrame({"dataset": "x", "label": ["wtmr", "wtmr depth=0", "other"], "top1": [0.5, 0.6, 0.3],
                         "top1_low": 0.2, "top1_high": 0.8, "difference": [np.nan, 0.1, -0.2],
                         "difference_low": [np.nan, 0, -0.3], "difference_high": [np.nan, 0.3, 0.1]})  # fmt: skip
    (ax,) = figures.intervals(rows, "difference").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x wtmr", "x depth=0", "x other"]
    assert ax.get_ylim() == (2.5, -0.5)  # the first above
    drawn = [piece.tolist() for piece in ax.collections[0].get_segments() if len(piece)]
    assert drawn == [[[0, 1], [0.3, 1]], [[-0.3, 2], [0.1, 2]]]
    line, dots = ax.get_lines()
    assert set(line.get_xdata()) == {0}
    np.testing.assert_array_equal(dots.get_xydata(), [[np.nan, 0], [0.1, 1], [-0.2, 2]])
    (dots,) = figures.intervals(rows).axes[0].get_lines()  # of accuracies, and no line at 0
    np.testing.assert_array_equal(dots.get_ydata(), [0, 1, 2])
    np.testing.assert_array_equal(dots.get_xdata(), rows.top1)


def test_printed_accuracies_stand_beside_validation():
    table = pd.DataFrame({"dataset": ["a", "b"], "model": ["m", "m"], "printed": [0.9, 0.6], "log_val": [0.5, 0.4],
                          "val_low": [0.4, 0.3], "val_high": [0.6, 0.5]})  # fmt: skip
    lines = {line.get_label(): line for line in figures.printed_accuracies(table).axes[0].get_lines()}
    np.testing.assert_array_equal(lines["printed in the table"].get_xydata(), [[0.9, 0], [0.6, 1]])
    low, high = sorted(figures.printed_accuracies(table).axes[0].get_ylim())
    assert low < -0.5 < 1.5 < high  # no row lies on the border


def test_a_shown_figure_is_described_by_its_data_and_closed(monkeypatch):
    fig = figures.printed_accuracies(
        pd.DataFrame({"dataset": ["a"], "model": ["m"], "printed": [0.9], "log_val": [1 / 3], "val_low": [0.3],
                      "val_high": [0.5]})
    )  # fmt: skip
    shown = []
    monkeypatch.setattr("wtmr_core.paper.figures.output.display", shown.append)
    figures.show(fig)
    assert not figures.plt.fignum_exists(fig.number)
    bundle = shown[0]._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == repr(shown[0]) == figures.describe(fig)
    assert "x 0.333; y 0" in bundle["text/plain"]  # 1/3 is drawn in the row 0


def test_a_description_follows_the_data_but_not_its_last_digits():
    def described(value: float) -> str:
        fig, ax = figures.plt.subplots()
        ax.bar(["one", "two"], [0.5, value], label="bars")
        ax.plot(np.arange(30), np.full(30, value), label="a line")
        ax.imshow(np.full((4, 5), value))
        figures.plt.close(fig)
        return figures.describe(fig)

    assert described(0.25) == described(0.25 + 1e-9)
    assert described(0.25) != described(0.26)
    for words in ("bars “bars”: 0.5 0.25", "line “a line”: x 30 values, 0 to 29, mean 14.5; y 30", "image 4×5: 20"):
        assert words in described(0.25)


def test_a_saved_figure_is_png_and_pdf_with_the_same_bytes_each_time(tmp_path):
    stems = [tmp_path / "new folder" / name for name in ("one v1.5", "two v1.5")]
    for stem in stems:
        fig = figures.counts({"sit": {"train": 3, "test": 1}})
        figures.save(fig, stem)
    for end in (".png", ".pdf"):
        one, two = (stem.with_name(stem.name + end).read_bytes() for stem in stems)
        assert one == two
        assert b"Date" not in one
    with Image.open(f"{stems[0]}.png") as picture:
        assert picture.mode == "P"
        assert picture.size == tuple(np.floor(fig.get_size_inches() * 200))
    assert len(list(tmp_path.rglob("*"))) == 5  # nothing lies beside them
