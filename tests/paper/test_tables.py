"""Tables rebuilt from run folders alone: rows, means and what is left out."""

import functools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from wtmr_core import intervals, metrics, models, runs
from wtmr_core.paper import cost, published, tables, times
from wtmr_core.paper.suite import Entry, Suite, finished_run
from wtmr_core.settings import Settings, SettingsError


def suite_of(**own) -> Suite:
    """A suite of mini runs, name -> settings."""
    return Suite("some", {name: Entry(Settings.of({"scale": "mini", **given})) for name, given in own.items()})


@pytest.fixture(autouse=True)
def _counted_once(monkeypatch):
    monkeypatch.setattr(cost, "profile_table", PROFILE)


PROFILE = functools.cache(cost.profile_table)
ONE = {"names": ["a"], "groups": ["film"], "labels": [0], "logits": [[1.0, 0.0]], "classes": ["sit", "walk"]}


def write_run(results, name, entry, *, train=0.8, val=0.6, test=0.5, loss=1.0, split="1", seconds=7.0, predictions=ONE):
    """The folder of a finished run without weights, as the repository keeps it."""
    folder = runs.folder(results, entry.settings, "data")
    folder.mkdir(parents=True)
    runs.name(results, name, folder)
    held = entry.settings.identity() | {"split": split, "data": "data"}
    metrics = {"train_accuracy": train, "val_accuracy": val, "test_accuracy": test, "test_is": "split 1", "epochs": 2,
               "chosen_epoch": 1, "seconds": seconds, "clips_per_second": 3.0}  # fmt: skip
    environment = {"device": "CPU, some"}
    for name, value in ((runs.SETTINGS, held), (runs.ENVIRONMENT, environment), (runs.METRICS, metrics)):
        (folder / name).write_text(json.dumps(value))
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [loss, 9.0]}).reindex(columns=runs.HISTORY_COLUMNS)
    history.to_csv(folder / runs.HISTORY, index=False)
    np.savez(folder / runs.PREDICTIONS, **predictions)


NETWORKS = [(d, m) for d in published.DATASETS for m in (*published.MODELS, "wtmr")]


@pytest.fixture
def twelve(tmp_path):
    """All networks as a suite, the last of the paper's table first, and their run folders."""
    suite = suite_of(**{f"{d}-{m}": {"dataset": d, "model": m} for d, m in reversed(NETWORKS)})
    for i, (name, entry) in enumerate(suite.runs.items()):
        write_run(tmp_path, name, entry, test=i / 20)
    return suite, tmp_path


def test_the_performance_table(twelve):
    table = tables.performance(*twelve)
    assert table.columns.tolist() == tables.PERFORMANCE
    found = list(table[tables.NETWORK].itertuples(index=False, name=None))
    assert found == NETWORKS  # the paper's order, whatever the suite's
    np.testing.assert_allclose(table.measured_test_accuracy, np.arange(11, -1, -1) / 20)
    paper = table[table.model != "wtmr"]
    for what in ("params_m", "gmacs"):  # all eighteen come out
        np.testing.assert_array_equal(paper[f"reproduced_{what}"].round(2), paper[f"published_{what}"])
    described = table[table.model == "wtmr"]
    assert described.filter(like="published").isna().all(axis=None)
    assert described.filter(like="complete").notna().all(axis=None)
    table = table.set_index(tables.NETWORK)
    assert table.complete_gmacs["svideoqa", "released-wtmr"] == pytest.approx(99.15, abs=0.01)
    assert table.published_train_accuracy["svideoqa", "released-wtmr"] == 0.6345
    assert table.published_val_accuracy["ntu60", "released-wtmr"] == 0.6832
    assert np.isnan(table.published_train_accuracy["hmdb51", "released-wmrc"])


def test_what_the_networks_of_the_runs_cost(tmp_path):
    given = {"dataset": "ntu60", "model": "wtmr"}
    suite = suite_of(base=given, again={**given, "seed": 1}, variant={**given, "depth": 0})
    for name, entry in suite.runs.items():
        write_run(tmp_path, name, entry)
    (found,) = tables.measured_costs(suite, tmp_path).to_dict("records")
    counted = cost.cost_of_run("ntu60", "wtmr", classes=2, **suite.runs["base"].settings.sizes())
    assert found == {"dataset": "ntu60", "model": "wtmr", "measured_params_m": counted.params / 1e6,
                     "measured_gmacs": counted.macs / 1e9}  # fmt: skip


