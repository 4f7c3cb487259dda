"""Which epoch of a run counts: the one whose weights are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

WINDOW = 5  # epochs whose validation accuracies are averaged
FEWEST_CLIPS = 200  # of validation, to choose by: of fewer, one more or less moves the accuracy by over half a point


def chosen_epoch(history: Sequence[Mapping[str, Any]], clips: int, choice: str) -> int:
    """Choose the epoch of a run whose weights count; returns its number, from 1.

    An epoch that is chosen in a long history is also chosen in the history that ends with it, so its weights can be
    kept when it comes.

    Args:
        history: one row per epoch with `val_accuracy` (0-1) and `val_loss`
        clips: number of validation clips
        choice: the setting `epoch_choice`. `last` is the last epoch. `smoothed` is the one with the best mean
            validation accuracy over the five epochs that end with it (fewer at the start), the last among equals; with
            fewer than 200 validation clips chance would decide, so the last epoch counts. `best` is the one with the
            best validation accuracy, among equals the one with the lowest loss; one clip, or the eighth digit of a
            loss, may decide it, so it only serves to repeat runs that used it.
    """
    numbers = range(1, len(history) + 1)
    if choice == "best" and clips:
        return max(numbers, key=lambda n: (history[n - 1]["val_accuracy"], -history[n - 1]["val_loss"]))
    if choice == "smoothed" and clips >= FEWEST_CLIPS:
        right = [round(row["val_accuracy"] * clips) for row in history]  # whole numbers: equals are equal
        return max(numbers, key=lambda n: (_mean(right[max(0, n - WINDOW) : n]), n))
    return len(history)


def in_words(history: Sequence[Mapping[str, Any]], clips: int, choice: str) -> str:
    """What `chosen_epoch` chose, and why."""
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
