"""Tables rebuilt from run folders alone: rows, means and what is left out."""

import json

import numpy as np
import pandas as pd
import pytest

from wtmr_core import published, runs, tables
from wtmr_core.settings import Settings, SettingsError
from wtmr_core.suite import Entry, Suite


def suite_of(**own) -> Suite:
    """A suite of mini runs, name -> settings."""
    return Suite("some", {name: Entry(Settings.of({"scale": "mini", **given})) for name, given in own.items()})


def write_run(results, name, entry, *, train=0.8, test=0.5, loss=1.0, split="1"):
    """The folder of a finished run without weights, as the repository keeps it."""
    folder = runs.folder(results, entry.settings, "data")
    folder.mkdir(parents=True)
    runs.name(results, name, folder)
    held = entry.settings.identity() | {"split": split, "data": "data"}
    metrics = {"train_accuracy": train, "val_accuracy": 0.6, "test_accuracy": test, "test_is": "split 1", "epochs": 2,
               "chosen_epoch": 1, "seconds": 7.0, "clips_per_second": 3.0}  # fmt: skip
    environment = {"device": "CPU, some"}
    for name, value in ((runs.SETTINGS, held), (runs.ENVIRONMENT, environment), (runs.METRICS, metrics)):
        (folder / name).write_text(json.dumps(value))
    pd.DataFrame({"epoch": [1, 2], "train_loss": [loss, 9.0]}).to_csv(folder / runs.HISTORY, index=False)
    np.savez(folder / runs.PREDICTIONS, names=["a"], labels=[0], logits=[[1.0, 0.0]], classes=["sit", "walk"])


@pytest.fixture
def nine(tmp_path):
    """The nine networks as a suite, the last of the paper's table first, and their run folders."""
    names = published.profile()[tables.NETWORK].itertuples(index=False)
    suite = suite_of(**{f"{d}-{m}": {"dataset": d, "model": m} for d, m in reversed(list(names))})
    for i, (name, entry) in enumerate(suite.runs.items()):
        write_run(tmp_path, name, entry, test=i / 10)
    return suite, tmp_path


def test_the_performance_table(nine):
    table = tables.performance(*nine)
    profile = published.profile()
    assert table.columns.tolist() == tables.PERFORMANCE
    assert table[tables.NETWORK].equals(profile[tables.NETWORK])  # the paper's order, whatever the suite's
    for what in ("params_m", "gmacs"):  # all eighteen come out
        np.testing.assert_array_equal(table[f"reproduced_{what}"].round(2), table[f"published_{what}"])
    np.testing.assert_allclose(table.measured_test_accuracy, np.arange(8, -1, -1) / 10)
    table = table.set_index(tables.NETWORK)
    assert table.complete_gmacs["svideoqa", "released-wtmr"] == pytest.approx(99.15, abs=0.01)
    assert table.published_train_accuracy["svideoqa", "released-wtmr"] == 0.6345
    assert table.published_val_accuracy["ntu60", "released-wtmr"] == 0.6832
    assert np.isnan(table.published_train_accuracy["hmdb51", "released-wmrc"])


def test_what_is_left_out_is_in_no_table(nine):
    suite, results = nine
    out = {"hmdb51-released-wtmr": "no recordings"} | dict.fromkeys((n for n in suite.runs if "ntu60" in n), "no time")
    for table in (make(suite, results, out) for make in (tables.performance, tables.ablation, tables.every_run)):
        assert len(table) == 5
        assert "ntu60" not in set(table.dataset)
        assert ("hmdb51", "released-wtmr") not in set(table[tables.NETWORK].itertuples(index=False, name=None))


def test_splits_and_seeds_are_averaged(tmp_path):
    suite = suite_of(**{f"run-{s}": {"dataset": "hmdb51", "split": s, "seed": int(s)} for s in "123"})
    for (name, entry), test, loss in zip(suite.runs.items(), (0.2, 0.3, 0.7), (1, 2, 6), strict=True):
        write_run(tmp_path, name, entry, test=test, loss=loss, split=entry.settings.split)
    (row,) = tables.ablation(suite, tmp_path).to_dict("records")
    assert (row["model"], row["runs"]) == ("released-wtmr", 3)
    found = [row[f"{what}{end}"] for what in ("test_accuracy", "train_loss") for end in ("", "_low", "_high")]
    np.testing.assert_allclose(found, [0.4, 0.2, 0.7, 3, 1, 6])  # loss at the chosen epoch
    assert (row["published_train_loss"], row["published_val_accuracy"]) == (0.0665, 0.4557)
    (row,) = tables.performance(suite, tmp_path).to_dict("records")
    assert row["measured_test_accuracy"] == pytest.approx(0.4)
    every = tables.every_run(suite, tmp_path)
    assert every["name"].tolist() == list(suite.runs)
    assert every.columns.tolist() == ["name", "dataset", "model", "protocol", "split", "seed", *tables.ACCURACIES]