def test_what_is_left_out_is_in_no_table(twelve):
    suite, results = twelve
    out = {"hmdb51-released-wtmr": "no recordings"} | dict.fromkeys((n for n in suite.runs if "ntu60" in n), "no time")
    for table in (make(suite, results, out) for make in (tables.performance, tables.ablation, tables.every_run)):
        assert len(table) == 7
        assert "ntu60" not in set(table.dataset)
        assert ("hmdb51", "released-wtmr") not in set(table[tables.NETWORK].itertuples(index=False, name=None))


def test_splits_and_seeds_are_averaged(tmp_path):
    suite = suite_of(**{f"run-{s}": {"dataset": "hmdb51", "model": "released-wtmr", "split": s, "seed": int(s)}
                        for s in "123"})  # fmt: skip
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


def test_a_label_says_how_a_network_differs_from_the_first_of_its_model():
    given = {"dataset": "ntu60", "model": "wtmr", "kernels": "shared"}
    suite = suite_of(
        base=given, seed={**given, "seed": 3, "split": "cross-view"}, own={**given, "kernels": "own"},
        two={**given, "context": False, "motion": False}, other={**given, "dataset": "svideoqa", "size": 32},
        grid={**given, "dataset": "svideoqa", "size": 32, "regions": [1, 1], "dropout": 0.0},
        released={"dataset": "ntu60", "model": "released-wtmr"},
    )  # fmt: skip
    assert tables.labels(suite) == {
        "base": "wtmr", "seed": "wtmr", "own": "wtmr kernels=own", "two": "wtmr context=False motion=False",
        "other": "wtmr", "grid": "wtmr dropout=0.0 regions=[1,1]", "released": "released-wtmr",
    }  # fmt: skip


def test_the_papers_tables_have_no_variants(tmp_path):
    given = {"dataset": "ntu60", "model": "released-wtmr"}
    suite = suite_of(whole=given, plain={**given, "flip": 0.0, "seed": 3}, other={"dataset": "svideoqa"})
    for name, entry in suite.runs.items():
        write_run(tmp_path, name, entry)
    table = tables.ablation(suite, tmp_path)
    assert table.model.tolist() == ["released-wtmr", "wtmr"]
    assert table.runs.tolist() == [1, 1]
    assert table.published_train_accuracy[0] == 0.9859
    assert np.isnan(table.published_train_accuracy[1])
    assert tables.performance(suite, tmp_path).model.tolist() == ["released-wtmr", "wtmr"]
    # what is a variant of a base that is left out is still none
    assert tables.ablation(suite, tmp_path, {"whole": "x"}).model.tolist() == ["wtmr"]


LABELS = np.arange(40) % 7


def predicted(seed, *, films=8, prefix="clip", order=None):
    """Forty clips of 7 classes in `films` films, guessed the better the lower `seed`; the clips in some `order`."""
    rng = np.random.default_rng(int(2 * seed))
    found = {
        "names": np.array([f"{prefix}{i:02}" for i in range(40)]),
        "groups": np.array([f"film {i % films}" for i in range(40)]),
        "labels": LABELS,
        "logits": rng.normal(size=(40, 7)) + np.eye(7)[LABELS] * (3 - 0.3 * seed),
    }
    order = np.arange(40) if order is None else order
    return {k: v[order] for k, v in found.items()} | {"classes": list("abcdefg")}


def components_of(results, given, written, splits=None, vals=None):
    """The table of runs, name -> settings, that predicted what was written, indexed by data set and label; with
    validation accuracies, also what they choose."""
    suite = suite_of(**given)
    for i, (name, entry) in enumerate(suite.runs.items()):
        split = (splits or {}).get(name, "1")
        val = vals[name] if vals else None
        write_run(results, name, entry, val=val, predictions=written[name], split=split, seconds=10.0 * (i + 1))
    table = tables.components(suite, results, choose=bool(vals))
    assert table.columns.tolist() == tables.COMPONENTS
    return table.set_index(["dataset", "label"])


