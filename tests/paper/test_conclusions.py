"""What the notebooks conclude from their tables."""

import numpy as np
import pandas as pd
import pytest

from wtmr_core.paper import conclusions, names


def compared(**differences) -> pd.DataFrame:
    """Rows of differences: label -> difference, low, high, p."""
    columns = ["difference", "difference_low", "difference_high", "p"]
    rows = [{"label": label, **dict(zip(columns, values, strict=True))} for label, values in differences.items()]
    return pd.DataFrame(rows)


def test_a_difference_is_clear_by_its_interval_and_by_its_p():
    rows = compared(**{
        "wtmr": [np.nan] * 4,
        "released-wtmr": [-0.2, -0.3, -0.1, 0.001],
        "released-wmrc": [-0.04, -0.09, 0.01, 0.04],
        "linear": [0.03, 0.01, 0.05, 0.05],
        "released-timesformer": [-0.02, -0.03, -0.01, 0.06],
    })  # fmt: skip
    assert conclusions.standing(rows) == (
        "clearly above it: linear layer (+3.0 points); "
        "clearly below it: WTMR-Net (−20.0 points); "
        "no clear difference: WMRC-Net (−4.0 points) and TimeSformer (−2.0 points)"
    )


def test_variants_by_their_own_words_and_nothing_to_compare():
    rows = compared(**{"wtmr depth=0": [0.0, -0.1, 0.0, 1.0]})
    assert conclusions.standing(rows, names.variant) == "no clear difference: CNN alone (+0.0 points)"
    assert conclusions.standing(compared(wtmr=[np.nan] * 4)) == "there is nothing to compare it with"


def test_each_data_set_has_its_line():
    rows = compared(**{"wtmr depth=0": [-0.1, -0.2, -0.05, 0.01], "wtmr cnn=False": [0.1, 0.05, 0.2, 0.01]})
    assert conclusions.by_dataset(rows.assign(dataset=["ntu60", "hmdb51"]), names.variant) == (
        "* NTU RGB+D: clearly below it: CNN alone (−10.0 points).\n"
        "* HMDB51: clearly above it: TimeSformer alone (+10.0 points)."
    )


def test_clear_differences_are_counted_beside_those_of_chance():
    rows = compared(**{
        "wtmr": [np.nan] * 4, "wtmr depth=0": [-0.1, -0.2, -0.05, 0.01], "wtmr cnn=False": [0.1, 0.05, 0.2, 0.06],
    })  # fmt: skip
    assert conclusions.by_chance(rows).startswith("Of 2 differences 1 is clear; by chance alone")
    assert conclusions.by_chance(pd.concat([rows] * 10)).endswith("Of 20 differences 10 are clear; by chance alone "
        "about one in twenty is, here 1.")  # fmt: skip
    for times, expected in ((5, "0.5"), (150, "15")):
        assert conclusions.by_chance(pd.concat([rows] * times)).endswith(f"is, here {expected}.")


def test_the_network_compared_with_is_the_one_without_a_difference():
    rows = compared(**{"wtmr": [np.nan] * 4, "linear": [0.0, -0.1, 0.1, 1.0]})
    rows = rows.assign(top1=[0.728, 0.728], top1_low=[0.682, 0.6], top1_high=[0.771, 0.8])
    assert conclusions.against(rows) == (
        "**WTMR-Net, described**, 72.8 % (68.2–77.1) right; no clear difference: linear layer (+0.0 points)"
    )
    for some in (rows[1:], pd.concat([rows, rows])):
        with pytest.raises(ValueError, match="rows have no difference"):
            conclusions.against(some)