def test_variants_are_rows_of_their_own(tmp_path):
    given = {"dataset": "ntu60", "model": "released-wtmr"}
    suite = suite_of(whole=given, plain={**given, "flip": 0.0, "seed": 3}, other={"dataset": "svideoqa"})
    for name, entry in suite.runs.items():
        write_run(tmp_path, name, entry)
    table = tables.ablation(suite, tmp_path)
    assert table.model.tolist() == ["released-wtmr flip=0.5", "released-wtmr flip=0.0", "released-wtmr"]
    assert (table.published_train_accuracy[:2] == 0.9859).all()
    # a row keeps its name when its sibling is left out
    assert tables.ablation(suite, tmp_path, {"plain": "x"}).model[0] == "released-wtmr flip=0.5"


def test_training_times(nine):
    found = tables.training_times(*nine).set_index("name")
    assert found.loc["hmdb51-released-wtmr"].tolist() == ["mini", "CPU, some", 7.0, 5.42]


def test_a_run_that_is_not_there(nine):
    suite, results = nine
    with pytest.raises(SettingsError, match="suite some has no run 'hmdb51'; it has svideoqa-released-timesformer, "):
        tables.every_run(suite, results, {"hmdb51": "no recordings"})
    with pytest.raises(SettingsError, match="has no run 'nine'"):
        tables.find_run(suite, "nine", results)
    with pytest.raises(SettingsError, match="all runs of suite some are left out"):
        tables.ablation(suite, results, dict.fromkeys(suite.runs, "no time"))
    with pytest.raises(runs.RunError, match="holds no finished run svideoqa-released-timesformer"):
        tables.performance(suite, results / "elsewhere")


NINE = list(published.profile()[["dataset", "model"]].itertuples(index=False, name=None))


def test_times_of_all_nine(monkeypatch):
    """Full networks take a minute, so only what is timed is checked: names, inputs, batches."""
    from wtmr_core import profiling

    asked = []

    def time_forward(model, inputs, **given):
        asked.append((tuple(inputs.shape), given))
        return profiling.Timing(0.5, 0.5, 0.5, 4.0, None, given["batch"], 1, given["precision"], "some CPU", 2)

    monkeypatch.setattr(profiling, "time_forward", time_forward)
    monkeypatch.setattr("wtmr_core.models.released.build", lambda *_, **__: None)
    found = tables.times(NINE, [1, 2], ["fp32", "bf16"], "cpu", repeats=1)
    assert len(found) == 10 * 4
    assert found.seconds_per_clip.tolist() == [0.5, 0.5, 0.25, 0.25] * 10
    twice = found[(found.dataset == "svideoqa") & (found.model == "released-wtmr")]
    assert twice.input.unique().tolist() == ["16×3×56×56", "16×3×224×224"]
    assert twice.published_seconds_per_clip.isna().tolist() == [False] * 4 + [True] * 4
    assert {given["warmup"] for _, given in asked} == {0}
    found = tables.times(NINE[:1], [1], ["fp32"], "cpu", repeats=20)
    assert asked[-1][1]["warmup"] == 3
    assert found[["dataset", "model"]].values.tolist() == [list(NINE[0])]


def test_no_gpu_says_so(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="finds no GPU here, so give cpu or auto"):
        tables.times(NINE, device="cuda")


def test_a_name_is_its_own_run(tmp_path):
    """Two runs of one network, and one trained with other settings since: no name gives another's numbers."""
    suite = suite_of(one={"dataset": "hmdb51"}, two={"dataset": "hmdb51", "split": "2"})
    for (name, entry), test in zip(suite.runs.items(), (0.1, 0.2), strict=True):
        write_run(tmp_path, name, entry, test=test, split={"one": "1", "two": "2"}[name])
    assert tables.every_run(suite, tmp_path).test_accuracy.tolist() == [0.1, 0.2]
    changed = suite_of(one={"dataset": "hmdb51", "epochs": 3})
    with pytest.raises(runs.RunError, match="one was trained with another epochs: make it again"):
        tables.every_run(changed, tmp_path)