def test_components_against_the_functions_themselves(tmp_path):
    wtmr = {"dataset": "ntu60", "model": "wtmr"}
    given = {
        "base-1": {**wtmr, "seed": 1}, "shared-1": {**wtmr, "seed": 1, "kernels": "shared"},
        "released": {"dataset": "ntu60", "model": "released-wtmr"},
        "base-0": wtmr, "shared-0": {**wtmr, "kernels": "shared"},
        "alone": {"dataset": "hmdb51", "model": "released-wmrc"},
    }  # fmt: skip
    seeds = dict(zip(given, range(6), strict=True))
    mixed = np.random.default_rng(9).permutation(40)  # one run has its clips in another order
    written = {name: predicted(seed, order=mixed if name == "shared-0" else None) for name, seed in seeds.items()}
    table = components_of(tmp_path, given, written)
    assert table.index.tolist() == [("hmdb51", "released-wmrc"), ("ntu60", "released-wtmr"), ("ntu60", "wtmr"),
                                    ("ntu60", "wtmr kernels=shared")]  # fmt: skip

    groups = predicted(0)["groups"]
    base, shared = ([predicted(seeds[f"{name}-{i}"])["logits"] for i in (0, 1)] for name in ("base", "shared"))
    row = table.loc["ntu60", "wtmr kernels=shared"]
    expected = intervals.bootstrap(LABELS, shared, groups)
    assert (row.top1, row.top1_low, row.top1_high) == pytest.approx((expected.value, expected.low, expected.high))
    for metric in metrics.METRICS:
        mean = np.mean([metrics.scores(LABELS, one)[metric] for one in shared])
        assert row[metric] == pytest.approx(mean), metric
    gap = intervals.compare(LABELS, shared, base, groups)
    found = (row.difference, row.difference_low, row.difference_high, row.p)
    assert found == pytest.approx((gap.difference, gap.low, gap.high, gap.p))
    assert row.difference == pytest.approx(row.top1 - table.top1["ntu60", "wtmr"])
    assert (row.model, row.runs, row.clips, row.groups, row.unit) == ("wtmr", 2, 40, 8, "group")
    assert (row.epochs, row.seconds) == (2, 35)  # the second and fifth run
    assert table.loc["ntu60", "released-wtmr"].difference == pytest.approx(
        table.top1["ntu60", "released-wtmr"] - table.top1["ntu60", "wtmr"]
    )
    nothing = table.loc[[("ntu60", "wtmr"), ("hmdb51", "released-wmrc")], "difference":"p"]
    assert nothing.isna().all(axis=None)  # the base, and where there is none


def test_components_cost_what_their_runs_do(tmp_path):
    given = {"base": {"dataset": "hmdb51"}, "no-cnn": {"dataset": "hmdb51", "cnn": False}}
    table = components_of(tmp_path, given, dict.fromkeys(given, predicted(0)))
    for label, own in (("wtmr", {}), ("wtmr cnn=False", {"cnn": False})):
        sizes = Settings.of({"dataset": "hmdb51", "scale": "mini"} | own).sizes()
        network = models.build("hmdb51", "wtmr", classes=7, **sizes)
        counted = cost.count_complete(network, torch.zeros(1, 8, 1, 64, 64))
        row = table.loc["hmdb51", label]
        assert (row.params_m, row.gmacs) == (counted.params / 1e6, counted.macs / 1e9)


def test_splits_are_pooled_and_seeds_stacked(tmp_path):
    given = {f"s{n}-{seed}": {"dataset": "hmdb51", "split": n, "seed": seed} for n in "12" for seed in (0, 1)}
    splits = {name: name[1] for name in given}
    written = {name: predicted(i, prefix=f"split{name[1]}-") for i, name in enumerate(given)}
    row = components_of(tmp_path, given, written, splits).loc["hmdb51", "wtmr"]
    logits = [np.concatenate([written[f"s{split}-{seed}"]["logits"] for split in "12"]) for seed in (0, 1)]
    groups = np.tile(predicted(0)["groups"], 2)
    expected = intervals.bootstrap(np.tile(LABELS, 2), logits, groups)
    assert (row.top1, row.top1_low, row.top1_high) == pytest.approx((expected.value, expected.low, expected.high))
    assert (row.runs, row.clips, row.groups, row.unit) == (4, 80, 8, "group")  # a film in two splits is one


def test_some_of_the_clips_alone(tmp_path):
    given = {"base": {"dataset": "hmdb51"}, "shared": {"dataset": "hmdb51", "kernels": "shared"}}
    written = {name: predicted(i) for i, name in enumerate(given)}
    components_of(tmp_path, given, written)
    names = [f"clip{i:02}" for i in range(0, 40, 2)]
    _, row = tables.components(suite_of(**given), tmp_path, among=[*names, "elsewhere"]).to_dict("records")
    first, second = (written[name]["logits"][::2] for name in ("shared", "base"))
    assert (row["clips"], row["groups"], row["unit"]) == (20, 4, "clip")  # every other clip, so every other film
    assert row["top1"] == pytest.approx((first.argmax(1) == LABELS[::2]).mean())
    assert row["difference"] == pytest.approx(intervals.compare(LABELS[::2], first, second, names).difference)
    with pytest.raises(runs.RunError, match="wtmr on hmdb51: none of the clips asked for was tested"):
        tables.components(suite_of(**given), tmp_path, among=["elsewhere"])


