"""What the notebooks conclude from their tables."""

import numpy as np
import pandas as pd

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
