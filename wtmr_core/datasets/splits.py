"""Which clips are for training, which choose the epoch, and which are used once, at the end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from wtmr_core.datasets.index import DataError

FEWEST_GROUPS = 5  # a part cut from fewer is a part of one film or one person


def cut_by_group(labels: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide clips into a larger and a smaller part, about one in `folds`, so that no group is in both: their rows.

    Stratified by class where a class has enough clips.

    Args:
        labels: (b,) class numbers
        groups: (b,) the group of each clip
        folds: the smaller part is about 1 / folds of all clips
        seed: of the choice
    """
    if np.unique(labels, return_counts=True)[1].max() < folds:
        cut = GroupShuffleSplit(1, test_size=1 / folds, random_state=seed).split(labels, labels, groups)
    else:
        cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # that some classes are small is known
        return next(cut)


def fold_numbers(labels: Sequence, groups: Sequence, count: int) -> np.ndarray:
    """Number the fold (0 to `count` - 1) of each clip, for cross-validation: always the same, and no group is divided.

    Stratified by class as far as groups allow. Raises `DataError` where there are fewer groups than folds, or no class
    has a clip for each fold.
    """
    labels, groups = np.asarray(labels), np.asarray(groups)
    group_count, largest = len(np.unique(groups)), np.unique(labels, return_counts=True)[1].max(initial=0)
    if min(group_count, largest) < count:
        raise DataError(
            f"{count} folds need as many groups of clips and a class of as many clips; there are "
            f"{group_count} groups, and the largest class has {largest} clips"
        )
    number = np.empty(len(labels), int)
    with warnings.catch_warnings(category=UserWarning, action="ignore"):  # as above
        cuts = StratifiedGroupKFold(count, shuffle=True, random_state=0).split(labels, labels, groups)
        for fold, (_, rows) in enumerate(cuts):
            number[rows] = fold
    return number


def sampled_parts(samples: pd.DataFrame, fraction: float, seed: int) -> tuple[dict[str, np.ndarray], str]:
    """Divide clips as the paper did: a random `fraction` of all clips (there 0.2) is both validation and test.

    Clips of one film or performer fall on both sides. The paper sampled without a seed; here there is one.

    Returns:
        Row numbers of `samples` by part, and in words how validation was split off.

    Raises:
        DataError: where a part would be empty.
    """
    order = np.random.default_rng(seed).permutation(len(samples))
    cut = int((1 - fraction) * len(samples))
    if not 0 < cut < len(samples):
        raise DataError(f"{len(samples)} clips are too few to sample {fraction:g} of them for validation")
    parts = {"train": np.sort(order[:cut]), "val": np.sort(order[cut:]), "test": np.sort(order[cut:])}
    return parts, f"{fraction:.0%} of all clips, sampled by clip".replace("%", " %")


def known_groups(groups: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> float:
    """The share of the rows `held_out` whose group also has a row in `train`: 0 where nothing leaks."""
    return float(np.isin(groups[held_out], groups[train]).mean())


def official_parts(samples: pd.DataFrame, fraction: float, seed: int) -> tuple[dict[str, np.ndarray], str]:
    """Take the split's own train and test, and set validation aside.

    A split that has its own part `val` keeps it, and all of train. Otherwise about `fraction` of train's units (see
    `Index`) become validation: by group, stratified by class, or by clip where train has fewer than `FEWEST_GROUPS`
    groups. A fraction of 0 leaves it empty.

    Returns:
        Row numbers of `samples` by part, and in words how validation was split off.

    Raises:
        DataError: where train or test is empty.
    """
    train, val, test = (np.flatnonzero(samples.split == part) for part in ("train", "val", "test"))
    if not len(train) or not len(test):
        raise DataError(f"the split has {len(train)} training and {len(test)} test clips: neither may be 0")
    if len(val):
        return {"train": train, "val": val, "test": test}, f"the set's own: {len(val):,} clips"
    labels, groups = samples.label.to_numpy()[train], samples.unit.to_numpy()[train]
    if not fraction:
        return {"train": train, "val": train[:0], "test": test}, "none: all of train is trained on"
    if len(np.unique(groups)) < FEWEST_GROUPS:
        enough = np.bincount(labels)[np.unique(labels)].min() >= 2 and fraction * len(train) >= len(np.unique(labels))
        kept, val = train_test_split(train, test_size=fraction, random_state=seed, stratify=labels if enough else None)
        method = f"by clip: train has only {len(np.unique(groups))} groups"
    else:
        folds = min(max(2, round(1 / fraction)), len(np.unique(groups)))
        inside, outside = cut_by_group(labels, groups, folds, seed)
        kept, val = train[inside], train[outside]
        method = f"by group: {len(np.unique(groups[outside]))} of {len(np.unique(groups))}"
    return {"train": np.sort(kept), "val": np.sort(val), "test": test}, method
