"""Which epoch counts: worked by hand, and untouched by what is noise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.epochs import chosen_epoch, in_words


def history(right, clips, losses=None) -> list[dict[str, float]]:
    """Rows of epochs with so many of the validation clips `right`."""
    losses = losses or [1.0] * len(right)
    rows = zip(right, losses, strict=True)
    return [{"epoch": n, "val_accuracy": r / clips, "val_loss": loss} for n, (r, loss) in enumerate(rows, 1)]


@pytest.mark.parametrize(
    ("right", "chosen"),
    [
        ([50], 1),
        ([50, 80, 60, 60, 60, 70, 60], 6),  # means 50, 65, 63.3, 62.5, 62, 66, 62
        ([10, 20, 30, 40, 50, 60, 70], 7),
        ([0, 0, 0, 0, 200, 0, 0, 0, 0, 0], 9),  # the five windows with the lucky epoch are equal: the last of them
        ([200, 0, 0, 0, 0, 100, 100, 100, 100, 100], 1),  # a window of one at the start
        ([100, 100, 100], 3),
        ([30, 10, 20, 30, 30, 30, 30, 30, 30, 29], 9),
    ],
)
def test_smoothed_by_hand(right, chosen):
    assert chosen_epoch(history(right, 200), 200, "smoothed") == chosen


def test_smoothed_needs_two_hundred_clips():
    rows = history([150, 10, 10, 10, 10, 10], 199)
    assert chosen_epoch(rows, 199, "smoothed") == 6
    assert in_words(rows, 199, "smoothed") == "last of 6: 199 validation clips are too few to choose by"
    rows = history([150, 10, 10, 10, 10, 10], 200)
    assert chosen_epoch(rows, 200, "smoothed") == 1
    assert in_words(rows, 200, "smoothed") == "1 of 6: the best mean accuracy over 5 epochs on 200 validation clips"


def test_best_and_last_by_hand():
    rows = history([10, 30, 30, 20], 38, [1.0, 0.5, 0.5 - 1e-8, 0.1])
    assert chosen_epoch(rows, 38, "best") == 3  # which is why it is no longer the default
    assert in_words(rows, 38, "best") == "3 of 4: the best accuracy, then the lowest loss, on 38 validation clips"
    assert chosen_epoch(rows, 38, "last") == 4
    assert in_words(rows, 38, "last") == "last of 4"
    assert chosen_epoch(rows, 0, "best") == 4


epochs = st.tuples(st.integers(200, 500), st.lists(st.integers(0, 200), min_size=1, max_size=30))


@given(epochs, st.sampled_from(["last", "smoothed"]), st.integers())
def test_noise_changes_nothing(run, choice, seed):
    clips, right = run
    rows, draw = history(right, clips), random.Random(seed)
    noisy = [{k: v + draw.uniform(-1e-7, 1e-7) for k, v in row.items()} for row in rows]
    assert chosen_epoch(noisy, clips, choice) == chosen_epoch(rows, clips, choice)


@given(epochs, st.sampled_from(["last", "smoothed", "best"]))
def test_the_weights_kept_on_the_way_are_those_chosen_at_the_end(run, choice):
    """Kept is the network of each epoch that is chosen when it comes; the last such one is the one chosen."""
    clips, right = run
    rows = history(right, clips)
    kept = [n for n in range(1, len(rows) + 1) if chosen_epoch(rows[:n], clips, choice) == n]
    assert kept[-1] == chosen_epoch(rows, clips, choice)
