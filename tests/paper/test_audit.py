"""The audit of figures, splits and costs: each finding on the published figures, and on a case without the defect."""

import numpy as np
import pandas as pd
import pytest

from tests.conftest import PROJECT
from wtmr_core.files import RunError
from wtmr_core.paper import audit, published
from wtmr_core.paper.audit import accuracies, costs, finding, splits, trials
from wtmr_core.paper.audit.finding import AS_PUBLISHED, NOT_REPRODUCED, REPRODUCED, AuditError

KEPT = PROJECT / "results" / "audit"
WTMR, CNN, BASELINE = published.MODELS


def changed(table, value, column, **where):
    """A copy of a published table with one figure changed."""
    table = table.copy()
    rows = np.logical_and.reduce([table[key] == wanted for key, wanted in where.items()])
    assert rows.any()
    table.loc[rows, column] = value
    return table


def kept(tmp_path, *rows):
    """A folder with trials of (experiment, data, variation, seed, epoch, train, held out, augmented)."""
    made = [[trials.VERSION, *row, 80, 20, 0.5] for row in rows]
    pd.DataFrame(made, columns=trials.COLUMNS).to_csv(tmp_path / trials.FILE, index=False)
    return tmp_path


# -- 1: the table gives training accuracy ---------------------------------------------------------------------


def test_the_table_prints_the_training_accuracy():
    found = audit.training_accuracy()
    assert found.verdict == AS_PUBLISHED
    assert found.table.printed_is.value_counts().to_dict() == {"train": 5, "neither": 1}


def test_a_table_of_validation_accuracies_would_be_reproduced():
    table = published.table()
    ends = accuracies.ends().set_index(["dataset", "model"]).val_accuracy
    table["train_accuracy_pct"] = [100 * ends[row.dataset, row.model] for row in table.itertuples()]
    found = audit.training_accuracy(table)
    assert found.verdict == REPRODUCED
    assert set(found.table.printed_is) == {"val"}


def test_a_log_that_is_not_there_is_named():
    logs = published.epochs()
    with pytest.raises(AuditError, match="the logs has 0 rows of dataset hmdb51, model released-wtmr"):
        audit.training_accuracy(logs=logs[(logs.dataset != "hmdb51") | (logs.model != WTMR)])
    with pytest.raises(AuditError, match="no published log"):
        audit.training_accuracy(logs=logs[:0])


# -- 2: budgets -----------------------------------------------------------------------------------------------


def test_at_equal_epochs_a_tenth_of_the_lead_remains(tmp_path):
    found = audit.equal_budgets(kept(tmp_path))
    whole, equal = found.table.iloc[0], found.table.iloc[1]
    assert (whole.wtmr_epochs, whole.timesformer_epochs, equal.wtmr_epochs) == (50, 10, 10)
    assert whole.held_out_gap == pytest.approx(0.4557 - 0.1388)
    assert equal.held_out_gap == pytest.approx(0.1706 - 0.1388)
    assert found.verdict == AS_PUBLISHED
    assert "remain;" not in found.believe  # nothing was trained


def test_a_lead_that_remains_at_equal_epochs_is_reproduced(tmp_path):
    logs = changed(published.epochs(), 0.46, "val_accuracy", dataset="hmdb51", model=WTMR, epoch=10)
    assert audit.equal_budgets(kept(tmp_path), logs).verdict == REPRODUCED


def test_trials_are_compared_seed_by_seed(tmp_path):
    rows = []
    for seed in (0, 1):
        ends = (WTMR, 4, 0.3 + 0.2 * seed), (WTMR, 20, 0.6), (BASELINE, 4, 0.2 + 0.2 * seed), (BASELINE, 20, 0.6)
        rows += [("budget", "x", model, seed, epoch, 0.9, held, 0.5) for model, epoch, held in ends]
    table = audit.equal_budgets(kept(tmp_path, *rows)).table.iloc[2:]
    assert table.held_out_gap.tolist() == pytest.approx([0.3, 0.1, 0.0])
    assert table.low.iloc[1] == pytest.approx(0.1)  # of two equal differences


def test_what_remains_after_long_training_is_said_beside_what_remains_early():
    found = audit.equal_budgets(KEPT)
    assert "| miniature of HMDB51 | 20 against 20 | +17.2 | +25.5 (+23.3 to +27.8) |" in found.details.splitlines()
    believe = found.believe
    assert "after 10 epochs each, WTMR-Net led TimeSformer by +3.2 (+0.5 to +5.9) points" in believe
    assert "+25.5 (+23.3 to +27.8) points of +27.1 (+7.5 to +46.6) points on miniature of HMDB51" in believe


