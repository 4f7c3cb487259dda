"""Which epoch of a run counts: the one whose weights are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

WINDOW = 5  # epochs whose validation accuracies are averaged
FEWEST_CLIPS = 200  # of validation, to choose by: of fewer, one more or less moves the accuracy by over half a point


def chosen_epoch(history: Sequence[Mapping[str, Any]], clips: int, choice: str) -> int:
    """The number, from 1, of the epoch of a run that counts.

    `last` is the last one. `smoothed` is the one at which the mean validation accuracy over the five epochs that end
    with it (fewer at the start) is highest, of equals the last; but with fewer than 200 validation clips chance would
    decide, and the last epoch counts. `best` is the one with the highest validation accuracy, of equals the one with
    the lowest loss: a clip more or less, or the eighth digit of a loss, decides, so it serves only to make runs again
    that were made by it.

    `history` has a row an epoch with `val_accuracy` (0-1) and `val_loss`; `clips` is how many validation has; `choice`
    is the setting `epoch_choice`. An epoch is chosen in the history up to it if it is in a longer one, so its weights
    can be kept when it comes.
    """
    numbers = range(1, len(history) + 1)
    if choice == "best" and clips:
        return max(numbers, key=lambda n: (history[n - 1]["val_accuracy"], -history[n - 1]["val_loss"]))
    if choice == "smoothed" and clips >= FEWEST_CLIPS:
        right = [round(row["val_accuracy"] * clips) for row in history]  # whole numbers: equals are equal
        return max(numbers, key=lambda n: (_mean(right[max(0, n - WINDOW) : n]), n))
    return len(history)


def in_words(history: Sequence[Mapping[str, Any]], clips: int, choice: str) -> str:
    """What `chosen_epoch` chose and by what."""
    chosen = chosen_epoch(history, clips, choice)
    last, which = f"last of {len(history)}", f"{chosen} of {len(history)}"
    if choice == "last":
        return last
    if not clips or (choice == "smoothed" and clips < FEWEST_CLIPS):
        return f"{last}: {clips} validation clips are too few to choose by"
    if choice == "smoothed":
        return f"{which}: the best mean accuracy over {WINDOW} epochs on {clips} validation clips"
    return f"{which}: the best accuracy, then the lowest loss, on {clips} validation clips"


def _mean(right: Sequence[int]) -> Fraction:
    return Fraction(sum(right), len(right))