def test_validation_chooses_in_each_split(tmp_path):
    """Two splits, two seeds: shared kernels are better on validation in the first of the one and the second of the
    other; else both are alike, and the first in the suite is taken."""
    networks = {"own": {}, "shared": {"kernels": "shared"}, "released": {"model": "released-wmrc"}}
    given = {f"{n}-{seed}{k}": {"dataset": "hmdb51", "split": k, "seed": seed, **own}
             for n, own in networks.items() for seed in (0, 1) for k in "12"}  # fmt: skip
    splits = {name: name[-1] for name in given}
    written = {name: predicted(i / 2, prefix=f"split{name[-1]}-") for i, name in enumerate(given)}
    vals = dict.fromkeys(given, 0.5) | {"own-01": 0.4, "shared-12": 0.6, "released-01": 0.9}
    table = components_of(tmp_path, given, written, splits, vals)
    assert table.index.tolist() == [("hmdb51", label) for label in
                                    (tables.CHOSEN, "released-wmrc", "wtmr", "wtmr kernels=shared")]  # fmt: skip

    def of(*names):
        return np.concatenate([written[name]["logits"] for name in names])

    logits = {n: [of(f"{n}-01", f"{n}-02"), of(f"{n}-11", f"{n}-12")] for n in networks}
    picked = [of("shared-01", "own-02"), of("own-11", "shared-12")]
    labels, groups = np.tile(LABELS, 2), np.tile(predicted(0)["groups"], 2)
    row = table.loc["hmdb51", tables.CHOSEN]
    expected = intervals.bootstrap(labels, picked, groups)
    assert (row.top1, row.top1_low, row.top1_high) == pytest.approx((expected.value, expected.low, expected.high))
    assert (row.runs, row.clips, row.seconds) == (4, 80, (50 + 20 + 30 + 80) / 4)
    own, shared = (table.params_m["hmdb51", label] for label in ("wtmr", "wtmr kernels=shared"))
    assert shared < own
    assert row.params_m == pytest.approx((shared + own) / 2)
    assert np.isnan(row.difference)
    for label, name in (("released-wmrc", "released"), ("wtmr", "own")):
        gap = intervals.compare(labels, logits[name], picked, groups)
        assert table.difference["hmdb51", label] == pytest.approx(gap.difference)
        assert table.p["hmdb51", label] == pytest.approx(gap.p)


def test_without_a_validation_part_nothing_can_be_chosen(tmp_path):
    with pytest.raises(
        runs.RunError, match="has no validation part to choose by: train it with a val_fraction above 0"
    ):
        components_of(tmp_path, {"a": {"dataset": "hmdb51"}}, {"a": predicted(0)}, vals={"a": None})


def test_of_few_groups_the_clips_are_the_units(tmp_path):
    given = {"base": {"dataset": "hmdb51"}, "shared": {"dataset": "hmdb51", "kernels": "shared"}}
    written = {"base": predicted(0, films=4), "shared": predicted(5, films=4)}
    row = components_of(tmp_path, given, written).loc["hmdb51", "wtmr kernels=shared"]
    assert (row.groups, row.unit) == (4, "clip")
    first, second, names = written["shared"]["logits"], written["base"]["logits"], written["base"]["names"]
    expected, gap = intervals.bootstrap(LABELS, first, names), intervals.compare(LABELS, first, second, names)
    assert (row.top1_low, row.top1_high) == pytest.approx((expected.low, expected.high))
    assert (row.difference_low, row.difference_high, row.p) == pytest.approx((gap.low, gap.high, gap.p))
    five = components_of(tmp_path / "five", given, {name: predicted(0, films=5) for name in given})
    assert five.unit.tolist() == ["group", "group"]


def test_what_cannot_be_put_side_by_side(tmp_path):
    wtmr = {"dataset": "hmdb51", "model": "wtmr"}
    here, other = predicted(0), predicted(0, prefix="other")
    with pytest.raises(runs.RunError, match=r"wtmr on hmdb51 has splits with other numbers of runs \(1 2, 2 1\)"):
        components_of(tmp_path / "uneven", {"a": wtmr, "b": {**wtmr, "seed": 1}, "c": {**wtmr, "split": "2"}},
                      dict.fromkeys("abc", here), {"c": "2"})  # fmt: skip
    with pytest.raises(runs.RunError, match="the seeds of wtmr on hmdb51, split 1, were tested on other clips"):
        components_of(tmp_path / "seeds", {"a": wtmr, "b": {**wtmr, "seed": 1}}, {"a": here, "b": other})
    with pytest.raises(runs.RunError, match="wtmr depth=1 and wtmr on hmdb51 were tested on other clips"):
        components_of(tmp_path / "networks", {"a": wtmr, "b": {**wtmr, "depth": 1}}, {"a": here, "b": other})


