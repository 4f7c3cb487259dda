"""Figures show what they are given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgba
from PIL import Image

from wtmr_core.paper import figures, names, published
from wtmr_core.paper.figures import output, style
from wtmr_core.paper.figures.weights import SCALE
from wtmr_core.skeleton import PARTS


def marked(ax) -> list[tuple[str, float, float]]:
    """Marker, x and y of each single point that is drawn."""
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 1 and not np.isnan(line.get_xydata()).any()]
    return [(line.get_marker(), *line.get_xydata()[0].round(6)) for line in lines]


def test_every_network_has_a_colour_of_its_own_however_it_is_named():
    colours = {model: style.colour(model) for model in names.NETWORKS}
    assert len(set(colours.values())) == len(names.NETWORKS) - 1  # one that is chosen among variants is no network
    assert style.colour("wtmr depth=0") == style.colour("WTMR-Net, described") == colours["wtmr"]
    assert style.colour("WTMR-Net") == colours["released-wtmr"]
    assert style.colour("another") == style.GREY


def test_bars_are_the_counts():
    fig = figures.counts({"sit": {"train": 3, "test": 1}, "fall_floor": {"train": 2}})
    (ax,) = fig.axes
    assert sorted(bar.get_width() for bar in ax.patches) == [0, 1, 2, 3]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sit", "fall floor"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["training", "test"]


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


def test_published_curves_have_axes_of_their_own():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2, 1], "train_accuracy": [0.5, 0.6]})
    history = history.assign(val_loss=np.nan, val_accuracy=np.nan)
    paper = published.epochs("hmdb51", "released-wtmr")
    fig = figures.learning_curves(history, paper, "title", 0.1, "released-wtmr", (8, 51))
    loss, paper_loss, accuracy, paper_accuracy = fig.axes
    assert [ax.get_title() for ax in (loss, paper_loss)] == ["this run, 8 classes", "published, 51 classes"]
    np.testing.assert_allclose(loss.get_lines()[0].get_ydata(), [2, 1])
    np.testing.assert_allclose(paper_loss.get_lines()[1].get_ydata(), paper.val_loss)
    np.testing.assert_allclose(paper_accuracy.get_lines()[0].get_ydata(), 100 * paper.train_accuracy)
    np.testing.assert_allclose(accuracy.get_lines()[2].get_ydata(), 10)  # chance
    assert not paper_loss.get_shared_y_axes().joined(loss, paper_loss)
    alone = figures.learning_curves(history, paper[:0], "title", 0.1)
    assert len(alone.axes) == 2
    assert "validation" not in [text.get_text() for text in alone.legends[0].get_texts()]  # nothing was validated


def matrix(k: int) -> pd.DataFrame:
    classes = [f"class {i}" for i in range(k)]
    return pd.DataFrame(
        np.diag([*range(k - 1), 7]), pd.Index(classes, name="true"), pd.Index(classes, name="predicted")
    )


def test_a_matrix_shows_clips_and_shares():
    fig = figures.confusion({"one": matrix(3), "two": matrix(13)})
    one, two, bar = fig.axes
    assert [ax.get_title() for ax in (one, two)] == ["one", "two"]
    assert [text.get_text() for text in figures.confusion({"one": matrix(3)}).axes[0].texts] == list("000010007")
    np.testing.assert_array_equal(one.images[0].get_array(), np.diag([0, 100, 100]))  # a class without clips is white
    assert not two.texts  # too many classes for numbers
    assert bar.get_ylabel() == "share of the true class, %"


@pytest.mark.parametrize("others", [4, 20], ids=["side by side", "one above the other"])
def test_matrices_have_cells_of_one_size(others):
    fig = figures.confusion({"one": matrix(6), "two": matrix(others)})
    output.png(fig)  # lays it out
    boxes = [ax.get_window_extent() for ax in fig.axes[:2]]
    cells = [(box.width / k, box.height / k) for box, k in zip(boxes, (6, others), strict=True)]
    np.testing.assert_allclose(cells, cells[0][0], rtol=0.03)
    assert (abs(boxes[0].y1 - boxes[1].y1) < 1) == (others == 4)


def test_ablation_draws_every_row_and_says_what_is_not_published():
    given = {"dataset": ["a", "a", "b"], "model": ["x", "wtmr", "x"], "runs": [3, 1, 1],
             "published_train_loss": [1, np.nan, 2], "published_train_accuracy": [0.9, np.nan, 0.8],
             "published_val_accuracy": [0.4, np.nan, np.nan]}  # fmt: skip
    for what in ("train_loss", "train_accuracy", "test_accuracy"):
        given |= {what: [0.5, 0.6, 0.7], f"{what}_low": [0.4, 0.6, 0.7], f"{what}_high": [0.8, 0.6, 0.7]}
    table = pd.DataFrame(given)
    paper_a, paper_b, loss_a, loss_b, accuracy_a, accuracy_b = figures.ablation(table).axes
    assert [ax.get_title() for ax in (paper_a, paper_b)] == ["a", "b"]
    assert [label.get_text() for label in accuracy_a.get_yticklabels()] == ["x", "WTMR-Net, described"]
    assert [(mark, x) for mark, x, _ in marked(accuracy_a)] == [("^", 90), ("s", 40), ("^", 50), ("^", 60), ("o", 50),
                                                                ("o", 60)]  # fmt: skip
    assert [(mark, x) for mark, x, _ in marked(accuracy_b)] == [("^", 80), ("^", 70), ("o", 70)]
    assert [text.get_text() for text in paper_a.texts] == ["not published"]
    assert not paper_b.texts
    (whisker,) = [piece for lines in loss_a.collections for piece in lines.get_segments()]
    np.testing.assert_allclose(whisker[:, 0], [0.4, 0.8])
    assert [ax.get_xlabel() for ax in (paper_a, loss_b)] == ["training loss, published", "training loss, these runs"]
    assert len(figures.ablation(table.assign(published_train_loss=np.nan)).axes) == 4


def test_each_accuracy_stands_at_the_cost_of_the_network_that_reached_it():
    table = pd.DataFrame(
        {"dataset": ["a", "b", "b"], "model": ["x", "x", "y"], "complete_gmacs": [98.2, 2.4, 50],
         "measured_gmacs": [0.1, 0.2, 0.3], "published_train_accuracy": [0.98, 0.5, np.nan],
         "published_val_accuracy": [0.45, np.nan, np.nan], "measured_test_accuracy": [0.4, 0.3, 0.2]}
    )  # fmt: skip
    a, b = figures.accuracy_cost(table).axes
    assert marked(a) == [("^", 98.2, 98), ("s", 98.2, 45), ("o", 0.1, 40)]
    assert marked(b) == [("^", 2.4, 50), ("o", 0.2, 30), ("o", 0.3, 20)]
    assert (a.get_title(), a.get_xscale()) == ("a", "log")


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
    fig = figures.region_weights(frames, weights, (2, 3), "HMDB51: sit")
    *axes, bar = fig.axes
    assert fig.get_suptitle() == "HMDB51: sit"
    assert [text.get_text() for text in axes[0].texts] == ["0.20", "1.80", "1.00", "1.00", "1.00", "1.00"]
    places = [text.get_position() for text in axes[0].texts]
    assert places == [(1.5, 1.5), (5.5, 1.5), (9.5, 1.5), (1.5, 5.5), (5.5, 5.5), (9.5, 5.5)]
    frame, tint = axes[0].images
    assert frame.get_extent() == tint.get_extent()
    np.testing.assert_array_equal(tint.get_array(), [[0.2, 1.8, 1], [1, 1, 1]])
    assert bar.get_ylabel() == "weight"


def test_weights_have_the_same_colours_in_every_figure():
    for weight in (1.0, 3.0):
        (ax, bar) = figures.region_weights(np.zeros((1, 4, 4)), np.full((1, 4), weight), (2, 2)).axes
        assert (ax.images[1].norm.vmin, ax.images[1].norm.vmax) == bar.get_ylim() == (0.5, 1.5)


def test_parts_are_drawn_in_the_colour_of_their_weight():
    joints = np.random.default_rng(0).normal(size=(3, 25, 3))
    joints[1] = 0  # not seen
    weights = np.array([[0.5, 1.5, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0.5]])
    fig = figures.part_weights(joints, weights, PARTS)
    first, second, third, _ = fig.axes
    assert [len(ax.get_lines()) for ax in (first, second, third)] == [24, 0, 24]  # each bone once, so in one part
    blue, grey, red = (to_rgba(SCALE.to_rgba(weight)) for weight in (0.5, 1, 1.5))
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
    rows = pd.DataFrame({"dataset": "x", "label": ["wtmr", "wtmr depth=0", "linear"], "top1": [0.5, 0.6, 0.3],
                         "top1_low": 0.2, "top1_high": 0.8, "difference": [np.nan, 0.1, -0.2],
                         "difference_low": [np.nan, 0, -0.3], "difference_high": [np.nan, 0.3, 0.1]})  # fmt: skip
    (ax,) = figures.intervals(rows, "difference").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["CNN alone", "linear layer"]
    assert ax.get_ylim() == (1.5, -0.5)  # the first above
    (ranges,) = [piece for piece in ax.collections if isinstance(piece, LineCollection)]
    drawn = [piece.round(6).tolist() for piece in ranges.get_segments() if len(piece)]
    assert drawn == [[[0, 0], [30, 0]], [[-30, 1], [10, 1]]]
    (line,) = ax.get_lines()
    assert set(line.get_xdata()) == {0}
    ax = figures.intervals(rows).axes[0]
    assert not ax.get_lines()  # of accuracies, and no line at 0
    np.testing.assert_allclose(ax.collections[1].get_offsets(), [[50, 0], [60, 1], [30, 2]])
    colours = [to_hex(colour).upper() for colour in ax.collections[1].get_facecolors()]
    assert colours == [style.COLOURS[model] for model in ("wtmr", "wtmr", "linear")]
    assert figures.intervals(rows[:0]).axes  # a suite without variants


def test_printed_accuracies_stand_beside_validation():
    table = pd.DataFrame({"dataset": ["a", "b"], "model": ["m", "m"], "printed": [0.9, 0.6], "log_val": [0.5, 0.4],
                          "val_low": [0.4, 0.3], "val_high": [0.6, 0.5]})  # fmt: skip
    a, b = figures.printed_accuracies(table).axes
    assert (marked(a), marked(b)) == ([("s", 50, 0), ("^", 90, 0)], [("s", 40, 0), ("^", 60, 0)])
    assert [a.get_title(loc="left"), b.get_title(loc="left")] == ["a", "b"]


def test_a_shown_figure_is_described_by_its_data_and_closed(monkeypatch):
    fig, ax = pyplot.subplots()
    ax.plot([1 / 3], [0])
    shown = []
    monkeypatch.setattr("wtmr_core.paper.figures.output.display", shown.append)
    figures.show(fig)
    assert not pyplot.fignum_exists(fig.number)
    bundle = shown[0]._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == repr(shown[0]) == figures.describe(fig)
    assert "x 0.333; y 0" in bundle["text/plain"]


def test_a_description_follows_the_data_but_not_its_last_digits():
    def described(value: float) -> str:
        fig, ax = pyplot.subplots()
        ax.bar(["one", "two"], [0.5, value], label="bars")
        ax.plot(np.arange(30), np.full(30, value), label="a line")
        ax.imshow(np.full((4, 5), value))
        pyplot.close(fig)
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
