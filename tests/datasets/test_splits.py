"""Parts that do not leak, and the published one that does."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtmr_core.datasets import DataError
from wtmr_core.datasets.splits import FEWEST_GROUPS, fold_numbers, official_parts, sampled_parts


def samples(groups: int, per_group: int = 6, classes: int = 3, test: int = 5) -> pd.DataFrame:
    rows = [(k % classes, f"g{g}", "train") for g in range(groups) for k in range(per_group)]
    rows += [(k % classes, "other", "test") for k in range(test)]
    return pd.DataFrame(rows, columns=["label", "group", "split"]).assign(unit=lambda t: t.group)


def is_a_partition(parts, rows):
    together = np.concatenate(list(parts.values()))
    assert sorted(together) == list(rows)


@given(st.integers(FEWEST_GROUPS, 30), st.integers(2, 8), st.floats(0.05, 0.5), st.integers(0, 99))
def test_validation_shares_no_group_with_training(groups, per_group, fraction, seed):
    table = samples(groups, per_group)
    parts, said = official_parts(table, fraction, seed)
    is_a_partition(parts, range(len(table)))
    assert set(table.group[parts["train"]]).isdisjoint(table.group[parts["val"]])
    assert (table.split[parts["test"]] == "test").all()
    assert said.startswith("by group")
    assert len(parts["val"]) > 0


@given(st.integers(1, FEWEST_GROUPS - 1), st.integers(0, 99))
def test_too_few_groups_are_cut_by_clip_and_said(groups, seed):
    table = samples(groups, per_group=20)
    parts, said = official_parts(table, 0.2, seed)
    is_a_partition(parts, range(len(table)))
    assert said == f"by clip: train has only {groups} groups"
    assert set(table.label[parts["val"]]) == {0, 1, 2}


def test_the_same_seed_the_same_parts():
    table = samples(12)
    one, two, other = (official_parts(table, 0.2, seed)[0]["val"].tolist() for seed in (3, 3, 4))
    assert one == two != other


@given(st.integers(15, 30), st.integers(1, 6), st.integers(2, 5))
def test_folds_part_no_group_and_are_the_same_for_any_name_of_a_class(groups, per_group, count):
    clips = np.repeat(np.arange(groups), per_group)
    number = fold_numbers(clips % 3, clips, count)
    assert set(number) == set(range(count))
    assert all(len(set(number[clips == g])) == 1 for g in range(groups))
    np.testing.assert_array_equal(
        number, fold_numbers([f"class {k}" for k in clips % 3], [f"{g:02}" for g in clips], count)
    )


@pytest.mark.parametrize(
    ("labels", "groups", "says"),
    [
        ([0] * 8, [0, 0, 1, 1, 2, 2, 3, 3], "there are 4 groups, and the largest class has 8 clips"),
        ([0, 0, 0, 0, 1, 1, 1, 1], range(8), "there are 8 groups, and the largest class has 4 clips"),
        ([], [], "there are 0 groups"),
    ],
)
def test_too_few_clips_for_the_folds(labels, groups, says):
    with pytest.raises(DataError, match=f"5 folds need as many groups of clips and a class of as many clips; {says}"):
        fold_numbers(labels, groups, 5)


def test_the_published_draw_is_80_20_by_clip():
    table = pd.DataFrame(index=range(6766))
    parts, method = sampled_parts(table, 0.2, seed=0)
    assert method == "20 % of all clips, sampled by clip"
    assert (len(parts["train"]), len(parts["val"])) == (5412, 1354)  # as in the paper's logs
    np.testing.assert_array_equal(parts["val"], parts["test"])
    is_a_partition({k: parts[k] for k in ("train", "val")}, range(6766))
    assert parts["train"].tolist() != sampled_parts(table, 0.2, seed=1)[0]["train"].tolist()


def test_svideoqas_published_counts():
    parts, _ = sampled_parts(pd.DataFrame(index=range(726)), 0.2, seed=0)
    assert (len(parts["train"]), len(parts["val"])) == (580, 146)


@pytest.mark.parametrize("clips", [0, 1])
def test_too_few_clips_to_sample(clips):
    with pytest.raises(DataError, match=f"{clips} clips are too few to sample 0.2 of them"):
        sampled_parts(pd.DataFrame(index=range(clips)), 0.2, 0)


def test_unused_clips_stay_out():
    table = pd.concat(
        [samples(8), pd.DataFrame({"label": [0], "group": ["u"], "split": ["unused"], "unit": ["u"]})],
        ignore_index=True,
    )
    parts, _ = official_parts(table, 0.2, 0)
    assert len(table) - 1 not in np.concatenate(list(parts.values()))


def test_an_empty_part_is_refused():
    with pytest.raises(DataError, match="0 test clips"):
        official_parts(samples(6, test=0), 0.2, 0)