def test_the_budgets_of_the_published_logs():
    table = tables.budgets().set_index(tables.NETWORK)
    assert len(table) == 6
    assert table.index.tolist()[:2] == [("hmdb51", "released-wtmr"), ("hmdb51", "released-timesformer")]
    assert table.loc["hmdb51"].epochs.tolist() == [50, 10]
    assert table.loc["hmdb51"].shared_epochs.tolist() == [10, 10]
    assert table.loc["hmdb51"].early_train_accuracy.tolist() == [0.1731, 0.1506]
    assert table.loc["hmdb51"].train_accuracy.tolist() == [0.9841, 0.1506]
    assert table.loc["ntu60"].lr.tolist() == [1e-4, 5e-4]
    assert table.loc["ntu60"].label_smoothing.tolist() == [0, 0.1]


def test_training_times(twelve):
    found = times.training(*twelve).set_index("name")
    assert found.loc["hmdb51-released-wtmr"].tolist() == ["mini", "CPU, some", 7.0, 5.42]


def test_a_run_that_is_not_there(twelve):
    suite, results = twelve
    with pytest.raises(SettingsError, match="suite some has no run 'hmdb51'; it has svideoqa-wtmr, "):
        tables.every_run(suite, results, {"hmdb51": "no recordings"})
    with pytest.raises(SettingsError, match="has no run 'nine'"):
        finished_run(suite, "nine", results)
    with pytest.raises(SettingsError, match="all runs of suite some are left out"):
        tables.ablation(suite, results, dict.fromkeys(suite.runs, "no time"))
    with pytest.raises(runs.RunError, match="holds no finished run svideoqa-wtmr"):
        tables.performance(suite, results / "elsewhere")


def test_times_of_all(monkeypatch):
    """Full networks take a minute, so only what is timed is checked: names, inputs, batches."""
    asked, built = [], []

    def time_forward(model, inputs, **given):
        asked.append((tuple(inputs.shape), given))
        return cost.Timing(0.5, 4.0, None, given["batch"], 1, given["precision"], "some CPU", 2)

    monkeypatch.setattr(cost, "time_forward", time_forward)
    monkeypatch.setattr(models, "build", lambda *names, **sizes: built.append((*names, sizes)))
    found = times.forward(NETWORKS, [1, 2], ["fp32", "bf16"], "cpu", repeats=1)
    assert len(found) == 13 * 4
    assert list(found[::4][tables.NETWORK].drop_duplicates().itertuples(index=False, name=None)) == NETWORKS
    assert found.seconds_per_clip.tolist() == [0.5, 0.5, 0.25, 0.25] * 13
    assert [sizes for *_, sizes in built if sizes] == [{"profiled": True}]
    described = found[found.model == "wtmr"]
    assert described.input.unique().tolist() == ["16×1×224×224", "16×2×25×3", "16×3×224×224"]
    assert described.published_seconds_per_clip.isna().all()
    assert found.published_seconds_per_clip[0] == 0.0776
    twice = found[(found.dataset == "svideoqa") & (found.model == "released-wtmr")]
    assert twice.input.unique().tolist() == ["16×3×56×56", "16×3×224×224"]
    assert twice.published_seconds_per_clip.isna().tolist() == [False] * 4 + [True] * 4
    assert {given["warmup"] for _, given in asked} == {0}
    found = times.forward(NETWORKS[:1], [1], ["fp32"], "cpu", repeats=20)
    assert asked[-1][1]["warmup"] == 3
    assert found[["dataset", "model"]].values.tolist() == [list(NETWORKS[0])]


def test_no_gpu_says_so(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="finds no GPU here, so give cpu or auto"):
        times.forward(NETWORKS, device="cuda")


def test_a_name_is_its_own_run(tmp_path):
    """Two runs of one network, and one trained with other settings since: no name gives another's numbers."""
    suite = suite_of(one={"dataset": "hmdb51"}, two={"dataset": "hmdb51", "split": "2"})
    for (name, entry), test in zip(suite.runs.items(), (0.1, 0.2), strict=True):
        write_run(tmp_path, name, entry, test=test, split={"one": "1", "two": "2"}[name])
    assert tables.every_run(suite, tmp_path).test_accuracy.tolist() == [0.1, 0.2]
    changed = suite_of(one={"dataset": "hmdb51", "epochs": 3})
    with pytest.raises(runs.RunError, match="one was trained with another epochs: make it again"):
        tables.every_run(changed, tmp_path)