# -- 3: names -------------------------------------------------------------------------------------------------


def test_the_bar_of_wtmr_net_is_not_its_own():
    found = audit.swapped_names()
    assert found.verdict == NOT_REPRODUCED
    assert found.table["is_the_log's_end"].tolist() == [False, True]


def test_a_bar_at_which_its_own_log_ends_is_reproduced():
    bars = changed(published.ablation(), 0.5448, "train_accuracy", dataset="svideoqa", model=WTMR)
    bars = changed(bars, 1.2369, "train_loss", dataset="svideoqa", model=WTMR)
    assert audit.swapped_names(bars).verdict == REPRODUCED


def test_a_bar_that_nobodys_log_ends_at_is_not_decided():
    bars = changed(published.ablation(), 0.8, "train_accuracy", dataset="svideoqa", model=CNN)
    assert audit.swapped_names(bars).verdict.startswith("cannot be decided without")


def test_weights_load_strictly_into_their_own_network_alone():
    table = accuracies.strict_loads("svideoqa")
    assert (table.to_numpy() == np.eye(3, dtype=bool)).all()


# -- 4: matrices ----------------------------------------------------------------------------------------------


def test_a_part_drawn_again_follows_the_law():
    draws = splits.redrawn(1.0, 0.5, 6766)
    assert draws.mean() == pytest.approx(0.9, abs=1e-3)
    held = splits.redrawn(0.6, 0.6, 6766)
    assert held.mean() == pytest.approx(0.6, abs=1e-3)
    # by hand: a fifth of the clips, half of which are named rightly or wrongly by chance
    assert 0.005 < draws.std() < 0.015


def test_two_matrices_are_of_clips_trained_on_and_one_cannot_be_told():
    found = audit.redrawn_matrices()
    assert found.verdict == AS_PUBLISHED
    shows = found.table.set_index("dataset").shows
    assert shows.to_dict() == {"hmdb51": "clips trained on", "ntu60": "clips trained on", "svideoqa": "cannot be told"}
    hmdb51 = found.table.set_index("dataset").loc["hmdb51"]
    assert hmdb51.named == pytest.approx((26 + 80 + 21 + 22 + 21) / 212)


def test_a_matrix_of_held_out_clips_is_reproduced():
    matrix = published.confusion("hmdb51")
    matrix.loc["walk"] = [0, 46, 0, 0, 0, 54]
    matrix.loc["sit"] = matrix.loc["smile"] = matrix.loc["stand"] = matrix.loc["fall_floor"] = 0
    found = audit.redrawn_matrices({"hmdb51": matrix})
    assert found.verdict == REPRODUCED
    assert found.table.shows.tolist() == ["clips held out"]


def test_a_matrix_without_others_is_refused():
    matrix = published.confusion("hmdb51").drop(index="others")
    with pytest.raises(AuditError, match="the matrix of hmdb51 must have the same classes across and down"):
        audit.redrawn_matrices({"hmdb51": matrix})


# -- 6, 7, 8: costs -------------------------------------------------------------------------------------------


def test_the_counts_come_out_as_published_and_in_no_other_way():
    macs, parameters = audit.multiply_accumulates(), audit.parameters()
    assert (macs.verdict, parameters.verdict) == (AS_PUBLISHED, AS_PUBLISHED)
    assert macs.table.as_layers.all()
    assert not macs.table.as_flops.any()
    assert "38.7 times" in macs.result
    assert "3.1 times at equal input" in macs.result
    assert "4.5 times when attention is counted too" in macs.result
    assert (parameters.table.as_layers | parameters.table.as_all).all()


def test_complete_operations_and_all_parameters_would_be_reproduced():
    profile, counted = published.profile(), costs.as_profiled(costs.counts()).set_index(["dataset", "model"])
    for row in profile.itertuples():
        here = counted.loc[row.dataset, row.model]
        profile.loc[row.Index, ["params_m", "gmacs"]] = here.all_m, 2 * here.full_gmacs
    assert audit.multiply_accumulates(profile).verdict == REPRODUCED
    assert audit.parameters(profile).verdict == REPRODUCED


def test_a_figure_that_nothing_gives_is_not_reproduced():
    profile = changed(published.profile(), 50.0, "gmacs", dataset="ntu60", model=CNN)
    profile = changed(profile, 50.0, "params_m", dataset="ntu60", model=CNN)
    assert audit.multiply_accumulates(profile).verdict == NOT_REPRODUCED
    assert audit.parameters(profile).verdict == NOT_REPRODUCED


def test_a_figure_that_the_profile_lacks_is_named():
    profile = published.profile()
    with pytest.raises(AuditError, match="the profile has 0 rows of dataset ntu60, model released-wmrc"):
        audit.parameters(profile[(profile.dataset != "ntu60") | (profile.model != CNN)])


def test_the_clock_is_judged_on_a_gpu_alone():
    times = costs.clock([("ntu60", CNN)], "cpu", repeats=3)
    assert audit.throughput(times).verdict == audit.throughput().verdict
    assert "cannot be decided without a GPU" in audit.throughput(times).verdict
    times = times.assign(device="cuda", waited=0.01)
    assert audit.throughput(times.assign(returned=0.001)).verdict == AS_PUBLISHED
    assert audit.throughput(times.assign(returned=0.0099)).verdict == REPRODUCED


def test_a_published_time_faster_than_the_device_is_not_reproduced():
    profile = changed(published.profile(), 1e-6, "seconds_per_clip", dataset="hmdb51", model=WTMR)
    assert audit.throughput(profile=profile).verdict == NOT_REPRODUCED


# -- 10: splits that leak -------------------------------------------------------------------------------------


def leak(tmp_path, by_clips, by_groups):
    pairs = zip(by_clips, by_groups, strict=True)
    rows = [("leak", "x", by, seed, 20, 0.9, held, 0.5)
            for seed, pair in enumerate(pairs) for by, held in zip(("clips", "groups"), pair, strict=True)]  # fmt: skip
    return audit.leaking_splits(kept(tmp_path, *rows))


def test_optimism_beyond_its_interval_is_a_leak_and_none_is_none(tmp_path):
    found = leak(tmp_path, [0.8, 0.82, 0.81], [0.5, 0.52, 0.51])
    assert found.verdict == AS_PUBLISHED
    assert found.table.optimism.tolist() == pytest.approx([0.3])
    assert leak(tmp_path, [0.55, 0.56, 0.55], [0.56, 0.55, 0.55]).verdict == REPRODUCED
    assert leak(tmp_path, [0.5, 0.7, 0.6], [0.66, 0.5, 0.6]).verdict == "cannot be decided without more clips"


def test_a_split_without_its_counterpart_is_named(tmp_path):
    found = audit.leaking_splits(kept(tmp_path, ("leak", "x", "clips", 0, 20, 0.9, 0.5, 0.5)))
    assert found.verdict == "cannot be decided without the trials"
    assert "not trained yet on x" in found.result
    assert "not trained yet on anything" in audit.leaking_splits(kept(tmp_path)).result


# -- 15: one run ----------------------------------------------------------------------------------------------


def test_one_order_of_three_is_smaller_than_the_spread():
    found = audit.spread_of_a_run(PROJECT / "results")
    assert found.verdict.startswith("cannot be decided without further runs")
    orders = found.table.loc["orders"].set_index("dataset").larger
    assert orders.to_dict() == {"hmdb51": True, "ntu60": True, "svideoqa": False}


def test_leads_beyond_the_spread_are_reproduced():
    logs = changed(published.epochs(), 0.9, "val_accuracy", dataset="svideoqa", model=WTMR, epoch=30)
    assert audit.spread_of_a_run(PROJECT / "results", logs).verdict == REPRODUCED


def test_runs_that_are_absent_or_of_another_version_are_named(tmp_path):
    with pytest.raises(RunError, match=r"spread.csv does not read"):
        audit.spread_of_a_run(tmp_path)
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini/spread.csv").write_text("name,accuracy\na,1\n")
    with pytest.raises(RunError, match="has no column dataset"):
        audit.spread_of_a_run(tmp_path)


# -- kept trials and verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no .*trials.csv: `wtmr audit --train"),
        ("a,b\n1,2\n", "has no column version"),
        (
            ",".join(trials.COLUMNS) + "\n" + ",".join(["0"] * len(trials.COLUMNS)) + "\n",
            "is of version 0 of the trials",
        ),
        ("", "does not read as a table"),
    ],
)
def test_kept_trials_that_cannot_be_used_say_why(tmp_path, text, said):
    if text is not None:
        (tmp_path / trials.FILE).write_text(text)
    with pytest.raises(RunError, match=said):
        audit.leaking_splits(tmp_path)


def test_another_verdict_is_refused():
    with pytest.raises(AuditError, match="'wrong' is no verdict"):
        audit.Finding(1, "", "", "", "", "", "wrong", "")
    assert finding.undecided("data") == "cannot be decided without data"


def test_one_value_has_no_interval():
    with pytest.raises(AuditError, match="1 value says nothing"):
        finding.mean([0.5])
    with pytest.raises(AuditError, match="0 clips"):
        finding.share(0, 0)
